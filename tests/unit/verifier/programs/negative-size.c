int f(u64 *ctx) {
    char b[64] = {};
    s64 n = (s64)bpf_ktime_get_ns();
    if (n < 64)
        bpf_probe_read_kernel(b, n, (void *)ctx[0]); // here
    return b[3];
}
