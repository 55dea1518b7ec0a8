struct four { u32 a[4]; };
BPF_HASH(values, u32, struct four);
int f(void *ctx) {
    u32 zero = 0;
    struct four *value = values.lookup(&zero);
    if (!value)
        return 0;
    s64 i = (s64)bpf_ktime_get_ns();
    if (i < 4)
        value->a[i] = 1; // here
    return 0;
}
