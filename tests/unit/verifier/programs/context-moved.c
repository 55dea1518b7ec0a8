int f(void *ctx) {
    u64 by = bpf_get_prandom_u32() & 8;
    asm volatile("%0 += %1" : "+r"(ctx) : "r"(by));
    return *(u64 *)ctx; // here
}
