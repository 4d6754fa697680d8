package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// process is a program that runs for a while.
type process struct {
	cmd  *exec.Cmd
	addr string
	out  output
	done chan struct{}
}

type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func start(name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// wrote waits until the program has written what matches.
func (p *process) wrote(pattern string) ([]string, error) {
	re := regexp.MustCompile(pattern)
	for {
		if m := re.FindStringSubmatch(p.out.String()); m != nil {
			return m, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("%v ended without writing %q:\n%s", p.cmd.Args, pattern, p.out.String())
		case <-time.After(200 * time.Microsecond):
		}
	}
}

func (p *process) stop(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s) // it may have ended
	<-p.done
}

// serve starts the server on a data folder, with more arguments.
func (b *bench) serve(dir string, more ...string) (*process, error) {
	p, err := start(b.tierra, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--api-rate", "1000000"}, more...)...)
	if err != nil {
		return nil, err
	}
	m, err := p.wrote(`serves at http://([0-9.:]+)`)
	if err == nil {
		_, err = p.wrote(`Ready\.\n`)
	}
	if err != nil {
		return nil, err
	}
	p.addr = m[1]
	return p, nil
}

// untilAnswer starts the server on a known address and returns the time from
// exec to the first answer of HTTP.
func (b *bench) untilAnswer(dir string) (*process, time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, 0, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, 0, err
	}
	began := time.Now()
	p, err := start(b.tierra, "serve", "--listen", addr, "--data", dir)
	if err != nil {
		return nil, 0, err
	}
	p.addr = addr
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		rs, err := c.Get("http://" + addr + "/_tierra/health")
		if err == nil {
			_, _ = io.Copy(io.Discard, rs.Body) // the status is what counts
			_ = rs.Body.Close()
			if rs.StatusCode == http.StatusOK {
				return p, time.Since(began), nil
			}
		}
		select {
		case <-p.done:
			return nil, 0, fmt.Errorf("the server ended:\n%s", p.out.String())
		case <-time.After(500 * time.Microsecond):
		}
	}
}

// credentials are the root access key of a data folder.
type credentials struct {
	Region    string `json:"region"`
	AccessKey string `json:"accessKeyId"`
	Secret    string `json:"secretAccessKey"`
}

func readCredentials(dir string) (c credentials, err error) {
	doc, err := os.ReadFile(filepath.Join(dir, "credentials.json"))
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(doc, &c); err != nil || c.AccessKey == "" {
		return c, errors.Join(errors.New("credentials.json"), err)
	}
	return c, nil
}
