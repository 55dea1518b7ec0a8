// The system call the current thread is in. Like ebpftop.h, this touches no map; it stands apart because it needs all of
// task_struct, which takes the compiler a while.
#pragma once

// Whether a thread is in a 32-bit system call: of an i386 program on x86-64, or by `int $0x80`; on arm64, of a 32-bit
// program. `task` is typed, as bpf_get_current_task_btf() returns it.
static inline __attribute__((always_inline)) int is_compat_call(struct task_struct *task)
{
#ifdef HAS_thread_info__status
    return task->thread_info.status & 2; // TS_COMPAT, asm/thread_info.h
#else
    return ((struct pt_regs *)bpf_task_pt_regs(task))->pstate & 16; // PSR_MODE32_BIT, asm/ptrace.h
#endif
}

static inline __attribute__((always_inline)) int in_compat_call(void)
{
    return is_compat_call(bpf_get_current_task_btf());
}

#define COMPAT_NUMBERS 512 // is added to the number of a 32-bit call, which is another call on a 64-bit kernel

// The number of the system call the current thread is in. The verifier knows the types of these two helpers' pointers, so
// plain loads are allowed, which cost a fraction of READ().
static inline __attribute__((always_inline)) u32 current_syscall(void)
{
    struct task_struct *task = bpf_get_current_task_btf();
    struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
#ifdef HAS_pt_regs__orig_ax
    u32 number = regs->orig_ax;
    if (is_compat_call(task))
        return COMPAT_NUMBERS + (number == -1U ? 173 : number);
    return number == -1U ? 15 : number; // rt_sigreturn restores the registers of the interrupted code
#else
    u32 number = regs->syscallno;
    if (is_compat_call(task))
        return COMPAT_NUMBERS + (number == -1U ? 173 : number); // there, too, it has this number
    return number == -1U ? 139 : number;                        // rt_sigreturn
#endif
}
