package runtime

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
)

// Debugger is what waits for an editor in an environment.
type Debugger struct {
	// Kind is "node", the inspector of Node.js, or "debugpy".
	Kind string
	// Port of 127.0.0.1 that it listens at.
	Port uint16
}

// DebugPort is the port that a runtime family's debugger has by custom, 0 if there
// is no debugger for it.
func DebugPort(family string) uint16 {
	return map[string]uint16{"nodejs": 5858, "python": 5678}[family]
}

// Debugged is the choice with a debugger in it, which listens at a port of
// 127.0.0.1 from the start of the environment, in the network that it is in.
func (c Choice) Debugged(ctx context.Context, port uint16) (Choice, error) {
	if port == 0 {
		port = DebugPort(c.Family)
	}
	switch c.Family {
	case "nodejs":
		c.debugger = &Debugger{"node", port}
	case "python":
		if err := exec.CommandContext(ctx, c.Path, "-c", "import debugpy").Run(); err != nil {
			return c, fmt.Errorf("%s cannot import debugpy; install it with %s -m pip install debugpy", c.Path, c.Path)
		}
		c.debugger = &Debugger{"debugpy", port}
	default:
		return c, fmt.Errorf("there is no debugger for the runtime %s: functions in Node.js and Python can be debugged", c.Runtime)
	}
	return c, nil
}

// Debugger is what the choice was given by Debugged, or nil.
func (c *Choice) Debugger() *Debugger { return c.debugger }

// debugFlags are what makes an interpreter start its debugger.
func (c *Choice) debugFlags() []string {
	if c.debugger == nil {
		return nil
	}
	at := "127.0.0.1:" + strconv.Itoa(int(c.debugger.Port))
	if c.debugger.Kind == "node" {
		return []string{"--inspect=" + at}
	}
	// Frozen modules hide lines from it, and say so.
	return []string{"-Xfrozen_modules=off", "-m", "debugpy", "--listen", at}
}
