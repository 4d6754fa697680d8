// Package page makes and reads the opaque tokens with which a listing goes on.
package page

import (
	"encoding/base64"
	"errors"
)

// ErrToken says that a token was not made by Token.
var ErrToken = errors.New("page: the token is not valid")

// Token wraps the key after which the next page begins. The empty key gives "".
func Token(after string) string {
	if after == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append([]byte{1}, after...))
}

// After unwraps a token; the empty token gives the empty key.
func After(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 2 || b[0] != 1 {
		return "", ErrToken
	}
	return string(b[1:]), nil
}
