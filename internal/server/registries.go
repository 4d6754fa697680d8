package server

import (
	"fmt"
	"os"

	"github.com/tierra-cloud/tierra/internal/engine/image"
)

// puller fetches images from other registries. Their logins are read at every
// pull, so that a new login counts at once.
func (s *Server) puller(content *image.Content) *image.Puller {
	t := newTransport()
	t.Proxy = s.config.Proxy
	s.later(t.CloseIdleConnections)
	p := &image.Puller{Content: content, Transport: t}
	if s.config.RegistryLogins != "" {
		p.Logins = func() (*image.Logins, error) { return readLogins(s.config.RegistryLogins) }
	}
	return p
}

func readLogins(file string) (*image.Logins, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	l, err := image.ReadLogins(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

// checkLogins says at the start what is wrong with the file of logins.
func (c *Config) checkLogins() error {
	if c.RegistryLogins == "" {
		return nil
	}
	_, err := readLogins(c.RegistryLogins)
	return err
}
