BPF_ARRAY(counts, u64, 1);
int f(void *ctx) {
    u32 zero = 0;
    u64 *count = counts.lookup(&zero);
    if (!count)
        return 0;
    asm volatile("w0 += 1" : "+r"(count)); // here
    return *count;
}
