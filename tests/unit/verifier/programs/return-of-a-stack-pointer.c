SUBPROGRAM u64 *where(u64 n) {
    u64 here = n;
    u64 *to = &here;
    asm volatile("" : "+r"(to) : : "memory");
    return to;
}
int f(void *ctx) {
    return *where(1);
}
