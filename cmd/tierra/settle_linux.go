package main

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// settleAfter is for how long after the start the server is left alone, so that a
// deployment which follows at once does not pay for the settling.
const settleAfter = 2 * time.Second

// settle lets go of memory that only the start needed: the heap's free pages, and
// the pages of the program itself that are mapped. Those stay in the system's page
// cache, from which what is needed again is mapped again without being read.
func settle() {
	time.AfterFunc(settleAfter, func() {
		debug.FreeOSMemory()
		forgetProgram()
	})
}

// forgetProgram unmaps the pages of the program that nobody can have changed.
// What fails is left as it is.
func forgetProgram() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// 00400000-01497000 r-xp 00000000 fe:00 10290136   /usr/bin/tierra
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[5] != exe || strings.Contains(f[1], "w") {
			continue
		}
		a, b, _ := strings.Cut(f[0], "-")
		from, err1 := strconv.ParseUint(a, 16, 64)
		to, err2 := strconv.ParseUint(b, 16, 64)
		if err1 != nil || err2 != nil {
			continue
		}
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(from), uintptr(to-from), unix.MADV_DONTNEED)
	}
}
