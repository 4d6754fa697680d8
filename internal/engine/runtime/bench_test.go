//go:build linux

package runtime_test

import (
	"context"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/runtime"
	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
)

// hello is the smallest function of each kind.
func hello(b *testing.B, name string) runtime.Config {
	for _, fn := range functions {
		if fn.name != name {
			continue
		}
		dir := fn.code(b)
		switch name {
		case "python":
			dir = code(b, map[string]string{"app/main.py": "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n"})
		case "node":
			dir = code(b, map[string]string{"main.js": "exports.handler = async () => ({ statusCode: 200, body: 'hello' })"})
		}
		cfg, _ := config(b, fn.runtime, fn.handler, dir)
		cfg.Log = nil
		return cfg
	}
	panic(name)
}

const apiEvent = `{"version":"2.0","routeKey":"GET /hello","rawPath":"/hello","rawQueryString":"","headers":{"accept":"*/*","host":"example.execute-api.localhost","user-agent":"bench"},"requestContext":{"accountId":"000000000000","apiId":"example","http":{"method":"GET","path":"/hello","protocol":"HTTP/1.1","sourceIp":"127.0.0.1"},"requestId":"abcdef","stage":"$default","timeEpoch":1700000000000},"isBase64Encoded":false}`

// BenchmarkCold is from nothing to the first response, the sandbox included.
func BenchmarkCold(b *testing.B) {
	for _, fn := range functions {
		for _, network := range []sandbox.Network{sandbox.NetworkHost, sandbox.NetworkPrivate} {
			b.Run(fn.name+"/"+string(network), func(b *testing.B) {
				cfg := hello(b, fn.name)
				cfg.Network = network
				for b.Loop() {
					e, err := runtime.Start(b.Context(), cfg)
					if err != nil {
						b.Fatal(err)
					}
					invoke(b, e, event("b", apiEvent))
					b.StopTimer()
					e.Close()
					b.StartTimer()
				}
			})
		}
	}
}

// boto3 is a function that imports the AWS SDK.
const boto3 = "import boto3\ndef handler(event, context):\n    return boto3.__version__\n"

// BenchmarkAhead is BenchmarkCold with a template ready, and beside each start a
// bare one of the same interpreter: medians of both, and their ratio.
func BenchmarkAhead(b *testing.B) {
	for _, c := range []struct {
		name string
		bare []string
	}{{"python", []string{"-c", "pass"}}, {"node", []string{"-e", ""}}, {"boto3", []string{"-c", "import boto3"}}} {
		for _, network := range []sandbox.Network{sandbox.NetworkHost, sandbox.NetworkPrivate} {
			b.Run(c.name+"/"+string(network), func(b *testing.B) {
				var cfg runtime.Config
				if c.name == "boto3" {
					cfg = hello(b, "python")
					cfg.Handler, cfg.Code = "main.handler", code(b, map[string]string{"main.py": boto3})
				} else {
					cfg = hello(b, c.name)
				}
				cfg.Network = network
				cfg.Templates = templates(b, 1<<30)
				cfg.Templates.Prime(cfg)
				held := cfg.Templates.Held()
				var ahead, bare []time.Duration
				for b.Loop() {
					begin := time.Now()
					e, err := runtime.Start(b.Context(), cfg)
					if err != nil {
						b.Fatal(err)
					}
					invoke(b, e, event("b", apiEvent))
					ahead = append(ahead, time.Since(begin))
					b.StopTimer()
					e.Close()
					cfg.Templates.Settle()
					begin = time.Now()
					if err := exec.Command(cfg.Runtime.Path, c.bare...).Run(); err != nil {
						b.Fatal(err)
					}
					bare = append(bare, time.Since(begin))
					b.StartTimer()
				}
				if got := cfg.Templates.Taken(); got < len(ahead) {
					b.Errorf("%d of %d starts were made of templates", got, len(ahead))
				}
				slices.Sort(ahead)
				slices.Sort(bare)
				mine, theirs := ahead[len(ahead)/2], bare[len(bare)/2]
				b.ReportMetric(float64(mine.Microseconds())/1000, "ms")
				b.ReportMetric(float64(theirs.Microseconds())/1000, "bare-ms")
				b.ReportMetric(float64(mine)/float64(theirs), "x-bare")
				b.ReportMetric(float64(held)/(1<<20), "MiB/template")
			})
		}
	}
}

// BenchmarkBare is the bare start of the same interpreters, to compare with.
func BenchmarkBare(b *testing.B) {
	for _, c := range []struct {
		name string
		args []string
	}{{"python", []string{"-c", "pass"}}, {"node", []string{"-e", ""}}, {"boto3", []string{"-c", "import boto3"}}} {
		b.Run(c.name, func(b *testing.B) {
			name := c.name
			if name == "boto3" {
				name = "python"
			}
			cfg := hello(b, name)
			for b.Loop() {
				cmd := exec.Command(cfg.Runtime.Path, c.args...)
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWarm is one invocation of an environment that is ready.
func BenchmarkWarm(b *testing.B) {
	for _, fn := range functions {
		b.Run(fn.name, func(b *testing.B) {
			e := start(b, hello(b, fn.name))
			inv := event("8f2e9c1a-1111-2222-3333-444455556666", apiEvent)
			inv.Deadline = time.Now().Add(time.Hour)
			b.ReportAllocs()
			for b.Loop() {
				res, err := e.Invoke(context.Background(), inv)
				if err != nil || res.FunctionError != "" {
					b.Fatal(res, err)
				}
			}
		})
	}
}
