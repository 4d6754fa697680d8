// Command bench measures the numbers of docs/SPECIFICATION.md on this machine and
// prints them as Markdown. Both sides of a comparison are measured in the same
// run, in rounds that take turns, and medians are reported.
//
//	go run ./bench [-only ready,proxy,lambda,gateway,dynamodb,fleet,deploy,swap] [-rounds 5] [-round 2s]
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// bench is one run.
type bench struct {
	root   string // the repository
	tmp    string
	tierra string // the binary
	rounds int
	round  time.Duration
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	only := flag.String("only", "ready,proxy,lambda,gateway,dynamodb,fleet,deploy,swap", "what to measure")
	rounds := flag.Int("rounds", 5, "rounds of each load")
	round := flag.Duration("round", 2*time.Second, "length of a round")
	role := flag.String("role", "", "internal: be one side of the comparison (handler, proxy)")
	upstream := flag.String("upstream", "", "internal: where the handler is")
	flag.Parse()
	if *role != "" {
		log.Fatal(serveRole(*role, *upstream))
	}
	b := &bench{rounds: *rounds, round: *round}
	if err := b.run(strings.Split(*only, ",")); err != nil {
		log.Fatal(err)
	}
}

func (b *bench) run(parts []string) (err error) {
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(b.root, "cmd", "tierra")); err != nil {
		return fmt.Errorf("run it in the repository's folder: %w", err)
	}
	if b.tmp, err = os.MkdirTemp("", "tierra-bench-*"); err != nil {
		return err
	}
	defer os.RemoveAll(b.tmp)
	b.tierra = filepath.Join(b.tmp, "tierra")
	note("building")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", b.tierra, "./cmd/tierra")
	cmd.Dir, cmd.Env, cmd.Stderr = b.root, append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	fmt.Printf("%s; %s; %d rounds of %v each, medians.\n", machine(), time.Now().UTC().Format("2006-01-02 15:04 UTC"), b.rounds, b.round)
	all := map[string]func() error{"ready": b.ready, "proxy": b.proxy, "lambda": b.lambda, "gateway": b.gateway, "dynamodb": b.dynamodb, "fleet": b.fleet, "deploy": b.deploy, "swap": b.swap}
	for _, p := range parts {
		f := all[p]
		if f == nil {
			return fmt.Errorf("there is no part %q", p)
		}
		if err := f(); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// note tells what is going on, beside the results.
func note(text string) { fmt.Fprintln(os.Stderr, "bench: "+text+" …") }

// machine describes what this runs on.
func machine() string {
	cpu, memory := "", ""
	if doc, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		cpu = field(string(doc), "model name")
	}
	if doc, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kb int
		if _, err := fmt.Sscanf(field(string(doc), "MemTotal"), "%d kB", &kb); err == nil {
			memory = fmt.Sprintf(", %.0f GiB", float64(kb)/(1<<20))
		}
	}
	kernel := ""
	if out, err := exec.Command("uname", "-r").Output(); err == nil {
		kernel = " " + strings.TrimSpace(string(out))
	}
	if cpu == "" {
		cpu = runtime.GOARCH
	}
	if doc, err := os.ReadFile("/proc/loadavg"); err == nil {
		kernel += ", load before the run " + strings.Fields(string(doc))[0]
	}
	return fmt.Sprintf("%s, %d cores%s, %s%s, %s", cpu, runtime.NumCPU(), memory, runtime.GOOS, kernel, runtime.Version())
}

func field(doc, name string) string {
	for _, line := range strings.Split(doc, "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func table(title string, head ...string) {
	fmt.Printf("\n## %s\n\n| %s |\n|%s\n", title, strings.Join(head, " | "), strings.Repeat(" --- |", len(head)))
}

func row(cells ...any) {
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = fmt.Sprint(c)
	}
	fmt.Printf("| %s |\n", strings.Join(text, " | "))
}
