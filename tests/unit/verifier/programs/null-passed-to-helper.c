BPF_HASH(inner, u32, u32);
BPF_HASH(counts, u32, u64);
int f(void *ctx) {
    u32 pid = 1;
    u32 *key = inner.lookup(&pid);
    u64 *count = counts.lookup(key); // here
    return count != 0;
}
