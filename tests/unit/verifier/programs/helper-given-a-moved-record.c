BPF_RINGBUF_OUTPUT(events, 1);
int f(void *ctx) {
    u64 *record = events.ringbuf_reserve(16);
    if (!record)
        return 0;
    record += 1;
    asm volatile("" : "+r"(record));
    bpf_ringbuf_submit(record, 0); // here
    return 0;
}
