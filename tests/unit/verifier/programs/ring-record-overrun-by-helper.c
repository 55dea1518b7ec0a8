BPF_RINGBUF_OUTPUT(events, 1);
int f(u64 *ctx) {
    char *record = events.ringbuf_reserve(16);
    if (!record)
        return 0;
    bpf_probe_read_kernel(record, 24, ctx); // here
    events.ringbuf_submit(record, 0);
    return 0;
}
