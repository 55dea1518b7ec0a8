BPF_ARRAY(stacks, u64, 16);
int f(struct pt_regs *ctx) {
    return bcc_get_stackid_(ctx, (void *)bpf_pseudo_fd(1, -1), 0); // here
}
