package sdk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/server"
	"github.com/tierra-cloud/tierra/test/harness"
	"github.com/tierra-cloud/tierra/tierratest"
)

// echoing is an API that answers with the path that it was asked for.
const echoing = `{"Resources": {
 "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": {"swagger": "2.0", "info": {"title": "echo"}, "paths": {"/{proxy+}": {"x-amazon-apigateway-any-method": {
   "responses": {"200": {"description": "ok"}},
   "x-amazon-apigateway-integration": {"type": "mock", "passthroughBehavior": "never", "requestTemplates": {"application/json": "{\"statusCode\": 200}"},
     "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": "$context.httpMethod $context.path"}}}}}}}}}},
 "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "p"}}},
 "Outputs": {"Id": {"Value": {"Ref": "Api"}}}}`

// rawAPI is an API that is called byte for byte.
type rawAPI struct{ address, host string }

func newRawAPI(t *testing.T, options ...tierratest.Option) rawAPI {
	t.Helper()
	s := tierratest.Start(t, options...)
	u, err := url.Parse(s.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	return rawAPI{u.Host, s.Deploy(t, echoing)["Id"] + ".execute-api.localhost:" + u.Port()}
}

// dial opens a connection on which nothing waits for ever.
func (a rawAPI) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", a.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(harness.Patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// answers sends bytes, and reads answers until the server closes the connection.
// HOST stands for the API's host name.
func (a rawAPI) answers(t *testing.T, text string) (all []answer) {
	t.Helper()
	c := a.dial(t)
	go func() {
		_, _ = c.Write([]byte(strings.ReplaceAll(text, "HOST", a.host))) // the server may close before it read everything
		_ = c.CloseWrite()
	}()
	r := bufio.NewReader(c)
	for {
		rs, err := http.ReadResponse(r, nil)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the server neither answers nor closes the connection")
		}
		if err != nil { // it is closed
			return all
		}
		body, _ := io.ReadAll(rs.Body)
		_ = rs.Body.Close()
		all = append(all, answer{status: rs.StatusCode, code: rs.Header.Get("X-Amzn-Errortype"), body: string(body), header: rs.Header})
	}
}

