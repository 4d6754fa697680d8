package server

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/constraint"
	"github.com/tierra-cloud/tierra/internal/gen/dynamodb"
	"github.com/tierra-cloud/tierra/internal/gen/iam"
	"github.com/tierra-cloud/tierra/internal/kernel/fault"
	"github.com/tierra-cloud/tierra/internal/kernel/model"
	"github.com/tierra-cloud/tierra/internal/policy"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/access.txt anew")

// candidates are tried for a string until one meets its shape's constraints.
var candidates = []string{
	"sample", "sample-name", "sample1234", "000000000000", "us-east-1", "1", "/sample", "{}", "sample.txt", "aws:sample",
	"arn:aws:iam::000000000000:role/sample", "arn:aws:iam::000000000000:policy/sample", "arn:aws:lambda:us-east-1:000000000000:function:sample",
	"arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0", "arn:aws:lambda:us-east-1:000000000000:layer:sample:1", "arn:aws:cloudformation:us-east-1:000000000000:stack/sample/11111111-2222-4333-8444-555555555555",
	"arn:aws:acm:us-east-1:000000000000:certificate/11111111-2222-4333-8444-555555555555", "arn:aws:dynamodb:us-east-1:000000000000:table/sample", "arn:aws:logs:us-east-1:000000000000:log-group:sample", "arn:aws:s3:::sample",
	"11111111-2222-4333-8444-555555555555", "0123456789abcdef", "0123456789abcdef0123456789abcdef", "AKIA0123456789ABCDEF", "lambda:InvokeFunction", "lambda:GetLayerVersion", "apigateway.amazonaws.com",
	"200", "v1", "http://localhost/sample", "2026-11-01T00:00:00Z", "index.handler", "123456",
	"arn:aws:ecr:us-east-1:000000000000:repository/sample", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "Sample::Sample::Sample",
}

// sampler makes the smallest input that meets the constraints of a model.
type sampler struct {
	s *model.Service
	t *testing.T
}

func (g sampler) fill(shape int, v reflect.Value, depth int) {
	sh := &g.s.Shapes[shape]
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch sh.Kind {
	case model.Structure:
		for i := range sh.Members {
			m := &sh.Members[i]
			if m.Required || sh.Union && i == 0 {
				g.fill(m.Shape, v.Field(i), depth+1)
			}
		}
	case model.List:
		n := 1
		if sh.HasMin && int(sh.Min) > n {
			n = int(sh.Min)
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			g.fill(sh.Elem, v.Index(i), depth+1)
		}
	case model.Map:
		v.Set(reflect.MakeMap(v.Type()))
		e := reflect.New(v.Type().Elem()).Elem()
		g.fill(sh.Elem, e, depth+1)
		v.SetMapIndex(reflect.ValueOf(g.text(sh.Key)), e)
	case model.String:
		v.SetString(g.text(shape))
	case model.Integer, model.Long:
		v.SetInt(max(1, int64(sh.Min)))
	case model.Float, model.Double:
		v.SetFloat(max(1, sh.Min))
	case model.Boolean:
		v.SetBool(true)
	case model.Timestamp:
		v.Set(reflect.ValueOf(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)))
	case model.Blob:
		if v.Kind() == reflect.Interface {
			v.Set(reflect.ValueOf(io.NopCloser(strings.NewReader("{}"))))
		} else {
			v.SetBytes([]byte("{}" + strings.Repeat(" ", max(0, int(sh.Min)-2))))
		}
	}
}

func (g sampler) text(shape int) string {
	sh := &g.s.Shapes[shape]
	if len(sh.Enum) > 0 {
		return sh.Enum[0]
	}
	for _, c := range candidates {
		if arn := strings.HasPrefix(c, "arn:"); arn != strings.HasSuffix(strings.ToLower(sh.Name), "arn") ||
			arn && !strings.HasPrefix(c, "arn:aws:"+g.s.Name+":") {
			continue
		}
		if constraint.Accepts(sh, c) {
			return c
		}
	}
	for _, c := range candidates {
		if constraint.Accepts(sh, c) {
			return c
		}
		if sh.HasMin && len(c) < int(sh.Min) && constraint.Accepts(sh, strings.Repeat(c, int(sh.Min)/len(c)+1)) {
			return strings.Repeat(c, int(sh.Min)/len(c)+1)
		}
	}
	g.t.Errorf("%s: no candidate meets the constraints of %s (pattern %s)", g.s.ID, sh.Name, sh.Pattern)
	return ""
}

