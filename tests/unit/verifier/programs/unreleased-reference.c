BPF_RINGBUF_OUTPUT(events, 1);
int f(void *ctx) {
    u64 *event = events.ringbuf_reserve(8);
    if (!event)
        return 0;
    *event = 1;
    return 0;
} // here
