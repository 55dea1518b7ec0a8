BPF_HASH(counts, u32, u64);
int f(void *ctx) {
    u32 zero = 0;
    char *count = (char *)counts.lookup(&zero);
    if (!count)
        return 0;
    asm volatile("%0 += 0x7fffffff" : "+r"(count)); // here
    return *count;
}
