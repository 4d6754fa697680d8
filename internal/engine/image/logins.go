package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Logins are what registries are logged in to with, by their names.
type Logins struct{ auths map[string]authn.AuthConfig }

// ReadLogins reads a file as `docker login`, `podman login` and `crane auth login`
// write it. Files that leave the secrets to another program (credsStore,
// credHelpers) are refused, as no program is run for them.
// https://docs.docker.com/reference/cli/docker/login/#credential-stores
func ReadLogins(b []byte) (*Logins, error) {
	var file struct {
		Auths       map[string]authn.AuthConfig `json:"auths"`
		CredsStore  string                      `json:"credsStore"`
		CredHelpers map[string]string           `json:"credHelpers"`
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("not a file of logins: %w", err)
	}
	if dec.More() {
		return nil, errors.New("not a file of logins: the text goes on behind it")
	}
	if file.CredsStore != "" || len(file.CredHelpers) > 0 {
		return nil, errors.New("credsStore and credHelpers keep the secrets elsewhere; make a file that has them: docker --config NEWFOLDER login REGISTRY")
	}
	l := &Logins{map[string]authn.AuthConfig{}}
	for at, a := range file.Auths {
		if a == (authn.AuthConfig{}) {
			continue // logged out
		}
		l.auths[registryName(at)] = a
	}
	return l, nil
}

// registryName takes from a key of the file what an image's name begins with: older
// keys are addresses ("https://index.docker.io/v1/").
func registryName(at string) string {
	if _, rest, ok := strings.Cut(at, "://"); ok {
		at, _, _ = strings.Cut(rest, "/")
	}
	at = strings.TrimSuffix(at, "/")
	if at == "docker.io" || at == "registry-1.docker.io" {
		return "index.docker.io"
	}
	return at
}

// Resolve implements authn.Keychain: the longest name that an image's begins with
// counts, by whole parts; without one, everybody's access is tried.
func (l *Logins) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if l == nil {
		return authn.Anonymous, nil
	}
	for name := r.String(); ; {
		if a, ok := l.auths[name]; ok {
			return authn.FromConfig(a), nil
		}
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return authn.Anonymous, nil
		}
		name = name[:i]
	}
}
