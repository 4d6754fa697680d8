package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tierra-cloud/tierra/internal/dev/client"
	"github.com/tierra-cloud/tierra/internal/edge/sigv4"
)

const (
	fleetFunctions = 1000
	fleetWarm      = 200
)

const fleetFunction = `package main

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, e struct{ Wait time.Duration }) (string, error) {
		time.Sleep(e.Wait * time.Millisecond)
		return "hello", nil
	})
}
`

// fleet deploys many functions and keeps many of them warm at once.
func (b *bench) fleet() error {
	note("deploying " + strconv.Itoa(fleetFunctions) + " functions")
	data := filepath.Join(b.tmp, "fleet")
	empty, err := b.median(func(i int) string { return filepath.Join(b.tmp, fmt.Sprint("fleet-empty", i)) })
	if err != nil {
		return err
	}
	code, err := b.fleetPackage()
	if err != nil {
		return err
	}
	s, err := b.serve(data)
	if err != nil {
		return err
	}
	c, err := b.client(s, data)
	if err == nil {
		err = b.deployFleet(c, code)
	}
	if err != nil {
		s.stop(syscall.SIGTERM)
		return err
	}
	s.stop(syscall.SIGTERM)
	full, err := b.median(func(int) string { return data })
	if err != nil {
		return err
	}
	if s, err = b.serve(data); err != nil {
		return err
	}
	defer s.stop(syscall.SIGTERM)
	if c, err = b.client(s, data); err != nil {
		return err
	}
	before, held := available(), holds(s.cmd.Process.Pid, "bootstrap")
	began := time.Now()
	if err := invokeFleet(c, 0); err != nil {
		return err
	}
	cold := time.Since(began)
	taken, holding := before-available(), holds(s.cmd.Process.Pid, "bootstrap")
	began = time.Now()
	if err := invokeFleet(c, 0); err != nil {
		return err
	}
	warm := time.Since(began)
	began = time.Now()
	if err := invokeFleet(c, 300); err != nil {
		return err
	}
	busy := time.Since(began)
	rss, _, err := resident(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	table(fmt.Sprintf("%d functions deployed, %d of them warm at once (Go, private networks)", fleetFunctions, fleetWarm), "what", "measured")
	row("exec to first answer, empty data folder (median)", ms(empty))
	row("exec to first answer with the functions (median)", ms(full))
	row("first invocation of each, all at once", ms(cold))
	row("second invocation of each, all at once", ms(warm))
	row("an invocation of 300 ms of each, all at once", ms(busy))
	row("memory that the environments take, each", fmt.Sprintf("%.1f MiB", float64(taken)/fleetWarm/(1<<20)))
	per := func(bytes int64) string { return fmt.Sprintf("%.2f MiB", float64(bytes)/fleetWarm/(1<<20)) }
	row("of this beyond the function's own process: in the server", per(holding.server-held.server))
	row("of this beyond the function's own process: other processes", per(holding.beside-held.beside))
	row("of this beyond the function's own process: the kernel's for the control groups", per(holding.kernel-held.kernel))
	row("beyond the function's own process in all (goal: at most 1 MiB)", per(holding.server-held.server+holding.beside-held.beside+holding.kernel-held.kernel))
	row("resident memory of the server with them", fmt.Sprintf("%.1f MiB", rss))
	return nil
}

// median is how soon the server answers, of several starts.
func (b *bench) median(dir func(int) string) (time.Duration, error) {
	var took []time.Duration
	for i := range 5 {
		p, d, err := b.untilAnswer(dir(i))
		if err != nil {
			return 0, err
		}
		p.stop(syscall.SIGTERM)
		took = append(took, d)
	}
	return median(took), nil
}

func (b *bench) client(s *process, dir string) (*client.Client, error) {
	key, err := readCredentials(dir)
	if err != nil {
		return nil, err
	}
	return client.New("http://"+s.addr, key.Region, sigv4.Credentials{AccessKey: key.AccessKey, Secret: key.Secret}), nil
}

func (b *bench) fleetPackage() ([]byte, error) {
	src := filepath.Join(b.tmp, "fleet-src")
	if err := os.MkdirAll(src, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(src, "main.go"), []byte(fleetFunction), 0o644); err != nil {
		return nil, err
	}
	for _, f := range []string{"go.mod", "go.sum"} {
		doc, err := os.ReadFile(filepath.Join(b.root, "examples", "tickets", "functions", f))
		if err == nil {
			err = os.WriteFile(filepath.Join(src, f), doc, 0o644)
		}
		if err != nil {
			return nil, err
		}
	}
	out := filepath.Join(src, "bootstrap")
	if err := b.goBuild(src, out); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = w.Write(text)
	}
	err = errors.Join(err, z.Close())
	return buf.Bytes(), err
}

func (b *bench) deployFleet(c *client.Client, code []byte) error {
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	var role struct {
		ARN string `xml:"Role>Arn"`
	}
	err := c.Query(context.Background(), "iam", "2010-05-08", "CreateRole", url.Values{"RoleName": {"fleet"}, "AssumeRolePolicyDocument": {trust}}, &role)
	if err != nil {
		return err
	}
	return each(fleetFunctions, 4, func(i int) error {
		in := map[string]any{"FunctionName": fmt.Sprint("fleet", i), "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role.ARN, "Code": map[string]any{"ZipFile": code}}
		return c.REST(context.Background(), "lambda", "POST", "/2015-03-31/functions", in, nil)
	})
}

// invokeFleet invokes the functions that are to be warm, all at once.
func invokeFleet(c *client.Client, wait int) error {
	return each(fleetWarm, fleetWarm, func(i int) error {
		var out json.RawMessage
		if err := c.REST(context.Background(), "lambda", "POST", fmt.Sprintf("/2015-03-31/functions/fleet%d/invocations", i), map[string]int{"Wait": wait}, &out); err != nil {
			return err
		}
		if string(out) != `"hello"` {
			return fmt.Errorf("function %d answers %s", i, out)
		}
		return nil
	})
}

// each does n things, so many at once.
func each(n, atOnce int, do func(int) error) error {
	next := make(chan int)
	errs := make(chan error, atOnce)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			var bad error
			for i := range next {
				if bad == nil {
					bad = do(i)
				}
			}
			errs <- bad
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// available is the machine's memory that is free to use, in bytes; 0 if that is
// not known.
func available() int64 {
	doc, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	kb, _ := strconv.ParseInt(strings.TrimSuffix(field(string(doc), "MemAvailable"), " kB"), 10, 64)
	return kb << 10
}
