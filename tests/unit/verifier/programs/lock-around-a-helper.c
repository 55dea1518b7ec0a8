struct value { struct bpf_spin_lock lock; u64 at; };
BPF_ARRAY(values, struct value, 1);
int f(struct __sk_buff *skb) {
    u32 zero = 0;
    struct value *value = values.lookup(&zero);
    if (!value)
        return 0;
    bpf_spin_lock(&value->lock);
    value->at = bpf_ktime_get_ns(); // here
    bpf_spin_unlock(&value->lock);
    return 0;
}
