int f(void *ctx) {
    return bpf_get_prandom_u32(); // here
}
