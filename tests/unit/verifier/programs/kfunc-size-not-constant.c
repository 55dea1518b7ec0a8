static void *(*bpf_rdonly_cast)(void *pointer, u32 type) = (void *)KFUNC_bpf_rdonly_cast;
int f(void *ctx) {
    return bpf_rdonly_cast(ctx, bpf_get_prandom_u32()) != 0; // here
}
