BPF_RINGBUF_OUTPUT(events, 1);
BPF_ARRAY(counts, u64, 1);
int f(void *ctx) {
    u32 zero = 0;
    u64 *count = counts.lookup(&zero);
    if (!count)
        return 0;
    bpf_ringbuf_submit(count, 0); // here
    return 0;
}
