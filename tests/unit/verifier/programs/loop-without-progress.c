int f(void *ctx) {
    u64 same = bpf_get_prandom_u32();
    while (same != 7) // here
        asm volatile("" ::: "memory");
    return 0;
}
