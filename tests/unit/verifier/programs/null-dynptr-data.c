BPF_RINGBUF_OUTPUT(events, 1);
int f(void *ctx) {
    struct bpf_dynptr record;
    bpf_ringbuf_reserve_dynptr((void *)bpf_pseudo_fd(1, -1), 16, 0, &record);
    u64 *data = bpf_dynptr_data(&record, 0, 16);
    *data = 1; // here
    bpf_ringbuf_submit_dynptr(&record, 0);
    return 0;
}
