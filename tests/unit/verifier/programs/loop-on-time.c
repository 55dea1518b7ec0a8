int f(void *ctx) {
    u64 end = bpf_ktime_get_ns() + 1000000;
    while (bpf_ktime_get_ns() < end) // here
        ;
    return 0;
}
