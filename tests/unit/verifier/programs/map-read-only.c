BPF_F_TABLE("array", u32, u64, limits, 1, BPF_F_RDONLY_PROG);
int f(void *ctx) {
    u32 zero = 0;
    u64 *limit = limits.lookup(&zero);
    if (!limit)
        return 0;
    *limit = 7; // here
    return 0;
}
