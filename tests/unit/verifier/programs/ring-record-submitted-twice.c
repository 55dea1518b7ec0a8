BPF_RINGBUF_OUTPUT(events, 1);
int f(void *ctx) {
    u64 *record = events.ringbuf_reserve(8);
    if (!record)
        return 0;
    asm volatile("" : "+r"(record));
    bpf_ringbuf_submit(record, 0);
    bpf_ringbuf_discard(record, 0); // here
    return 0;
}
