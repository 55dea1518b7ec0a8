// User stacks of programs without frame pointers. Spliced in front of a probe that includes it, whose view names the map
// `stacks`: the collector unwinds the copies, and gives the stacks that it found numbers of its own.
#ifndef EBPFTOP_COPIES_MAPS
#define EBPFTOP_COPIES_MAPS

#include "ebpftop_copies.h"
#include "ebpftop_python_maps.h"
#include "ebpftop_stacks_maps.h"

#ifdef COPIES

#if PARAM_copy > 32
#define PAGES_OF_COPIES 4096
#else
#define PAGES_OF_COPIES 2048
#endif
BPF_RINGBUF_OUTPUT(stacks_copied, PAGES_OF_COPIES);

// What identifies the code of a program: where its first stack begins, and its pages of executable memory.
struct program {
    u64 top;
    u64 mapped;
};

// Programs all of whose files keep frame pointers, as the collector has found out.
BPF_TABLE("lru_hash", u32, struct program, stacks_by_pointers, 4096);

#define COPIED -EINPROGRESS // in place of a stack's number: the collector will find it
#define NO_COPY -ENOSPC     // in place of a stack's number: there was no room to copy it

static int keeps_pointers(u32 tgid, struct program *program)
{
#ifndef PARAM_unwind_dwarf
    struct program *known = stacks_by_pointers.lookup(&tgid);
    if (known)
        return known->top == program->top && known->mapped == program->mapped;
#endif
    return 0;
}

static int is_stack(u64 sp) // and of no 32-bit program
{
    return sp >> 32 && !(sp >> 63);
}

// Copy all but the registers of the current thread in user space, whose stack begins at `sp`, for the collector to
// unwind: either as a sample that adds `value` to its row, or to be known by a `token`. Returns 0 if there was no room.
static struct copy *new_copy(struct task_struct *task, u64 sp, struct program *program, struct python_walk *python,
                             int kernel, u64 value, int token)
{
    struct copy *copy = stacks_copied.ringbuf_reserve(sizeof(struct copy));
    if (!copy)
        return 0;
    copy->time = bpf_ktime_get_ns();
    copy->value = value;
    copy->start = READ(READ(task, group_leader), start_boottime);
    copy->code = READ(READ(task, mm), start_code);
    copy->top = program->top;
    copy->mapped = program->mapped;
    copy->cpu = bpf_get_smp_processor_id();
    copy->tgid = bpf_get_current_pid_tgid() >> 32;
#ifdef PARAM_by_thread
    copy->tid = (u32)bpf_get_current_pid_tgid();
    bpf_get_current_comm(copy->thread, sizeof(copy->thread));
#endif
    copy->kernel = kernel;
    copy->token = token;
    copy->python = PYTHON_NONE;
    copy->frames = 0;
    if (python) {
        copy->python = python->found;
        copy->frames = python->count;
        bpf_probe_read_kernel(copy->entries, sizeof(copy->entries), python->entries);
    }
    copy->bytes = copy_stack(copy->stack, sp, stack_end(task, program->top, sp));
    return copy;
}

static void send_copy(struct copy *copy)
{
    stacks_copied.ringbuf_submit(copy, wake_up(sizeof(*copy)));
}

// Copy the stack of a thread that was sampled. Returns COPIED, or without a copy the number of the stack by frame
// pointers, as stack_number() does.
static int copied(struct bpf_perf_event_data *ctx, int kernel, u64 value)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
    struct mm_struct *mm = READ(task, mm);
    if (!mm)
        return NO_STACK;
    struct program program = {.top = READ(mm, start_stack), .mapped = READ(mm, exec_vm)};
    if (keeps_pointers(bpf_get_current_pid_tgid() >> 32, &program))
        return stack_number(ctx, BPF_F_USER_STACK);
    struct pt_regs *entered = (struct pt_regs *)bpf_task_pt_regs(task); // with which it entered the kernel
    int inside = ctx->regs.ip >> 63;
    u64 sp = inside ? READ(entered, sp) : ctx->regs.sp;
    if (!is_stack(sp))
        return stack_number(ctx, BPF_F_USER_STACK);
    struct copy *copy = new_copy(task, sp, &program, python_walk(task, sp), kernel, value, 0);
    if (!copy)
        return NO_COPY;
    if (inside)
        bpf_probe_read_kernel(copy->regs, sizeof(copy->regs), entered);
    else
        *(struct pt_regs *)copy->regs = ctx->regs;
    send_copy(copy);
    return COPIED;
}
#endif

#endif
