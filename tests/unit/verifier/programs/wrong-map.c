BPF_HASH(counts, u32, u64);
int f(void *ctx) {
    return bpf_ringbuf_query((void *)bpf_pseudo_fd(1, -1), 0); // here
}
