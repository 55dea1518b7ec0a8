BPF_HASH(counts, u32, u64);
int f(void *ctx) {
    u32 zero = 0;
    u64 *count = counts.lookup(&zero);
    if (!count)
        return 0;
    asm volatile("%0 &= -8" : "+r"(count)); // here
    return *count;
}
