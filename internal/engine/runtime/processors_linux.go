package runtime

import (
	"bytes"
	"os"
	"strconv"
)

// processorTimes reads /proc/stat, in clock ticks. Who waits for a disk leaves the
// processor to others.
func processorTimes() (idle, all uint64, ok bool) {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	defer f.Close()
	var line [512]byte
	n, err := f.Read(line[:])
	if err != nil {
		return 0, 0, false
	}
	return parseProcessorTimes(line[:n])
}

// parseProcessorTimes reads the first line: "cpu", then user, nice, system, idle,
// iowait, irq, softirq, steal, and times of guests, which are in user and nice.
func parseProcessorTimes(stat []byte) (idle, all uint64, ok bool) {
	line, _, found := bytes.Cut(stat, []byte("\n"))
	f := bytes.Fields(line)
	if !found || len(f) < 6 || string(f[0]) != "cpu" {
		return 0, 0, false
	}
	for i, text := range f[1:min(len(f), 9)] {
		n, err := strconv.ParseUint(string(text), 10, 64)
		if err != nil {
			return 0, 0, false
		}
		if all += n; i == 3 || i == 4 {
			idle += n
		}
	}
	return idle, all, true
}
