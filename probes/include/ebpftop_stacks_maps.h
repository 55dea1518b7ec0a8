// Call stacks, each kept once. Spliced in front of a probe that includes it; a view names the map `stacks`.
#ifndef EBPFTOP_STACKS_MAPS
#define EBPFTOP_STACKS_MAPS

#ifndef PARAM_room
#define PARAM_room 16384
#endif
BPF_STACK_TRACE(stacks, PARAM_room);

// The kernel keeps a stack at a place that its addresses make, and refuses another one there. That one goes to this map,
// where those that stand in its way aren't: it holds nothing but stacks that found their place taken.
BPF_STACK_TRACE(stacks_again, 4096);
#define STACK_AGAIN (1 << 30) // in the number of such a stack

#define NO_STACK -EFAULT // what bpf_get_stackid() says where there is none

// The number of the stack that runs, negative where it could not be kept. flags: those of bpf_get_stackid().
static int stack_number(void *ctx, u64 flags)
{
    int number = stacks.get_stackid(ctx, flags);
    if (number != -EEXIST)
        return number;
    number = stacks_again.get_stackid(ctx, flags);
    return number < 0 ? number : number | STACK_AGAIN;
}

#endif
