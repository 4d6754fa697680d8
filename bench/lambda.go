package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tierra-cloud/tierra/internal/dev/client"
)

// emulator is what AWS's Runtime Interface Emulator was measured at with one
// connection on a machine of this kind, in invocations per second. Its module
// cannot be built from the proxy, so that it cannot take part in the run.
const emulator = 1900

// coldStarts is how many functions of each kind are started for the first time.
const coldStarts = 15

// kind is a function whose cold and warm invocations are measured, beside a bare
// start of the program that runs it.
type kind struct {
	name, runtime, handler string
	code                   []byte // the package
	bare                   []string
	goal                   string
}

func (b *bench) kinds() ([]kind, error) {
	code, err := b.fleetPackage()
	if err != nil {
		return nil, err
	}
	out := []kind{{"Go", "provided.al2023", "bootstrap", code, []string{filepath.Join(b.tmp, "fleet-src", "bootstrap")}, "at most 3×"}}
	for _, l := range languages() {
		switch l.name {
		case "Node.js":
			text, err := packed("app.js", "exports.handler = async () => 'hello'")
			if err != nil {
				return nil, err
			}
			out = append(out, kind{l.name, l.runtime, l.handler, text, []string{"node", "-e", ""}, "at most 0.5×, then 0.3×"})
		case "Python":
			text, err := packed("app.py", "def handler(event, context):\n    return 'hello'\n")
			if err != nil {
				return nil, err
			}
			// What a version manager puts before the interpreter is no part of it.
			path, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
			if err != nil {
				return nil, err
			}
			python := strings.TrimSpace(string(path))
			out = append(out, kind{l.name, l.runtime, l.handler, text, []string{python, "-c", "pass"}, "at most 0.5×, then 0.3×"})
			if exec.Command(python, "-c", "import boto3").Run() != nil {
				note("this Python has no boto3")
				continue
			}
			if text, err = packed("app.py", "import boto3\ndef handler(event, context):\n    return 'hello'\n"); err != nil {
				return nil, err
			}
			out = append(out, kind{"Python with boto3", l.runtime, l.handler, text, []string{python, "-c", "import boto3"}, "at most 0.07×"})
		}
	}
	return out, nil
}

// packed is a package of one file.
func packed(name, text string) ([]byte, error) {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	err = errors.Join(err, z.Close())
	return buf.Bytes(), err
}

// lambda measures invocations through the Invoke operation: the first one of a
// function, from the request to the response, beside a bare start of the same
// interpreter; and warm ones, beside a plain handler of the same answer.
func (b *bench) lambda() error {
	note("deploying functions to invoke")
	dir := filepath.Join(b.tmp, "lambda")
	p, err := b.serve(dir)
	if err != nil {
		return err
	}
	defer p.stop(syscall.SIGTERM)
	c, err := b.client(p, dir)
	if err != nil {
		return err
	}
	cred, err := readCredentials(dir)
	if err != nil {
		return err
	}
	kinds, err := b.kinds()
	if err != nil {
		return err
	}
	s := signer{cred, p.addr}
	if err := deployKinds(c, kinds); err != nil {
		return err
	}
	if err := s.coldStarts(kinds); err != nil {
		return err
	}
	return b.warmInvokes(s, kinds)
}

func deployKinds(c *client.Client, kinds []kind) error {
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	var role struct {
		ARN string `xml:"Role>Arn"`
	}
	err := c.Query(context.Background(), "iam", "2010-05-08", "CreateRole", url.Values{"RoleName": {"bench"}, "AssumeRolePolicyDocument": {trust}}, &role)
	if err != nil {
		return err
	}
	return each(len(kinds)*(coldStarts+1), 2, func(i int) error {
		k, n := kinds[i%len(kinds)], i/len(kinds)
		in := map[string]any{
			"FunctionName": functionName(i%len(kinds), n), "Runtime": k.runtime, "Handler": k.handler, "Role": role.ARN, "MemorySize": 256, "Code": map[string]any{"ZipFile": k.code},
		}
		return c.REST(context.Background(), "lambda", "POST", "/2015-03-31/functions", in, nil)
	})
}

func functionName(kind, n int) string { return fmt.Sprintf("k%d-%d", kind, n) }

func (s signer) invoke(function string) []byte {
	return s.request("POST", "/2015-03-31/functions/"+function+"/invocations", "lambda", nil, "{}")
}