// overrides complete samples where a room asks for more than the model does.
var overrides = map[string]func(in any){
	"cloudformation:DeleteChangeSet":        needsStack,
	"cloudformation:DescribeChangeSet":      needsStack,
	"cloudformation:DescribeChangeSetHooks": needsStack,
	"cloudformation:ExecuteChangeSet":       needsStack,
	"cloudformation:GetTemplate":            needsStack,
	"dynamodb:TransactWriteItems": func(in any) {
		in.(*dynamodb.TransactWriteItemsInput).TransactItems[0].Delete = &dynamodb.Delete{
			TableName: new("sample"), Key: map[string]dynamodb.AttributeValue{"pk": {S: new("sample")}},
		}
	},
}

// needsStack completes the operations on a change set or template, which are
// found by the change set's ARN or with their stack's name.
func needsStack(in any) {
	reflect.ValueOf(in).Elem().FieldByName("StackName").Set(reflect.ValueOf(new("sample")))
}

// each calls f for every binding of every room with a sample input.
func each(t *testing.T, s *Server, f func(b *call.Binding, in any)) {
	t.Helper()
	n := 0
	for _, r := range s.board.Services() {
		m := r.Model()
		for i := range m.Operations {
			b := s.board.Binding(&m.Operations[i])
			if b == nil {
				continue
			}
			in := b.NewInput()
			if b.Op.Input >= 0 {
				sampler{m, t}.fill(b.Op.Input, reflect.ValueOf(in).Elem(), 0)
			}
			if o := overrides[m.Name+":"+b.Op.Name]; o != nil {
				o(in)
			}
			n++
			f(b, in)
		}
	}
	if n < 100 {
		t.Fatalf("only %d bindings were walked", n)
	}
}

func root() call.As {
	return call.AsIdentity(call.Identity{Principal: policy.Principal{
		Kind: policy.Root, Account: DefaultAccount, ARN: "arn:aws:iam::" + DefaultAccount + ":root", UserID: DefaultAccount,
	}}, DefaultRegion)
}

// TestRefusal walks every binding of every room: called anonymously, and by a
// user without a policy, each refuses.
func TestRefusal(t *testing.T) {
	ctx := context.Background()
	s, err := Unstarted(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	nobody, err := call.Do(ctx, s.board, root(), iam.CreateUser, &iam.CreateUserRequest{UserName: new("nobody")})
	if err != nil {
		t.Fatal(err)
	}
	strangers := map[string]call.Identity{
		"anonymous": {Principal: policy.Principal{Kind: policy.Anonymous}},
		"a user without policies": {Principal: policy.Principal{
			Kind: policy.User, Account: DefaultAccount, ARN: *nobody.User.Arn, UserID: *nobody.User.UserId, UserName: "nobody",
		}},
	}
	each(t, s, func(b *call.Binding, in any) {
		for who, id := range strangers {
			if b.Why != "" && who != "anonymous" {
				continue // AWS lets every authenticated caller do it, and the binding says where it says so
			}
			if b.Op.NoAuth && b.Why != "" {
				continue
			}
			_, err := s.board.Call(ctx, call.AsIdentity(id, DefaultRegion), b.Service, b.Op, in)
			f := fault.As(err)
			if f == nil || f.Common != fault.AccessDenied && f.Common != fault.MissingAuthenticationToken {
				t.Errorf("%s:%s by %s is not refused: %v", b.Service.Name, b.Op.Name, who, err)
			}
		}
	})
}

// TestAccess holds the golden table operation -> action -> resource.
func TestAccess(t *testing.T) {
	ctx := context.Background()
	s, err := Unstarted(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	as := root()
	var lines []string
	each(t, s, func(b *call.Binding, in any) {
		a, err := call.Authenticate(ctx, as.Origin(), func(context.Context) (call.Identity, error) { return as.Identify(ctx, nil) })
		if err != nil {
			t.Fatal(err)
		}
		line := b.Service.Name + ":" + b.Op.Name + " -> "
		d, err := a.CallDecoded(b, in)
		switch {
		case err != nil:
			t.Errorf("%s%v", line, err)
		case b.Why != "":
			line += "open: " + b.Why
		default:
			az, err := d.Authorize(ctx, &call.Gate{Mode: call.Off})
			if err != nil {
				line += strings.Join(b.Actions, ", ") + " -> (" + err.Error() + ")"
				break
			}
			var needs []string
			for _, n := range az.Needs() {
				needs = append(needs, n.Action+" -> "+n.Resource)
			}
			line += strings.Join(needs, "; ")
		}
		lines = append(lines, line)
	})
	sort.Strings(lines)
	got := []byte(strings.Join(lines, "\n") + "\n")
	const path = "testdata/access.txt"
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
		for i := 0; i < max(len(g), len(w)); i++ {
			if i >= len(g) || i >= len(w) || g[i] != w[i] {
				t.Fatalf("the table of access rules changed, first at line %d; read the diff and run with -rewrite:\n got %s\nwant %s", i+1, at(g, i), at(w, i))
			}
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return fmt.Sprintf("(end, %d lines)", len(lines))
}
