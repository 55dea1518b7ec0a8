// User stacks of programs without frame pointers. Spliced in front of a probe that includes it, whose view names the map
// `stacks`: the collector reads the copies as rows of that view's map, under numbers of its own for user stacks.
#ifndef EBPFTOP_COPIES_MAPS
#define EBPFTOP_COPIES_MAPS

#include "ebpftop_copies.h"
#include "ebpftop_python_maps.h"
#include "ebpftop_stacks_maps.h"

#ifdef COPIES

BPF_RINGBUF_OUTPUT(stacks_copied, 2048);

// Programs all of whose files keep frame pointers, as the collector has found out.
struct program {
    u64 top;
    u64 mapped;
};
BPF_TABLE("lru_hash", u32, struct program, stacks_by_pointers, 4096);

#define COPIED -EINPROGRESS // in place of a stack's number: the collector will find it
#define NO_COPY -ENOSPC     // in place of a stack's number: there was no room to copy it

// Copy the registers and the stack with which the current thread runs in user space, or entered the kernel. Returns
// COPIED, or without a copy the number of the stack by frame pointers, as stack_number() does.
static int copied(struct bpf_perf_event_data *ctx, int kernel, u64 value)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
    struct mm_struct *mm = READ(task, mm);
    if (!mm)
        return NO_STACK;
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u64 top = READ(mm, start_stack), mapped = READ(mm, exec_vm);
#ifndef PARAM_unwind_dwarf
    struct program *known = stacks_by_pointers.lookup(&tgid);
    if (known && known->top == top && known->mapped == mapped)
        return stack_number(ctx, BPF_F_USER_STACK);
#endif
    struct copy *copy = stacks_copied.ringbuf_reserve(sizeof(struct copy));
    if (!copy)
        return NO_COPY;
    if (ctx->regs.ip >> 63) {
        struct pt_regs *entered = (struct pt_regs *)copy->stack; // there is not enough room elsewhere
        bpf_probe_read_kernel(entered, sizeof(*entered), (void *)bpf_task_pt_regs(task));
        copy_registers(copy->regs, entered);
    } else {
        copy_registers(copy->regs, &ctx->regs);
    }
    u64 sp = copy->regs[7];
    if (!(sp >> 32) || sp >> 63) { // a 32-bit program, or none
        stacks_copied.ringbuf_discard(copy, BPF_RB_NO_WAKEUP);
        return stack_number(ctx, BPF_F_USER_STACK);
    }
    copy->time = bpf_ktime_get_ns();
    copy->value = value;
    copy->start = READ(READ(task, group_leader), start_boottime);
    copy->code = READ(mm, start_code);
    copy->top = top;
    copy->mapped = mapped;
    copy->cpu = bpf_get_smp_processor_id();
    copy->tgid = tgid;
    copy->kernel = kernel;
    python_frames(copy, task);
    copy->bytes = copy_stack(copy->stack, sp, stack_end(task, top, sp));
    stacks_copied.ringbuf_submit(copy, wake_up(sizeof(*copy)));
    return COPIED;
}
#endif

#endif
