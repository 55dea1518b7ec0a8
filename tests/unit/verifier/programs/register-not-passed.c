SUBPROGRAM u64 second(u64 one) {
    u64 two;
    asm volatile("%0 = r2" : "=r"(two)); // here
    return one + two;
}
int f(void *ctx) {
    return second(bpf_ktime_get_ns());
}
