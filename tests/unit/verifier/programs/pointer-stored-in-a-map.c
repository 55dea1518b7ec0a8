BPF_ARRAY(values, u64, 1);
int f(struct __sk_buff *skb) {
    u32 zero = 0;
    u64 *value = values.lookup(&zero);
    if (!value)
        return 0;
    *value = (u64)skb; // here
    return 0;
}
