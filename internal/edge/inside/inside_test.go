package inside_test

import (
	"strings"
	"testing"

	"github.com/tierra-cloud/tierra/internal/call"
	"github.com/tierra-cloud/tierra/internal/call/calltest"
	"github.com/tierra-cloud/tierra/internal/edge/inside"
	"github.com/tierra-cloud/tierra/internal/gen"
)

func TestErrors(t *testing.T) {
	w := calltest.New()
	d := inside.New(w.Board, gen.Services())
	for _, c := range []struct {
		rq   call.WireRequest
		want string // "" for a fault in the answer
	}{
		{call.WireRequest{Service: "nothing"}, "no service"},
		{call.WireRequest{Service: "dynamodb", Method: "POST", Path: "/", Action: "Nothing"}, "no action"},
		{call.WireRequest{Service: "dynamodb", Method: "POST", Path: "/"}, "no action"},
		{call.WireRequest{Service: "s3", Method: "PATCH", Path: "/b/k"}, "no operation"},
		{call.WireRequest{Service: "lambda", Method: "POST", Path: "/", Action: "Invoke"}, "no action"},
		{call.WireRequest{Service: "dynamodb", Method: "POST", Path: "/", Action: "GetItem", Body: []byte("{}")}, ""},
		{call.WireRequest{Service: "s3", Method: "GET", Path: "/b/k"}, ""},
		{call.WireRequest{Service: "sns", Method: "POST", Path: "/", Action: "Publish", Query: "Message=a"}, ""},
		{call.WireRequest{Service: "sqs", Method: "POST", Path: "/0/q", Header: map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}}, Body: []byte("Action=SendMessage")}, ""},
	} {
		out, err := d.Send(t.Context(), w.As, &c.rq)
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v, want %s", c.rq, err, c.want)
			}
		case err != nil:
			t.Errorf("%+v: %v", c.rq, err)
		case out.Status != 501 || !strings.Contains(string(out.Body), "not implemented"):
			t.Errorf("%+v: %d %s", c.rq, out.Status, out.Body)
		}
	}
}
