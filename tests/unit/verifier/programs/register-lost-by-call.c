int f(u64 *ctx) {
    u64 value;
    asm volatile("r3 = 7\n\tcall 7\n\t%0 = r3" : "=r"(value)); // here
    return value;
}
