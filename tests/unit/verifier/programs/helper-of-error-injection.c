int f(struct pt_regs *ctx) {
    bpf_override_return(ctx, -12); // here
    return 0;
}
