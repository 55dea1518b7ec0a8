// Call stacks, each kept once. Spliced in front of a probe that includes it; a view names the map `stacks`.
#ifndef EBPFTOP_STACKS_MAPS
#define EBPFTOP_STACKS_MAPS

#ifndef PARAM_room
#define PARAM_room 16384
#endif
BPF_STACK_TRACE(stacks, PARAM_room);

// The kernel stores a stack in the slot its hash selects, and rejects a second one there. The second goes to this map,
// which holds only stacks whose slot in the first one was taken.
BPF_STACK_TRACE(stacks_again, 4096);
#define STACK_AGAIN (1 << 30) // in the number of such a stack

#define NO_STACK -EFAULT // what bpf_get_stackid() returns if there is none

// The number of the current stack, negative if it could not be stored. flags: those of bpf_get_stackid().
static int stack_number(void *ctx, u64 flags)
{
    int number = stacks.get_stackid(ctx, flags);
    if (number != -EEXIST)
        return number;
    number = stacks_again.get_stackid(ctx, flags);
    return number < 0 ? number : number | STACK_AGAIN;
}

#endif
