BPF_RINGBUF_OUTPUT(events, 1);
int f(u64 *ctx) {
    u8 *record = events.ringbuf_reserve(16);
    u64 at = bpf_get_prandom_u32() & 31;
    if (!record)
        return 0;
    record[at] = 1; // here
    events.ringbuf_submit(record, 0);
    return 0;
}