// coldStarts takes turns with bare starts. The first function of each kind is not
// counted: it makes the server ready for the kind.
func (s signer) coldStarts(kinds []kind) error {
	note("starting functions")
	conn, r, err := connect(s.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	table("A first invocation, from the request to the response, sandbox included", "what", "median", "best", "bare start, median", "of the bare start's", "goal")
	for i, k := range kinds {
		var cold, bare []time.Duration
		for n := range coldStarts + 1 {
			time.Sleep(400 * time.Millisecond) // templates are made again in the background
			d, err := s.first(conn, r, functionName(i, n))
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			began := time.Now()
			// A function's program ends at once outside of an environment, as a failure.
			if err := exec.Command(k.bare[0], k.bare[1:]...).Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
				return err
			}
			if n > 0 {
				cold, bare = append(cold, d), append(bare, time.Since(began))
			}
		}
		row(k.name, ms(median(cold)), ms(least(cold)), ms(median(bare)), fmt.Sprintf("%.2f×", float64(median(cold))/float64(median(bare))), k.goal)
	}
	return nil
}

func (s signer) first(conn net.Conn, r *bufio.Reader, function string) (time.Duration, error) {
	rq := s.invoke(function)
	began := time.Now()
	if _, err := conn.Write(rq); err != nil {
		return 0, err
	}
	err := answer(r)
	return time.Since(began), err
}

func (b *bench) warmInvokes(s signer, kinds []kind) error {
	handler, err := startRole("handler", "")
	if err != nil {
		return err
	}
	defer handler.stop(syscall.SIGKILL)
	targets := []target{get("a plain Go handler", handler.addr, handler.addr, "/")}
	for i, k := range kinds {
		if !strings.Contains(k.name, " ") {
			rq := [][]byte{s.invoke(functionName(i, 0))}
			targets = append(targets, target{k.name, s.addr, func(int) [][]byte { return rq }})
		}
	}
	note("invoking")
	found, err := b.takeTurns(targets, 1)
	if err != nil {
		return err
	}
	table("A warm Invoke, signed, on one connection", "what", "per second", "p50", "p99", "of the baseline's", fmt.Sprintf("of the Runtime Interface Emulator's recorded %d", emulator), "goal")
	for i, r := range found {
		ratio, goal := fmt.Sprintf("%.1f×", r.perSecond/emulator), "at least 2×"
		if i == 0 {
			ratio, goal = "", ""
		}
		row(targets[i].name, fmt.Sprintf("%.0f", r.perSecond), us(r.p50), us(r.p99), fmt.Sprintf("%.2f×", r.perSecond/found[0].perSecond), ratio, goal)
	}
	return nil
}

// held is what a server and its environments hold, in bytes.
type held struct {
	server int64 // proportional share of the server's process
	beside int64 // of the processes below it that are not the function's program
	kernel int64 // of the environments' control groups
}

// holds measures a server. program is in the path of what the functions run.
func holds(server int, program string) (h held) {
	h.server = share(server)
	parents := map[int]int{}
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		doc, _ := os.ReadFile(path) // it may have ended
		_, rest, _ := strings.Cut(string(doc), ") ")
		if f := strings.Fields(rest); len(f) > 1 {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			parents[pid], _ = strconv.Atoi(f[1])
		}
	}
	for pid := range parents {
		at := parents[pid]
		for at > 1 && at != server {
			at = parents[at]
		}
		if at != server {
			continue
		}
		if to, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); !strings.Contains(to, program) {
			h.beside += share(pid)
		}
		h.kernel += kernelOf(pid)
	}
	return h
}

// share is a process's proportional share of memory.
func share(pid int) int64 {
	doc, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	var kb int64
	_, _ = fmt.Sscanf(field(string(doc), "Pss"), "%d kB", &kb)
	return kb << 10
}

// kernelOf is the kernel's memory for the control group that a process is the
// first of.
func kernelOf(pid int) int64 {
	doc, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for line := range strings.Lines(string(doc)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || f[1] != "memory" && f[1] != "" {
			continue
		}
		for _, root := range []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup"} {
			procs, err := os.ReadFile(filepath.Join(root, f[2], "cgroup.procs"))
			if err != nil || !strings.HasPrefix(string(procs), strconv.Itoa(pid)+"\n") {
				continue
			}
			if n, err := os.ReadFile(filepath.Join(root, f[2], "memory.kmem.usage_in_bytes")); err == nil {
				v, _ := strconv.ParseInt(strings.TrimSpace(string(n)), 10, 64)
				return v
			}
			stat, _ := os.ReadFile(filepath.Join(root, f[2], "memory.stat"))
			for s := range strings.Lines(string(stat)) {
				var v int64
				if n, _ := fmt.Sscanf(s, "kernel %d", &v); n == 1 {
					return v
				}
			}
		}
	}
	return 0
}
