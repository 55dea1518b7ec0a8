int f(u64 *ctx) {
    char text[8] = {};
    u32 n = bpf_get_prandom_u32() & 7;
    bpf_trace_printk_(text, n); // here
    return 0;
}
