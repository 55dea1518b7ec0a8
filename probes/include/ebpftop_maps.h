// Functions that touch maps. This text is spliced in front of a probe's own, because BCC rewrites map calls only there.

BPF_PERCPU_ARRAY(_failures, u64, 4);

static void count_failure(u32 slot)
{
    u64 *count = _failures.lookup(&slot);
    if (count)
        __sync_fetch_and_add(count, 1);
}

// A map had no room for a new key: its update was lost.
static void map_full(void)
{
    count_failure(0);
}

// A ring buffer had no room: an event was lost.
static void ring_full(void)
{
    count_failure(1);
}
