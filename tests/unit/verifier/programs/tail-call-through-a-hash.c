BPF_HASH(programs, u32, u32);
int f(void *ctx) {
    bpf_tail_call_((void *)bpf_pseudo_fd(1, -1), ctx, 1); // here
    return 0;
}
