BPF_RINGBUF_OUTPUT(events, 1);
BPF_PROG_ARRAY(programs, 4);
int f(void *ctx) {
    u64 *record = events.ringbuf_reserve(8);
    if (!record)
        return 0;
    bpf_tail_call_((void *)bpf_pseudo_fd(1, -2), ctx, 1); // here
    bpf_ringbuf_discard(record, 0);
    return 0;
}
