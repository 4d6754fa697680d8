package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const starts = 15

// ready measures how soon the server answers, what it takes while idle, and how
// soon examples/tickets is up.
func (b *bench) ready() error {
	note("starting and stopping")
	used := filepath.Join(b.tmp, "used")
	if err := b.use(used); err != nil {
		return err
	}
	table("Start and idle", "what", "median", "best", "worst", "goal")
	empties := 0
	for _, c := range []struct {
		name string
		dir  func() string
		end  syscall.Signal
	}{
		{"exec to first answer, empty data folder", func() string { empties++; return filepath.Join(b.tmp, fmt.Sprint("empty", empties)) }, syscall.SIGTERM},
		{"exec to first answer, used data folder (10,000 items, 1,000 objects, a stack)", func() string { return used }, syscall.SIGTERM},
		{"the same after kill -9", func() string { return used }, syscall.SIGKILL},
	} {
		var took []time.Duration
		for range starts {
			p, d, err := b.untilAnswer(c.dir())
			if err != nil {
				return err
			}
			took = append(took, d)
			p.stop(c.end)
		}
		row(c.name, ms(median(took)), ms(least(took)), ms(most(took)), "under 60 ms")
	}
	for _, c := range [][2]string{{"empty", filepath.Join(b.tmp, "idle")}, {"used", used}} {
		p, err := b.serve(c[1])
		if err != nil {
			return err
		}
		time.Sleep(3 * time.Second)
		rss, anon, err := resident(p.cmd.Process.Pid)
		p.stop(syscall.SIGTERM)
		if err != nil {
			note(err.Error())
			continue
		}
		row("idle resident memory, "+c[0]+" data folder", fmt.Sprintf("%.1f MiB (%.1f MiB of it not backed by the binary)", rss, anon), "", "", "under 40 MiB")
	}
	return b.upTickets()
}

// upTickets measures `tierra up` on the example with its functions built already:
// a copy whose CodeUri is a folder with the finished bootstrap, so that all is
// the same but the Go compiler.
func (b *bench) upTickets() error {
	note("bringing examples/tickets up")
	app := filepath.Join(b.tmp, "tickets")
	if err := os.CopyFS(app, os.DirFS(filepath.Join(b.root, "examples", "tickets"))); err != nil {
		return err
	}
	if err := b.goBuild(filepath.Join(app, "functions"), filepath.Join(app, "built", "bootstrap")); err != nil {
		return err
	}
	file := filepath.Join(app, "template.yaml")
	doc, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(doc), "CodeUri: functions/", "CodeUri: built/")
	text = strings.ReplaceAll(text, "    Metadata:\n      BuildMethod: go1.x\n", "")
	if strings.Contains(text, "go1.x") || strings.Contains(text, "functions/") {
		return fmt.Errorf("the template of examples/tickets has changed; see %s", file)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	var took []time.Duration
	for i := range starts {
		began := time.Now()
		p, err := start(b.tierra, "up", app, "--listen", "127.0.0.1:0", "--data", filepath.Join(b.tmp, fmt.Sprint("up", i)))
		if err != nil {
			return err
		}
		if _, err := p.wrote(`(?m)^Ready\.$`); err != nil {
			return err
		}
		took = append(took, time.Since(began))
		p.stop(syscall.SIGTERM)
	}
	row("`up examples/tickets`, exec to `Ready.`, new data folder, functions built before", ms(median(took)), ms(least(took)), ms(most(took)), "under 1 s")
	return nil
}

// resident returns a process's resident memory and how much of it is anonymous, in MiB.
func resident(pid int) (rss, anon float64, err error) {
	doc, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("resident memory is not known on this system: %w", err)
	}
	mib := func(name string) float64 {
		var kb float64
		_, _ = fmt.Sscanf(field(string(doc), name), "%f kB", &kb) // 0 if the kernel does not tell
		return kb / 1024
	}
	return mib("VmRSS"), mib("RssAnon"), nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func us(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }

func least(v []time.Duration) time.Duration {
	m := v[0]
	for _, d := range v {
		m = min(m, d)
	}
	return m
}

func most(v []time.Duration) time.Duration {
	m := v[0]
	for _, d := range v {
		m = max(m, d)
	}
	return m
}
