package harness

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for something that must happen before it
// gives up. It is no measurement: tests pass as soon as it happened.
const Patience = 2 * time.Minute

// Process is a run of the program.
type Process struct {
	// Dir is the data folder; URL is where the server answers.
	Dir, URL string
	Args     []string

	t        testing.TB
	cmd      *exec.Cmd
	out      *text // standard output and standard error
	ended    chan struct{}
	exitCode int
}

var address = regexp.MustCompile(`(?:serves|Serving|Using the server) at (http://[0-9.:\[\]a-f]+)`)

// Serve starts `tierra serve` on a free port and waits until it is ready. An
// empty dir means a new data folder. The test's end stops it.
func Serve(t testing.TB, dir string, args ...string) *Process {
	t.Helper()
	return Start(t, dir, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
}

// Start starts the program with any arguments (the data folder is added) and waits
// for the line that ends with "Ready.".
func Start(t testing.TB, dir string, args ...string) *Process {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	p := &Process{t: t, Dir: dir, Args: append(args, "--data", dir)}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("tierra %s wrote:\n%s", strings.Join(p.Args, " "), p.out)
		}
	})
	p.Restart()
	return p
}

// Restart starts the program again, with the same arguments and data folder.
func (p *Process) Restart() {
	p.t.Helper()
	if p.ended != nil {
		select {
		case <-p.ended:
		default:
			p.t.Fatal("Restart of a server that runs")
		}
	}
	p.out, p.ended = &text{}, make(chan struct{})
	p.cmd = exec.Command(Binary(p.t), p.Args...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.Env = append(clean(), "HOME="+p.Dir, "XDG_DATA_HOME="+p.Dir, "GOPATH="+goEnv("GOPATH"), "GOCACHE="+goEnv("GOCACHE"))
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // the exit code says it
		p.exitCode = cmd.ProcessState.ExitCode()
		close(ended)
	}(p.cmd, p.ended)
	p.WaitFor("\n(?:.* )?Ready\\.\n")
	m := address.FindStringSubmatch(p.out.String())
	if m == nil {
		p.t.Fatalf("the server does not say where it serves:\n%s", p.out)
	}
	p.URL = m[1]
}

func goEnv(name string) string {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return os.Getenv(name)
	}
	return strings.TrimSpace(string(out))
}

// WaitFor waits until what the program wrote matches the pattern.
func (p *Process) WaitFor(pattern string) []string {
	p.t.Helper()
	m, err := p.out.wait(pattern, p.ended)
	if err != nil {
		p.t.Fatalf("tierra %s %v:\n%s", strings.Join(p.Args, " "), err, p.out)
	}
	return m
}

// Output returns what the program wrote so far.
func (p *Process) Output() string { return p.out.String() }

// PID returns the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop sends SIGTERM, waits until the process ends, and fails the test unless it
// ends by itself with code 0. Stopping again does nothing.
func (p *Process) Stop() {
	p.t.Helper()
	if p.ended == nil {
		return
	}
	select {
	case <-p.ended:
		return
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("SIGTERM: %v", err)
	}
	select {
	case <-p.ended:
		if p.exitCode != 0 {
			p.t.Errorf("after SIGTERM the server ended with code %d:\n%s", p.exitCode, p.out)
		}
	case <-time.After(Patience):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // a dump of its goroutines says why
		<-p.ended
		p.t.Errorf("the server does not stop after SIGTERM:\n%s", p.out)
	}
}

// Kill9 kills the process as a crash would, and waits until it is gone.
func (p *Process) Kill9() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
}

// Credentials are the root access key of a data folder.
type Credentials struct {
	Account   string `json:"account"`
	Region    string `json:"region"`
	AccessKey string `json:"accessKeyId"`
	Secret    string `json:"secretAccessKey"`
}

// Credentials reads the root access key.
func (p *Process) Credentials() Credentials {
	p.t.Helper()
	doc, err := os.ReadFile(filepath.Join(p.Dir, "credentials.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	var c Credentials
	if err := json.Unmarshal(doc, &c); err != nil {
		p.t.Fatal(err)
	}
	return c
}

// Env returns the environment for a client: this process's, without any other
// configuration of AWS tools, and pointed at the server. The program's folder
// stands first in PATH.
func (p *Process) Env() []string {
	p.t.Helper()
	c := p.Credentials()
	return append(p.Bare(),
		"AWS_ACCESS_KEY_ID="+c.AccessKey, "AWS_SECRET_ACCESS_KEY="+c.Secret,
		"AWS_REGION="+c.Region, "AWS_DEFAULT_REGION="+c.Region, "AWS_ENDPOINT_URL="+p.URL)
}

// Bare is Env without the endpoint and the key.
func (p *Process) Bare() []string {
	return append(clean(),
		"PATH="+filepath.Dir(Binary(p.t))+string(os.PathListSeparator)+os.Getenv("PATH"),
		"AWS_CONFIG_FILE="+filepath.Join(p.Dir, "no-config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(p.Dir, "no-credentials"),
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "PYTHONDONTWRITEBYTECODE=1")
}

// Run runs the program to its end and returns its standard output, its standard
// error and its exit code.
func Run(t testing.TB, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(Binary(t), args...)
	var o, e text
	cmd.Stdout, cmd.Stderr, cmd.Env = &o, &e, append(clean(), env...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}
