int f(u64 *ctx) {
    char b[64] = {};
    u32 n = bpf_get_prandom_u32();
    bpf_probe_read_kernel(b, n, (void *)ctx[0]); // here
    return b[3];
}
