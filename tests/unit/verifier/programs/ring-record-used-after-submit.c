BPF_RINGBUF_OUTPUT(events, 1);
int f(void *ctx) {
    u64 *record = events.ringbuf_reserve(8);
    if (!record)
        return 0;
    events.ringbuf_submit(record, 0);
    *(volatile u64 *)record = 1; // here
    return 0;
}
