BPF_ARRAY(values, u64, 1);
int f(struct __sk_buff *skb) {
    u32 zero = 0;
    u64 *value = values.lookup(&zero);
    if (!value)
        return 0;
    return bpf_kptr_xchg(value, 0) != 0; // here
}
