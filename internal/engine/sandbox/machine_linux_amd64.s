#include "textflag.h"

// The machine: see machine_linux.go. It runs as a program of its own, so it
// uses the kernel's calling convention, no stack and no Go runtime.
//
//	R12 the script's address    BX the present step

#define BASE 0x10000000
#define SIZE 0x100000

TEXT ·machine(SB), NOSPLIT|NOFRAME, $0
	MOVQ $BASE, R12
	MOVQ R12, R13
load:
	MOVL $0, AX               // read
	MOVL $0, DI
	MOVQ R13, SI
	MOVQ $(BASE+SIZE), DX
	SUBQ R13, DX
	SYSCALL
	CMPQ AX, $-4              // EINTR
	JEQ  load
	ADDQ AX, R13
	TESTQ AX, AX
	JGT  load
	JNE  quit
	LEAQ 64(R12), BX
step:
	MOVQ 0(BX), AX
	MOVQ 8(BX), DI
	CMPQ AX, $-1
	JEQ  reap
	MOVQ 16(BX), SI
	MOVQ 24(BX), DX
	MOVQ 32(BX), R10
	MOVQ 40(BX), R8
	MOVQ 48(BX), R9
	SYSCALL
	MOVQ 56(BX), R14
	MOVQ AX, (R14)
	CMPQ AX, $-4095
	JCC  failed
	TESTQ AX, AX
	JNE  next
	MOVQ 64(BX), R14
	TESTQ R14, R14
	JEQ  next
	MOVQ R14, BX
	JMP  step
next:
	ADDQ $80, BX
	JMP  step
failed:
	CMPQ 72(BX), $0
	JNE  next
	MOVQ BX, 8(R12)
	MOVQ AX, 16(R12)
	MOVL $1, AX               // write
	MOVQ 0(R12), DI
	LEAQ 8(R12), SI
	MOVL $16, DX
	SYSCALL
quit:
	MOVL $231, AX             // exit_group
	MOVL $1, DI
	SYSCALL
	JMP  quit
reap:
	MOVL $61, AX              // wait4
	MOVQ $-1, DI
	LEAQ 32(R12), SI
	XORL DX, DX
	XORL R10, R10
	SYSCALL
	CMPQ AX, 8(BX)
	JEQ  next
	CMPQ AX, $-10             // ECHILD
	JEQ  next
	JMP  reap
	QUAD $0x21646e652d656874
	QUAD $0x21646e652d656874

// func machineAddress() uintptr
TEXT ·machineAddress(SB), NOSPLIT, $0-8
	LEAQ ·machine(SB), AX
	MOVQ AX, ret+0(FP)
	RET
