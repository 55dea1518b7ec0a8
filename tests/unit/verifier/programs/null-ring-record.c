BPF_RINGBUF_OUTPUT(events, 1);
int f(void *ctx) {
    u64 *event = events.ringbuf_reserve(8);
    *event = 1; // here
    events.ringbuf_submit(event, 0);
    return 0;
}
