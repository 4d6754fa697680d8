// Package sandbox starts processes that see and use only what they were given:
// their code read-only, a private /tmp, the system's folders, a share of memory,
// tasks and processors. It needs no container daemon and no set-up of the host,
// and it knows nothing of what the processes are for.
//
// A Launcher is of the best Tier that the host allows; Open finds out by really
// trying, and what a tier cannot hold it says.
//
// # How a sandbox starts
//
// Between clone and exec some hundred system calls have to be made in the new
// process: mounts, the new root, the user, the filter. The usual ways are to
// run the own program again (2.1 ms for the start of a Go program of our size,
// even if it is intercepted before its packages are initialised, and 900 KiB
// of private memory if it stays as process 1), or a helper written in C (to be
// built and installed). Here process 1 is a program of some 250 bytes without a
// runtime, which is part of this package's assembly code and executes a script:
// a table of system calls that Go code forms for each launch (machine_linux.go,
// script_linux.go, setup_linux.go). It starts in 0.07 ms, keeps some 20 KiB,
// reaps orphans and reports how the program ended. As nothing of a Go program
// runs in the child there is no hook to call in main and none in tests.
//
// As the host's root, the namespaces and mounts belong to the host's root, and
// only after they stand the process becomes an ordinary user of its own (a high
// number that nobody else has) in a new user namespace: even with all
// capabilities in there nothing could be unmounted. As an ordinary user the user
// namespace comes first and owns the rest.
//
// The program and its descendants cannot outlive the server: process 1 is
// killed with the thread that forked it (a thread kept for that alone), and the
// kernel kills all processes of a pid namespace with its process 1.
//
// Control groups are written to directly. A library would move the process
// after its start, look up systemd over D-Bus, and bring a logger with it; what
// is needed is three folders, four files and one number.
//
// A sandbox can be started before it is known for what (Launcher.Prepare): its
// program runs, locked down as ever, and process 1 waits with its rights for
// the last mounts before it goes the same way (ahead_linux.go). Nothing has to
// enter a sandbox from outside, so there is no way in for anybody.
//
// System calls are filtered by a list of refusals, as runtimes of all languages
// have to work unchanged, with the kernel of the day this was written as upper
// bound: newer calls are answered as an older kernel would.
//
// A private network has a loopback interface only. What Spec.Loopback and
// Spec.Egress let out are sockets in that network which the server holds
// (egress_linux.go); they too are made by steps of the script.
//
// # Deliberate limits
//
// The private /tmp is held in memory, and the kernel charges its pages to whoever
// writes them: what is stored there counts against the memory limit, which on AWS
// it does not. Egress is TCP over IPv4 and questions for names. There is no /dev/shm and no /sys, as on AWS. The host's
// /etc is not visible but for name resolution, time zone and certificates. The
// kernel must be 5.12 or newer (mount_setattr); on amd64 and arm64 only.
package sandbox
