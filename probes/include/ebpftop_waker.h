// Who wakes a thread up. Like ebpftop.h, this touches no map.
#pragma once

#define KERNEL_STACK (16 << 10) // bytes of a thread's; of a larger one, only the part that an interrupt doesn't reach
#define KERNEL_THREAD 0x200000  // PF_KTHREAD

// The current thread, or 0 if an interrupt does what is seen, such as that of a timer: then the current thread is just the
// one that it came upon. ctx: of the tracepoint; it lies on the stack in use. Interrupts have a stack of their own, but for
// those that come upon user code of x86: there the thread is in no system call. Work that was put off to a softirq counts
// as an interrupt's.
static inline __attribute__((always_inline)) u32 acting_thread(void *ctx)
{
    struct task_struct *task = bpf_get_current_task_btf();
    void *place = ctx;
    u64 address = 0;
    bpf_probe_read_kernel(&address, sizeof(address), &place);
    if (address - (u64)READ(task, stack) >= KERNEL_STACK)
        return 0;
#ifdef HAS_pt_regs__orig_ax
    struct pt_regs *entered = (struct pt_regs *)bpf_task_pt_regs(task);
    if (!(task->flags & KERNEL_THREAD) && (long)entered->orig_ax < 0)
        return 0;
#endif
    return bpf_get_current_pid_tgid();
}
