package harness

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Client is a program that works with the server and goes on until it is
// stopped, such as one that watches files.
type Client struct {
	t     testing.TB
	cmd   *exec.Cmd
	out   *text
	ended chan struct{}
}

// Follow starts a client in a process group of its own; the test's end kills it
// with all that it started. answers are for what it asks.
func Follow(t testing.TB, env []string, dir, answers, name string, args ...string) *Client {
	t.Helper()
	c := &Client{t: t, cmd: exec.Command(name, args...), out: &text{}, ended: make(chan struct{})}
	c.cmd.Env, c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = env, dir, c.out, c.out
	c.cmd.Stdin = strings.NewReader(answers)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(c.Kill)
	return c
}

// WaitFor waits until what the client wrote matches the pattern.
func (c *Client) WaitFor(pattern string) []string {
	c.t.Helper()
	m, err := c.out.wait(pattern, c.ended)
	if err != nil {
		c.t.Fatalf("%s %v:\n%s", strings.Join(c.cmd.Args, " "), err, c.out)
	}
	return m
}

// Kill ends the client.
func (c *Client) Kill() {
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	<-c.ended
}
