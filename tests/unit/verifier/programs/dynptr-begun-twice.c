BPF_RINGBUF_OUTPUT(events, 1);
int f(void *ctx) {
    struct bpf_dynptr record;
    bpf_ringbuf_reserve_dynptr((void *)bpf_pseudo_fd(1, -1), 16, 0, &record);
    bpf_ringbuf_reserve_dynptr((void *)bpf_pseudo_fd(1, -1), 16, 0, &record); // here
    bpf_ringbuf_discard_dynptr(&record, 0);
    return 0;
}
