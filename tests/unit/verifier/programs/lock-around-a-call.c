struct value { struct bpf_spin_lock lock; u64 count; };
BPF_ARRAY(values, struct value, 1);
SUBPROGRAM void add(u64 *count) {
    *count += 1;
}
int f(struct __sk_buff *skb) {
    u32 zero = 0;
    struct value *value = values.lookup(&zero);
    if (!value)
        return 0;
    bpf_spin_lock(&value->lock);
    add(&value->count); // here
    bpf_spin_unlock(&value->lock);
    return 0;
}
