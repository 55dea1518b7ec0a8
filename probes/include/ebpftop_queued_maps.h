// When each thread that waits for a CPU was queued, and whether a CPU quota held it back then. Spliced in front of a probe
// that includes it, whose handlers call these.
#ifndef EBPFTOP_QUEUED_MAPS
#define EBPFTOP_QUEUED_MAPS

// An array is far cheaper here than a hash: no inserts or deletes, and the verifier inlines its lookup. A thread id has at
// most 22 bits (the kernel's PID_MAX_LIMIT): the low 16 are the index; the others are stored above a time of 57 bits (four
// years) and the mark of a thread held back, so that one store writes all.
#define QUEUE_BITS 16
#define TIME_BITS 57
#define HELD (1ULL << TIME_BITS)
BPF_ARRAY(queued, u64, 1 << QUEUE_BITS);

static u64 *place(u32 pid)
{
    u32 index = pid & ((1 << QUEUE_BITS) - 1);
    return queued.lookup(&index);
}

static u64 stamp(u32 pid, u64 time)
{
    return (u64)(pid >> QUEUE_BITS) << (TIME_BITS + 1) | time;
}

static void enqueue(u32 pid, u64 now, int is_held)
{
    u64 *entry = place(pid);
    if (entry)
        *entry = stamp(pid, is_held ? now | HELD : now);
}

// When the thread, which now runs, was queued, with HELD if it was held back then; 0 if that was not seen.
static u64 dequeue(u32 pid)
{
    u64 *entry = place(pid);
    if (!entry || !*entry)
        return 0;
    u64 since = *entry - stamp(pid, 0);
    if (since >> (TIME_BITS + 1)) { // another waiting thread with the same low bits
        map_full();
        return 0;
    }
    *entry = 0;
    return since;
}

#endif
