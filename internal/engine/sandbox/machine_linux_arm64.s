#include "textflag.h"

// The machine: see machine_linux.go. It runs as a program of its own, so it
// uses the kernel's calling convention, no stack and no Go runtime.
//
//	R19 the script's address    R20 the present step

#define BASE 0x10000000
#define SIZE 0x100000

TEXT ·machine(SB), NOSPLIT|NOFRAME, $0
	MOVD $BASE, R19
	MOVD R19, R21
	MOVD $(BASE+SIZE), R22
load:
	MOVD $63, R8              // read
	MOVD $0, R0
	MOVD R21, R1
	SUB  R21, R22, R2
	SVC  $0
	CMN  $4, R0               // EINTR
	BEQ  load
	ADD  R0, R21, R21
	CMP  $0, R0
	BGT  load
	BNE  quit
	ADD  $64, R19, R20
step:
	MOVD 0(R20), R8
	MOVD 8(R20), R0
	CMN  $1, R8
	BEQ  reap
	MOVD 16(R20), R1
	MOVD 24(R20), R2
	MOVD 32(R20), R3
	MOVD 40(R20), R4
	MOVD 48(R20), R5
	SVC  $0
	MOVD 56(R20), R9
	MOVD R0, (R9)
	CMN  $4095, R0
	BCS  failed
	CBNZ R0, next
	MOVD 64(R20), R9
	CBZ  R9, next
	MOVD R9, R20
	B    step
next:
	ADD  $80, R20, R20
	B    step
failed:
	MOVD 72(R20), R9
	CBNZ R9, next
	MOVD R20, 8(R19)
	MOVD R0, 16(R19)
	MOVD $64, R8              // write
	MOVD 0(R19), R0
	ADD  $8, R19, R1
	MOVD $16, R2
	SVC  $0
quit:
	MOVD $94, R8              // exit_group
	MOVD $1, R0
	SVC  $0
	B    quit
reap:
	MOVD $260, R8             // wait4
	MOVD $-1, R0
	ADD  $32, R19, R1
	MOVD $0, R2
	MOVD $0, R3
	SVC  $0
	MOVD 8(R20), R9
	CMP  R9, R0
	BEQ  next
	CMN  $10, R0              // ECHILD
	BEQ  next
	B    reap
	DWORD $0x21646e652d656874
	DWORD $0x21646e652d656874

// func machineAddress() uintptr
TEXT ·machineAddress(SB), NOSPLIT, $0-8
	MOVD $·machine(SB), R0
	MOVD R0, ret+0(FP)
	RET
