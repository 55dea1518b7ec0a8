BPF_HASH(counts, u32, u64);
int f(void *ctx) {
    u32 zero = 0;
    u64 *count = counts.lookup(&zero);
    asm volatile("%0 += 4" : "+r"(count)); // here
    if (!count)
        return 0;
    return *(u32 *)count;
}
