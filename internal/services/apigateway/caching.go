package apigateway

import (
	"slices"
	"strconv"
	"strings"

	api "github.com/tierra-cloud/tierra/internal/gen/apigateway"
	"github.com/tierra-cloud/tierra/internal/kernel/opt"
)

// Settings of caches: of a stage's cache as a whole, and of methods.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html

// caching says how the answers of a method are kept.
type caching struct {
	Enabled   bool   `json:"enabled,omitempty"`
	TTL       *int32 `json:"ttl,omitempty"` // seconds; nil means defaultCacheTTL
	Encrypted bool   `json:"encrypted,omitempty"`
	// Open lets every caller invalidate what is kept: the opposite of
	// requireAuthorizationForCacheControl.
	Open     bool   `json:"open,omitempty"`
	Strategy string `json:"strategy,omitempty"` // towards who may not; "" means defaultStrategy
}

const (
	defaultCacheTTL int32 = 300  // seconds
	maxCacheTTL     int32 = 3600 // seconds
	defaultStrategy       = api.UnauthorizedCacheControlHeaderStrategySucceedWithResponseHeader
)

func (c *caching) ttl() int32       { return opt.Or(c.TTL, defaultCacheTTL) }
func (c *caching) strategy() string { return opt.Or(opt.NonZero(c.Strategy), defaultStrategy) }

func (c *caching) tell(out *api.MethodSetting) {
	out.CachingEnabled, out.CacheTtlInSeconds, out.CacheDataEncrypted = &c.Enabled, new(c.ttl()), &c.Encrypted
	out.RequireAuthorizationForCacheControl, out.UnauthorizedCacheControlHeaderStrategy = new(!c.Open), new(c.strategy())
}

// set sets one of the settings by its name in a patch. known is false if there
// is none of this name.
func (c *caching) set(name, value string) (known bool, err error) {
	switch name {
	case "enabled":
		c.Enabled, err = flag("caching/enabled", value)
	case "dataEncrypted":
		c.Encrypted, err = flag("caching/dataEncrypted", value)
	case "requireAuthorizationForCacheControl":
		var need bool
		need, err = flag("caching/requireAuthorizationForCacheControl", value)
		c.Open = !need
	case "ttlInSeconds":
		n, bad := strconv.ParseInt(value, 10, 32)
		if bad != nil || n < 0 || n > int64(maxCacheTTL) {
			return true, api.BadRequestException("Invalid cache TTL specified: %s. It must be between 0 and %d seconds", value, maxCacheTTL)
		}
		c.TTL = new(int32(n))
	case "unauthorizedCacheControlHeaderStrategy":
		if !slices.Contains(strategies, value) {
			return true, api.BadRequestException("Invalid unauthorized cache control header strategy specified: %s. Must be one of: [%s]", value, strings.Join(strategies, ", "))
		}
		c.Strategy = value
	default:
		return false, nil
	}
	return true, err
}

var strategies = []string{
	api.UnauthorizedCacheControlHeaderStrategyFailWith403, api.UnauthorizedCacheControlHeaderStrategySucceedWithResponseHeader,
	api.UnauthorizedCacheControlHeaderStrategySucceedWithoutResponseHeader,
}

// cacheSizes are the sizes of caches, by their names, which are GB.
var cacheSizes = []struct {
	name  string
	bytes uint64
}{
	{api.CacheClusterSize05, 1 << 29}, {api.CacheClusterSize16, 16 << 30 / 10}, {api.CacheClusterSize61, 61 << 30 / 10}, {api.CacheClusterSize135, 135 << 30 / 10},
	{api.CacheClusterSize284, 284 << 30 / 10}, {api.CacheClusterSize582, 582 << 30 / 10}, {api.CacheClusterSize118, 118 << 30}, {api.CacheClusterSize237, 237 << 30},
}

// cacheBytes returns how much a cache of a size may hold; 0 if there is no such size.
func cacheBytes(size string) uint64 {
	for _, s := range cacheSizes {
		if s.name == size {
			return s.bytes
		}
	}
	return 0
}

// setCache switches the stage's cache on or off, and gives it a size. What is
// nil stays as it is.
func (st *stage) setCache(on *bool, size *string) error {
	if size != nil {
		if cacheBytes(*size) == 0 {
			return api.BadRequestException("Invalid cache cluster size specified: %s. Must be one of: [0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118, 237]", *size)
		}
		st.CacheSize = *size
	}
	if on != nil {
		st.Cached = *on
	}
	if st.Cached && st.CacheSize == "" {
		st.CacheSize = api.CacheClusterSize05
	}
	return nil
}

func (st *stage) cacheStatus() string {
	if st.Cached {
		return api.CacheClusterStatusAvailable
	}
	return api.CacheClusterStatusNotAvailable
}

// cacheChanged makes the answer of a change tell that a cache comes or goes. It
// is there, or gone, when the answer is out.
func (st *stage) cacheChanged(was *stage, out *api.Stage) {
	switch {
	case st.Cached && (!was.Cached || was.CacheSize != st.CacheSize):
		out.CacheClusterStatus = new(api.CacheClusterStatusCreateInProgress)
	case !st.Cached && was.Cached:
		out.CacheClusterStatus = new(api.CacheClusterStatusDeleteInProgress)
	}
}
