int f(void *ctx) {
    u64 at = bpf_get_prandom_u32();
    asm volatile("%0 += r10\n\t*(u8 *)(%0 - 32) = %0" : "+r"(at)); // here
    return 0;
}
