SUBPROGRAM int odd(int n);
SUBPROGRAM int even(int n) {
    asm volatile("" : "+r"(n));
    return n ? odd(n - 1) : 1; // here
}
SUBPROGRAM int odd(int n) {
    asm volatile("" : "+r"(n));
    return n ? even(n - 1) : 0;
}
int f(void *ctx) {
    return even(bpf_get_prandom_u32());
}
