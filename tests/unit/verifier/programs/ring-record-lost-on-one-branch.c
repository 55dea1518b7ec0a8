BPF_RINGBUF_OUTPUT(events, 1);
int f(void *ctx) {
    u64 *record = events.ringbuf_reserve(8);
    if (!record)
        return 0;
    if (bpf_get_prandom_u32() & 1)
        return 1;
    *record = 1;
    events.ringbuf_submit(record, 0);
    return 0;
} // here
