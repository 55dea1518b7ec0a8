BPF_HASH(counts, u32, u64);
int f(void *ctx) {
    u64 sum = 0;
    for (u32 cpu = 0; cpu < 4; cpu++) {
        u32 key = cpu;
        u64 *count = counts.lookup(&key);
        sum += *count; // here
    }
    return sum;
}
