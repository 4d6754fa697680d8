package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// target is what a load asks: each connection repeats its requests, which are
// whole as they go over the wire.
type target struct {
	name, addr string
	requests   func(connection int) [][]byte
}

// get makes a target of one GET.
func get(name, addr, host, path string) target {
	rq := [][]byte{[]byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")}
	return target{name, addr, func(int) [][]byte { return rq }}
}

// result is what a load found.
type result struct {
	perSecond float64
	p50, p99  time.Duration
}

// load asks on n connections for d, and counts the answers. Every one must have
// the status 200.
func load(t target, n int, d time.Duration) (result, error) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		all   []time.Duration
		fails []error
	)
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := net.Dial("tcp", t.addr)
		if err != nil {
			return result{}, err
		}
		defer c.Close()
		conns[i] = c
	}
	began := time.Now()
	for i, c := range conns {
		group.Go(func() {
			took, err := ask(c, t.requests(i), began.Add(d))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				fails = append(fails, fmt.Errorf("%s: %w", t.name, err))
			}
		})
	}
	group.Wait()
	elapsed := time.Since(began)
	if fails != nil || len(all) == 0 {
		return result{}, errors.Join(fails...)
	}
	slices.Sort(all)
	return result{float64(len(all)) / elapsed.Seconds(), all[len(all)/2], all[len(all)*99/100]}, nil
}

func ask(c net.Conn, requests [][]byte, until time.Time) ([]time.Duration, error) {
	took := make([]time.Duration, 0, 1<<16)
	r := bufio.NewReaderSize(c, 16<<10)
	for n := 0; ; n++ {
		began := time.Now()
		if began.After(until) {
			return took, nil
		}
		if _, err := c.Write(requests[n%len(requests)]); err != nil {
			return took, err
		}
		if err := answer(r); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
	}
}

var (
	contentLength = []byte("content-length")
	chunkedBody   = []byte("transfer-encoding")
)

// answer reads one answer of HTTP/1.1 and throws it away.
func answer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	ok := len(line) > 12 && bytes.Equal(line[9:12], []byte("200"))
	status := ""
	if !ok {
		status = string(line)
	}
	length, chunked := 0, false
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, contentLength):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		case bytes.EqualFold(name, chunkedBody):
			chunked = true
		}
	}
	if !ok {
		body, _ := io.ReadAll(io.LimitReader(r, int64(length)))
		return fmt.Errorf("the answer is %q: %s", status, body)
	}
	if !chunked {
		_, err = r.Discard(length)
		return err
	}
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return err
		}
		if _, err := r.Discard(int(n) + 2); err != nil || n == 0 {
			return err
		}
	}
}

// median returns the middle one of v.
func median[T int64 | float64 | time.Duration](v []T) T {
	if len(v) == 0 {
		return 0
	}
	s := slices.Clone(v)
	slices.Sort(s)
	return s[len(s)/2]
}

// medians takes each figure's median by itself.
func medians(all []result) result {
	var perSecond []float64
	var p50, p99 []time.Duration
	for _, r := range all {
		perSecond, p50, p99 = append(perSecond, r.perSecond), append(p50, r.p50), append(p99, r.p99)
	}
	return result{median(perSecond), median(p50), median(p99)}
}

// takeTurns loads all targets in turn, round after round, and returns the medians.
func (b *bench) takeTurns(targets []target, connections int) ([]result, error) {
	found := make([][]result, len(targets))
	for _, t := range targets { // to warm up
		if _, err := load(t, connections, b.round/2); err != nil {
			return nil, err
		}
	}
	for range b.rounds {
		for i, t := range targets {
			r, err := load(t, connections, b.round)
			if err != nil {
				return nil, err
			}
			found[i] = append(found[i], r)
		}
	}
	out := make([]result, len(targets))
	for i := range found {
		out[i] = medians(found[i])
	}
	return out, nil
}

func connect(addr string) (net.Conn, *bufio.Reader, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	return c, bufio.NewReaderSize(c, 16<<10), nil
}
