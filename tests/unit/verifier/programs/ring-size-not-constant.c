BPF_RINGBUF_OUTPUT(events, 1);
int f(void *ctx) {
    u64 *event = events.ringbuf_reserve(bpf_get_prandom_u32() & 63); // here
    if (event)
        events.ringbuf_submit(event, 0);
    return 0;
}
