package cloudformation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/tierra-cloud/tierra/internal/call/resource"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

// token names one step of one operation. It is the same when the step is
// repeated after a crash.
func (r *run) token(id, step string) string {
	h := sha256.Sum256([]byte(r.st.ID + "\x00" + r.st.Op.ID + "\x00" + id + "\x00" + step))
	return hex.EncodeToString(h[:16])
}

// request is what a resource type is told of the step that it is to carry out.
func (r *run) request(id, kind, step string) *resource.Request {
	token := r.token(id, step)
	rq := &resource.Request{
		Caller: r.s.d.Caller, As: r.as, Account: r.sc.Account, Region: r.sc.Region,
		StackName: r.st.Name, StackID: r.st.ID, LogicalID: id, Type: kind, Token: token, Resolve: r.resolve,
		Name: func(most int) string { return physicalName(r.st.Name, id, token, most) },
	}
	if r.spec != nil {
		rq.StackTags = r.spec.Tags
	}
	return rq
}

// suffixLength is how many characters make a generated name unique.
const suffixLength = 12

// physicalName makes STACK-LOGICALID-SUFFIX of at most so many characters. If it
// is too long, the stack's name and the logical id are cut to half the room each.
func physicalName(stack, id, token string, most int) string {
	h := sha256.Sum256([]byte(token))
	var suffix strings.Builder
	for _, b := range h[:suffixLength] {
		suffix.WriteByte(ids.UpperAlnum[int(b)%len(ids.UpperAlnum)])
	}
	room := most - suffixLength - 2
	if room < 2 {
		return suffix.String()[:min(most, suffixLength)]
	}
	if len(stack)+len(id) > room {
		half := room / 2
		switch {
		case len(stack) <= half:
			id = id[:room-len(stack)]
		case len(id) <= room-half:
			stack = stack[:room-len(id)]
		default:
			stack, id = stack[:half], id[:room-half]
		}
	}
	return strings.TrimRight(stack, "-") + "-" + id + "-" + suffix.String()
}

// cancelled is the reason of a resource whose creation was broken off because the
// operation had failed.
const cancelled = "Resource creation cancelled"

// reason words what a resource type answered as CloudFormation does.
func (r *run) reason(id string, err error) string {
	r.mu.Lock()
	late := r.late
	r.mu.Unlock()
	if late {
		return cancelled
	}
	if errors.Is(err, context.Canceled) {
		return cancelled
	}
	var said *saidError
	if errors.As(err, &said) {
		return said.text
	}
	f := fault.As(err)
	if f != nil && f.Common == fault.Validation && (strings.HasPrefix(f.Message, "Template ") || strings.HasPrefix(f.Message, "Properties validation failed")) {
		return f.Message
	}
	code, message := "InternalFailure", ""
	if f != nil {
		code, message = handlerCode(f), f.Message
	} else {
		message, _, _ = strings.Cut(err.Error(), "\n") // without the stack of a panic
	}
	return fmt.Sprintf("Resource handler returned message: %q (RequestToken: %s, HandlerErrorCode: %s)", message, r.token(id, "handler"), code)
}

// saidError is a failure whose words stand in the event as they are.
type saidError struct{ text string }

func (e *saidError) Error() string { return e.text }

// handlerCode sorts a fault into the codes of resource handlers.
// https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
func handlerCode(f *fault.Fault) string {
	c := f.Code
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(c, p) {
				return true
			}
		}
		return false
	}
	switch {
	case has("AccessDenied", "Unauthorized", "Forbidden"):
		return "AccessDenied"
	case has("AlreadyExists", "AlreadyOwned", "ResourceInUse", "Conflict", "QueueNameExists"):
		return "AlreadyExists"
	case has("NotFound", "NoSuch", "NotExist"):
		return "NotFound"
	case has("Throttl", "TooManyRequests"):
		return "Throttling"
	case has("LimitExceeded"):
		return "ServiceLimitExceeded"
	case f.Status >= 500:
		return "ServiceInternalError"
	}
	return "InvalidRequest"
}
