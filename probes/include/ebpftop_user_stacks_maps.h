// User stacks where there are far more of them than could be copied. Each is copied once: the collector unwinds it, and
// tells where in the stack its return addresses are and what they add up to. Where they are found there again, it is the
// same stack. Spliced in front of a probe that includes it; see ebpftop_copies_maps.h.
#ifndef EBPFTOP_USER_STACKS_MAPS
#define EBPFTOP_USER_STACKS_MAPS

#include "ebpftop_copies_maps.h"

#ifdef COPIES

#define KNOWN_DEPTH 96     // return addresses of a stack, at most
#define KNOWN_WAYS 4       // stacks with the same innermost function at the same place, at most
#define NOT_COPIED -EAGAIN // in place of a stack's number: there are too many new ones

struct known_place {
    u64 ip;
    u64 sp;
    u64 python; // the sum of its Python frames, 0 where it has none
    u32 tgid;
    u32 way;
};
struct known_stack {
    u64 top; // of its program; see `struct program`
    u64 mapped;
    u64 sum; // of the return addresses
    int number;
    u32 depth;
    u16 at[KNOWN_DEPTH]; // in words from sp
};
BPF_HASH(stacks_known, struct known_place, struct known_stack, 8192); // the collector's: nothing is added here

// Stacks that were copied a moment ago: they have a token for a number, which the collector replaces. Until it knows a
// stack, another one is taken for the same if it has the same registers and, near its end, the same return addresses to
// the program itself.
struct asked {
    u64 since;
    int token;
    u32 unused;
};
BPF_TABLE("lru_hash", u64, struct asked, stacks_asked, 8192);
#define ASKED_AGAIN 1000000000ULL // ns after which such a stack is copied again
#define NEAR 64                   // words of it that are looked at

struct near {
    u64 words[NEAR];
};
BPF_PERCPU_ARRAY(stacks_near, struct near, 1);

struct copying {
    u64 since;
    u32 left;
    u32 tokens; // that were given
};
BPF_PERCPU_ARRAY(stacks_copying, struct copying, 1);
#define COPYING_NS (1000000000ULL / PARAM_copies) // from one copy to the next, after the first PARAM_copies
#define TOKENS (1 << 20)                          // of a CPU

static u64 mixed(u64 sum, u64 word)
{
    sum = (sum ^ word) * 0x9e3779b97f4a7c15ULL;
    return sum ^ sum >> 29;
}

static u64 sum_of(struct known_stack *known, u64 sp)
{
    u64 sum = 0;
    for (u32 i = 0; i < KNOWN_DEPTH; i++) {
        if (i >= known->depth)
            break;
        u64 word = 0;
        bpf_probe_read_user(&word, sizeof(word), (void *)(sp + 8 * known->at[i]));
        sum = mixed(sum, word);
    }
    return sum;
}

static u64 sum_of_python(struct python_walk *python)
{
    u64 sum = 0;
    for (u32 i = 0; i < PYTHON_ENTRIES; i++) {
        if (i >= python->count)
            break;
        sum = mixed(sum, python->entries[i]);
    }
    return sum;
}

// What tells a stack from others, as far as that is known without unwinding it.
static u64 print_of(struct mm_struct *mm, struct known_place *place)
{
    u64 print = mixed(mixed(mixed(place->tgid, place->ip), place->sp), place->python);
    u64 start = READ(mm, start_code), end = READ(mm, end_code);
    u32 only = 0;
    struct near *near = stacks_near.lookup(&only);
    if (!near || bpf_probe_read_user(near, sizeof(*near), (void *)place->sp))
        return print;
    for (u32 i = 0; i < NEAR; i++)
        if (near->words[i] >= start && near->words[i] < end)
            print = mixed(print, near->words[i]);
    return print;
}

// Another token, or 0 if as many were given as there may be now. They are smaller than any error's number.
static int new_token(u64 now)
{
    u32 only = 0, cpu = bpf_get_smp_processor_id();
    struct copying *copying = stacks_copying.lookup(&only);
    if (!copying || cpu >= 1 << 10)
        return 0;
    u64 earned = (now - copying->since) / COPYING_NS;
    if (earned) {
        copying->since = now;
        copying->left = copying->left + earned < PARAM_copies ? copying->left + earned : PARAM_copies;
    }
    if (!copying->left)
        return 0;
    copying->left--;
    return (int)(1U << 31 | cpu << 20 | copying->tokens++ & TOKENS - 1);
}

// The number of the current thread's user stack: as stack_number() has it, a token, or one of the collector's.
// registers: with which it runs in user space, or entered the kernel; an address of the kernel.
static int user_stack_at(void *ctx, struct task_struct *task, const struct pt_regs *registers)
{
    struct mm_struct *mm = READ(task, mm);
    if (!mm)
        return NO_STACK;
    struct program program = {.top = READ(mm, start_stack), .mapped = READ(mm, exec_vm)};
    struct known_place place = {.tgid = bpf_get_current_pid_tgid() >> 32};
    place.ip = READ(registers, ip);
    place.sp = READ(registers, sp);
    if (!is_stack(place.sp) || keeps_pointers(place.tgid, &program))
        return stack_number(ctx, BPF_F_USER_STACK);
    struct python_walk *python = python_walk(task, place.sp);
    if (python)
        place.python = sum_of_python(python);
#pragma unroll
    for (u32 way = 0; way < KNOWN_WAYS; way++) {
        place.way = way;
        struct known_stack *known = stacks_known.lookup(&place);
        if (!known)
            break;
        if (known->top == program.top && known->mapped == program.mapped && sum_of(known, place.sp) == known->sum)
            return known->number;
    }
    u64 print = print_of(mm, &place), now = bpf_ktime_get_ns();
    struct asked *before = stacks_asked.lookup(&print);
    if (before && now - before->since < ASKED_AGAIN)
        return before->token;
    struct asked asked = {.since = now, .token = new_token(now)};
    if (!asked.token)
        return NOT_COPIED;
    struct copy *copy = new_copy(task, place.sp, &program, python, NO_STACK, 0, asked.token);
    if (!copy)
        return NO_COPY;
    bpf_probe_read_kernel(copy->regs, sizeof(copy->regs), registers);
    send_copy(copy);
    stacks_asked.update(&print, &asked);
    return asked.token;
}

static int user_stack(void *ctx)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
    return user_stack_at(ctx, task, (struct pt_regs *)bpf_task_pt_regs(task));
}

// In a program's own function: of the registers that it runs with.
static int user_stack_of(struct pt_regs *ctx)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
    return user_stack_at(ctx, task, ctx);
}

#else
#define user_stack(ctx) stack_number(ctx, BPF_F_USER_STACK)
#define user_stack_of(ctx) stack_number(ctx, BPF_F_USER_STACK)
#endif

#endif
