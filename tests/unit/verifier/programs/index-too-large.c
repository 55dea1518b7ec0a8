struct four { u32 a[4]; };
BPF_HASH(values, u32, struct four);
int f(void *ctx) {
    u32 zero = 0;
    struct four *value = values.lookup(&zero);
    if (!value)
        return 0;
    value->a[bpf_get_prandom_u32() & 7] = 1; // here
    return 0;
}
