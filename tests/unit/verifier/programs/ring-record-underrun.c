BPF_RINGBUF_OUTPUT(events, 1);
int f(u64 *ctx) {
    u64 *record = events.ringbuf_reserve(16);
    if (!record)
        return 0;
    asm volatile("" : "+r"(record));
    record[-1] = 1; // here
    events.ringbuf_submit(record, 0);
    return 0;
}