// TestBadFraming: requests whose ends two servers could see at different places.
// One whose framing is doubtful is answered with 400, or 501 where it names a
// transfer encoding that there is not, or its connection is closed behind it; what
// is hidden in it is never carried out.
func TestBadFraming(t *testing.T) {
	a := newRawAPI(t)
	const hidden = "GET /p/hidden HTTP/1.1\r\nHost: HOST\r\n\r\n"
	post := func(header, body string) string {
		return "POST /p/outer HTTP/1.1\r\nHost: HOST\r\n" + header + "\r\n" + body
	}
	length := fmt.Sprintf("Content-Length: %d\r\n", len("0\r\n\r\n"+strings.ReplaceAll(hidden, "HOST", a.host)))
	for name, text := range map[string]string{
		"length and chunks":                post(length+"Transfer-Encoding: chunked\r\n", "0\r\n\r\n"+hidden),
		"chunks and length":                post("Transfer-Encoding: chunked\r\n"+length, "0\r\n\r\n"+hidden),
		"two lengths":                      post("Content-Length: 0\r\n"+length, hidden),
		"lengths in one line":              post("Content-Length: 0, 5\r\n", hidden),
		"negative length":                  post("Content-Length: -1\r\n", hidden),
		"signed length":                    post("Content-Length: +5\r\n", "hello"+hidden),
		"hexadecimal length":               post("Content-Length: 0x5\r\n", "hello"+hidden),
		"length too large for an integer":  post("Content-Length: 18446744073709551617\r\n", hidden),
		"folded transfer encoding":         post("Transfer-Encoding:\r\n chunked\r\n"+length, "0\r\n\r\n"+hidden),
		"space before the colon":           post("Transfer-Encoding : chunked\r\n"+length, "0\r\n\r\n"+hidden),
		"unknown transfer encoding":        post("Transfer-Encoding: xchunked\r\n"+length, "0\r\n\r\n"+hidden),
		"identity":                         post("Transfer-Encoding: identity\r\n"+length, "0\r\n\r\n"+hidden),
		"chunked, identity":                post("Transfer-Encoding: chunked, identity\r\n"+length, "0\r\n\r\n"+hidden),
		"chunked twice":                    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"+length, "0\r\n\r\n"+hidden),
		"chunked with a vertical tab":      post("Transfer-Encoding: \x0bchunked\r\n"+length, "0\r\n\r\n"+hidden),
		"chunk size overflows":             post("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n"+hidden),
		"chunk size is negative":           post("Transfer-Encoding: chunked\r\n", "-1\r\n"+hidden),
		"chunk size is no number":          post("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n"+hidden),
		"chunk is longer than its size":    post("Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n0\r\n\r\n"+hidden),
		"chunk breaks off":                 post("Transfer-Encoding: chunked\r\n", "ffff\r\n"+hidden),
		"chunk extension without end":      post("Transfer-Encoding: chunked\r\n", "1;"+strings.Repeat("x", 20<<10)+"\r\na\r\n0\r\n\r\n"+hidden),
		"header in a line of its own":      "POST /p/outer HTTP/1.1\r\nHost: HOST\r\nnonsense\r\n\r\n" + hidden,
		"header with a zero":               post("X-One: a\x00b\r\nContent-Length: 0\r\n", hidden),
		"header with a carriage return":    post("X-One: a\rContent-Length: 5\r\n", hidden),
		"two hosts":                        post("Host: elsewhere\r\nContent-Length: 0\r\n", hidden),
		"no host":                          "POST /p/outer HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + hidden,
		"line of the request with a space": "POST /p/outer HTTP/1.1 x\r\nHost: HOST\r\n\r\n" + hidden,
		"unknown version":                  "POST /p/outer HTTP/3.7\r\nHost: HOST\r\n\r\n" + hidden,
	} {
		t.Run(name, func(t *testing.T) {
			all := a.answers(t, text)
			for i, x := range all {
				if x.status >= 500 && x.status != 501 && x.status != 505 || strings.Contains(x.body, "hidden") {
					t.Errorf("answer %d is %v", i, x)
				}
			}
			if len(all) > 1 {
				t.Errorf("the answers are %v", all)
			}
		})
	}
	for name, text := range map[string]string{
		"bare line feeds": "GET /p/outer HTTP/1.1\nHost: HOST\n\n",
		"chunks":          post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
		"a folded header": post("X-One: 1\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
		"empty lines":     "\r\nGET /p/outer HTTP/1.1\r\nHost: HOST\r\n\r\n",
	} {
		if all := a.answers(t, text); len(all) != 1 || all[0].status/100 == 5 {
			t.Errorf("%s: %v", name, all)
		}
	}
}

// TestBadSizes: what is too large, too slow, or breaks off.
func TestBadSizes(t *testing.T) {
	a := newRawAPI(t)
	const tooLong = 10<<20 + 1
	const start = "POST /p/outer HTTP/1.1\r\nHost: HOST\r\n"
	for name, c := range map[string]struct {
		text   string
		status int // of the only answer; 0 is a closed connection
		says   string
	}{
		"header of 100 KiB":              {start + "X-One: " + strings.Repeat("x", 100<<10) + "\r\n\r\n", 431, ""},
		"10,000 headers":                 {start + strings.Repeat("X-One: 12345\r\n", 10_000) + "\r\n", 431, ""},
		"path of 100 KiB":                {"GET /p/" + strings.Repeat("x", 100<<10) + " HTTP/1.1\r\nHost: HOST\r\n\r\n", 431, ""},
		"body over 10 MB":                {start + fmt.Sprintf("Content-Length: %d\r\n\r\n", tooLong) + strings.Repeat("x", tooLong), 413, `{"message":"Request Too Long"}`},
		"announced body over 10 MB":      {start + "Content-Length: 99999999999\r\n\r\n", 413, `{"message":"Request Too Long"}`},
		"chunked body over 10 MB":        {start + "Transfer-Encoding: chunked\r\n\r\na00001\r\n" + strings.Repeat("x", tooLong) + "\r\n0\r\n\r\n", 413, `{"message":"Request Too Long"}`},
		"body shorter than announced":    {start + "Content-Length: 500\r\n\r\nhello", 400, ""},
		"half closed behind the request": {"GET /p/outer HTTP/1.1\r\nHost: HOST\r\n\r\n", 200, "GET /p/outer"},
		"half closed within the header":  {start, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			all := a.answers(t, c.text)
			if c.status == 0 && len(all) <= 1 && (len(all) == 0 || all[0].status == 400) {
				return
			}
			if len(all) != 1 || all[0].status != c.status || !strings.Contains(all[0].body, c.says) {
				t.Errorf("the answers are %.300v", all)
			}
		})
	}
}

// TestSlowClients: clients that never end their requests hold nobody up, and are
// closed when their time is up.
func TestSlowClients(t *testing.T) {
	a := newRawAPI(t, func(c *server.Config) { c.HeaderTimeout, c.BodyTimeout = 500*time.Millisecond, 500*time.Millisecond })
	var slow []*net.TCPConn
	for i := range 16 {
		c := a.dial(t)
		text := "POST /p/outer HTTP/1.1\r\nHost: HOST\r\n"
		if i%2 == 0 {
			text += "Content-Length: 5\r\n\r\nhe"
		}
		if _, err := c.Write([]byte(strings.ReplaceAll(text, "HOST", a.host))); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	if all := a.answers(t, "GET /p/quick HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"); len(all) != 1 || all[0].status != 200 {
		t.Errorf("another is answered %v", all)
	}
	for i, c := range slow {
		text, err := io.ReadAll(c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d is open", i)
		}
		if i%2 == 0 && err == nil && !strings.HasPrefix(string(text), "HTTP/1.1 408 ") {
			t.Errorf("a slow body is answered %q", text)
		}
	}
}
