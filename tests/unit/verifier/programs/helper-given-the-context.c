int f(u64 *ctx) {
    bpf_get_current_comm(ctx, 16); // here
    return 0;
}
