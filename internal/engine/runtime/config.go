package runtime

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tierra-cloud/tierra/internal/engine/sandbox"
	"github.com/tierra-cloud/tierra/internal/kernel/clock"
	"github.com/tierra-cloud/tierra/internal/kernel/ids"
)

// The places of a function's parts inside its environment.
const (
	taskRoot    = "/var/task"
	runtimeRoot = "/var/runtime"
	layerRoot   = "/opt"
	// privatePort is where the Runtime API listens in a private network.
	privatePort = 9001
	defaultPids = 1024
)

// Config is what an environment is made of.
type Config struct {
	Launcher sandbox.Launcher
	Clock    clock.Clock
	// Runtime is what executes the function, from Catalog.Resolve.
	Runtime Choice
	// Name is shown in the names of control groups; letters, digits and dashes.
	Name string
	// Handler is the function's handler, in its runtime's form.
	Handler string
	// Code is the host's folder that is mounted read-only at /var/task. All of it
	// must be readable by everybody.
	Code string
	// Layers is the host's folder mounted read-only at /opt, or empty.
	Layers string
	// Env is further environment variables, as KEY=VALUE.
	Env []string
	// Mounts are further folders to see.
	Mounts []sandbox.Mount
	// Memory is the limit in bytes.
	Memory int64
	// Pids limits threads and processes; 1024 when zero, as on AWS.
	Pids int
	// CPU is the share once the function is initialised; until then it is unlimited.
	CPU sandbox.CPU
	// TmpBytes is the size of /tmp.
	TmpBytes int64
	// Network is the network that the function is in.
	Network sandbox.Network
	// Door leads out of a private network; the zero Door does not.
	Door Door
	// Egress leads from a private network to the outside; nil: nothing does.
	Egress Egress
	// InitTimeout limits the time until the runtime is ready; zero: no limit.
	InitTimeout time.Duration
	// Log takes what the function and its extensions write.
	Log LogSink
	// JSONLogs tells that the function's log is of the format JSON.
	JSONLogs bool
	// Function tells who the function is.
	Function Function
	// Events takes what the platform says of the initialisation and of extensions,
	// and with AllEvents of each invocation; nil: nobody. Calls may be concurrent.
	Events    func(Event)
	AllEvents bool
	// IDs are for identifiers; nil: the machine's.
	IDs *ids.Source
	// Templates are interpreters that were started ahead; nil: none.
	Templates *Templates
}

// Door is a port of a private network's loopback interface behind which somebody
// outside answers. Besides Egress it is the only way out of that network.
type Door struct {
	Port uint16
	// Serve serves the listener in the background until it is closed, which it is
	// when the environment ends.
	Serve func(net.Listener)
}

// Egress is how functions in a private network reach the outside.
type Egress interface {
	// Sandbox is what a function's sandbox has to be started with, always the same.
	Sandbox() *sandbox.Egress
	// Serve serves a sandbox in the background until it has ended.
	Serve(*sandbox.Gateway)
}

// letOut opens a sandbox's way to the outside, where there is one.
func (cfg *Config) letOut(spec *sandbox.Spec) {
	if cfg.Network == sandbox.NetworkPrivate && cfg.Egress != nil {
		spec.Egress = cfg.Egress.Sandbox()
	}
}

// hasDoor tells whether the function's network has a way out.
func (cfg *Config) hasDoor() bool {
	return cfg.Network == sandbox.NetworkPrivate && cfg.Door.Serve != nil
}

// pids limits threads and processes.
func (cfg *Config) pids() int {
	if cfg.Pids == 0 {
		return defaultPids
	}
	return cfg.Pids
}

// mounts are all folders that the function sees.
func (cfg *Config) mounts() []sandbox.Mount {
	m := slices.Concat([]sandbox.Mount{{Source: cfg.Code, Target: taskRoot}}, cfg.Runtime.Mounts, cfg.Mounts)
	if cfg.Layers != "" {
		m = append(m, sandbox.Mount{Source: cfg.Layers, Target: layerRoot})
	}
	return m
}

// wholeProcessor is the memory that comes with one processor.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const wholeProcessor = 1769 << 20

// partOfProcessor tells whether the function is a program of its own that has less
// than a processor. Spread over several, a Go program takes half as much time again
// for each event, to wake one thread by another.
func (cfg *Config) partOfProcessor() bool {
	switch cfg.Runtime.Family {
	case "provided", "go", "image":
		return cfg.Memory > 0 && cfg.Memory < wholeProcessor
	}
	return false
}

// environ is the environment: defaults that the function may override, its
// own, and what is not its to say.
func (cfg *Config) environ(api string) []string {
	out := map[string]string{}
	var order []string
	set := func(kvs ...string) {
		for _, kv := range kvs {
			k, v, _ := strings.Cut(kv, "=")
			if _, ok := out[k]; !ok {
				order = append(order, k)
			}
			out[k] = v
		}
	}
	set("LANG=C.UTF-8", "TZ=:UTC", "PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin", "LD_LIBRARY_PATH=/var/task:/var/task/lib:/opt/lib")
	if cfg.partOfProcessor() {
		set("GOMAXPROCS=1")
	}
	set(cfg.Runtime.env...)
	set(cfg.Env...)
	set("LAMBDA_TASK_ROOT="+taskRoot, "LAMBDA_RUNTIME_DIR="+runtimeRoot, "_HANDLER="+cfg.Handler)
	if api != "" {
		set("AWS_LAMBDA_RUNTIME_API=" + api)
	}
	if cfg.Runtime.Protocol == Framed {
		set("_TIERRA_FD=" + strconv.Itoa(framedDescriptor))
		if cfg.Layers != "" {
			set("_TIERRA_LAYERS=" + layerRoot)
		}
	}
	list := make([]string, 0, len(order))
	for _, k := range order {
		list = append(list, k+"="+out[k])
	}
	return list
}
