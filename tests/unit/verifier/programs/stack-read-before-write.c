int f(void *ctx) {
    u64 value;
    asm volatile("%0 = *(u64 *)(r10 - 16)" : "=r"(value)); // here
    return value;
}
