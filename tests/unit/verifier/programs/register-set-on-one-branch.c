int f(u64 *ctx) {
    u64 value;
    asm volatile("if %1 > 100 goto +1\n\t" // here
                 "r7 = 1\n\t"
                 "%0 = r7"
                 : "=r"(value)
                 : "r"((u64)bpf_get_prandom_u32()));
    return value;
}
