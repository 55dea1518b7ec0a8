BPF_ARRAY(values, u64, 8);
int f(void *ctx) {
    u32 zero = 0;
    struct bpf_dynptr data;
    u64 *value = values.lookup(&zero);
    if (!value)
        return 0;
    bpf_dynptr_from_mem(value, 8, 0, &data);
    bpf_ringbuf_submit_dynptr(&data, 0); // here
    return 0;
}
