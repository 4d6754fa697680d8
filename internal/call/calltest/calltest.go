// Package calltest lets a room's tests call its operations through the real
// spine, over an in-memory store and a clock that the test moves.
package calltest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
	"github.com/tierra-cloud/tierra/internal/policy"
)

// Account and Region are those that the tests act in.
const (
	Account = "000000000000"
	Region  = "us-east-1"
)

// Start is when the test's clock begins.
var Start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// World is a board with a fake clock and repeatable ids.
type World struct {
	*call.Board
	Clock *clock.Fake
	IDs   *ids.Source
	// As is who calls: the account's root, until the test says otherwise.
	As call.As
}

// New makes a world; the test plugs its rooms into it.
func New() *World {
	w := &World{Clock: clock.NewFake(Start), IDs: ids.From(rand.NewChaCha8([32]byte{7}))}
	w.As = call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.Root, Account: Account, ARN: "arn:aws:iam::" + Account + ":root", UserID: Account,
	}}, Region)
	w.Board = &call.Board{
		Gate: &call.Gate{Identities: identities{}}, Clock: w.Clock, IDs: w.IDs, Host: "localhost:4566",
	}
	return w
}

// identities knows the root only, and lets any service assume any role as an
// identity without policies of its own. Tests of authorisation use IAM's room.
type identities struct{}

func (identities) Key(context.Context, string, string) (call.Identity, string, error) {
	return call.Identity{}, "", fault.Of(fault.InvalidClientTokenID, "The security token included in the request is invalid.")
}

func (identities) Policies(context.Context, call.Identity) (policy.Sets, error) {
	return policy.Sets{}, nil
}

func (identities) Assume(_ context.Context, role, session, _ string) (call.Identity, error) {
	return call.Identity{}, fault.Of(fault.AccessDenied, "role %s is not known here", role)
}

// Do calls an operation as w.As.
func Do[I, O any](w *World, op call.Op[I, O], in *I) (*O, error) {
	return call.Do(context.Background(), w.Board, w.As, op, in)
}

// Must calls an operation and fails the test on an error.
func Must[I, O any](t testing.TB, w *World, op call.Op[I, O], in *I) *O {
	t.Helper()
	out, err := Do(w, op, in)
	if err != nil {
		t.Fatalf("%s: %v", op.Operation().Name, err)
	}
	return out
}

// Script runs a data-driven file against the rooms on the board. A command is an
// operation's name (or "service:Operation" where two rooms have it), its input
// JSON by the model's member names, its output the result as JSON without absent
// members, or "Code: message" of the fault. Further commands:
//
//	advance 90s    moves the clock
//
// and those in extra.
func Script(t *testing.T, path string, w *World, extra map[string]func(t *testing.T, d *datadriven.TestData) string) {
	t.Helper()
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		if f := extra[d.Cmd]; f != nil {
			return f(t, d)
		}
		if d.Cmd == "advance" {
			dur, err := time.ParseDuration(d.CmdArgs[0].String())
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			w.Clock.Advance(dur)
			return ""
		}
		return w.run(t, d)
	})
}

func (w *World) run(t *testing.T, d *datadriven.TestData) string {
	service, name, ok := strings.Cut(d.Cmd, ":")
	if !ok {
		service, name = "", d.Cmd
	}
	for _, s := range w.Services() {
		m := s.Model()
		if service != "" && m.Name != service {
			continue
		}
		op := m.Operation(name)
		if op == nil {
			continue
		}
		b := w.Binding(op)
		if b == nil {
			return "not bound"
		}
		in := b.NewInput()
		if text := strings.TrimSpace(d.Input); text != "" {
			dec := json.NewDecoder(strings.NewReader(text))
			dec.DisallowUnknownFields()
			if err := dec.Decode(in); err != nil {
				d.Fatalf(t, "input: %v", err)
			}
		}
		out, err := w.Call(context.Background(), w.As, m, op, in)
		if err != nil {
			if f := fault.As(err); f != nil {
				return f.Code + ": " + f.Message + "\n"
			}
			return "internal: " + err.Error() + "\n"
		}
		return JSON(out)
	}
	d.Fatalf(t, "no room has the operation %s", d.Cmd)
	return ""
}

// JSON prints a generated struct without its absent members.
func JSON(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(present(reflect.ValueOf(v))); err != nil {
		return fmt.Sprintf("cannot print %T: %v\n", v, err)
	}
	return b.String()
}

func present(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return present(v.Elem())
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return t.Format(time.RFC3339Nano)
		}
		m := map[string]any{}
		for i := 0; i < v.NumField(); i++ {
			if f := v.Field(i); !f.IsZero() {
				m[v.Type().Field(i).Name] = present(f)
			}
		}
		return m
	case reflect.Slice:
		if b, ok := v.Interface().([]byte); ok {
			return string(b)
		}
		l := make([]any, v.Len())
		for i := range l {
			l[i] = present(v.Index(i))
		}
		return l
	case reflect.Map:
		m := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = present(it.Value())
		}
		return m
	case reflect.Func:
		return "(stream)"
	}
	return v.Interface()
}
