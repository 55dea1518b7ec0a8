static int (*bpf_dynptr_from_xdp)(void *xdp, u64 flags, void *to) = (void *)KFUNC_bpf_dynptr_from_xdp;
int f(void *ctx) {
    u64 to[2];
    return bpf_dynptr_from_xdp(ctx, 0, to); // here
}
