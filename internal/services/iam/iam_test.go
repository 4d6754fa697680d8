package iam_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/data/mem"
	"github.com/tierra-cloud/tierra/internal/services/iam"
)

const (
	rootKey    = "AKIAROOTROOTROOTROOT"
	rootSecret = "root's secret of forty characters, so to s"
)

// newWorld makes a world whose gate asks the room.
func newWorld(t testing.TB) (*calltest.World, *iam.Service) {
	t.Helper()
	w := calltest.New()
	s, err := iam.New(iam.Deps{
		Store: mem.New(), Clock: w.Clock, IDs: w.IDs, SessionKey: bytes.Repeat([]byte{7}, 32),
		Root: iam.Root{Account: calltest.Account, AccessKey: rootKey, Secret: rootSecret},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Gate.Identities = s
	w.Plug(s)
	return w, s
}

// TestScripts runs the files in testdata. Beside operations they know
//
//	as root             calls as the account's root
//	as root ACCOUNT     calls as another account's root
//	as user NAME        calls as a user with a key made for it
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			w, s := newWorld(t)
			root := w.As
			calltest.Script(t, f, w, map[string]func(*testing.T, *datadriven.TestData) string{
				"as": func(t *testing.T, d *datadriven.TestData) string {
					switch {
					case d.CmdArgs[0].Key == "user":
						w.As = asUser(t, w, s, root, d.CmdArgs[1].Key)
					case len(d.CmdArgs) == 2:
						w.As = asRoot(d.CmdArgs[1].Key)
					default:
						w.As = root
					}
					return ""
				},
			})
		})
	}
}

func asKey(t testing.TB, s *iam.Service, key, token string) call.As {
	t.Helper()
	id, _, err := s.Key(context.Background(), key, token)
	if err != nil {
		t.Fatalf("key %s: %v", key, err)
	}
	return call.AsIdentity(id, calltest.Region)
}
