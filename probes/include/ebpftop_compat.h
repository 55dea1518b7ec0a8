// 32-bit system calls on x86-64: those of i386 programs, and of `int $0x80` in any program. The tracepoints of the group
// `syscalls` leave them out, so they are taken from the raw tracepoints sys_enter and sys_exit, which see every call. Their
// numbers and arguments are those of i386. On other architectures nothing is seen.
#pragma once

#include "ebpftop.h"
#include "ebpftop_syscall.h"

struct compat_call {
    u32 number; // of asm/unistd_32.h
    u32 args[6];
};

// Returns 1 and fills `call` if the current system call is a 32-bit one. For both raw tracepoints: at the return, too,
// the registers hold the arguments.
static inline __attribute__((always_inline)) int compat_call(struct bpf_raw_tracepoint_args *ctx,
                                                             struct compat_call *call)
{
#ifdef HAS_pt_regs__orig_ax
    if (!in_compat_call())
        return 0;
    struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
    call->number = READ(regs, orig_ax);
    call->args[0] = READ(regs, bx);
    call->args[1] = READ(regs, cx);
    call->args[2] = READ(regs, dx);
    call->args[3] = READ(regs, si);
    call->args[4] = READ(regs, di);
    call->args[5] = READ(regs, bp);
    return 1;
#else
    return 0;
#endif
}

#define COMPAT_SOCKETCALL 102
#define SOCKETCALL_BIND 2 // linux/net.h
#define SOCKETCALL_LISTEN 4

// Whether it is this call on a socket, by its own number or as an operation of socketcall(2), which older C libraries use;
// then the arguments are the operation's.
static inline __attribute__((always_inline)) int compat_socket_call(struct compat_call *call, u32 number, u32 operation)
{
    if (call->number == number)
        return 1;
    if (call->number != COMPAT_SOCKETCALL || call->args[0] != operation)
        return 0;
    return !bpf_probe_read_user(call->args, sizeof(u32) * 3, (void *)(u64)call->args[1]);
}
