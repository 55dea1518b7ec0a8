BPF_RINGBUF_OUTPUT(events, 1);
int f(void *ctx) {
    u64 *event = events.ringbuf_reserve(16);
    if (!event)
        return 0;
    event[2] = 1; // here
    events.ringbuf_submit(event, 0);
    return 0;
}
