BPF_ARRAY(values, u64, 1);
int f(struct __sk_buff *skb) {
    u32 zero = 0;
    struct bpf_spin_lock *lock = (void *)values.lookup(&zero);
    if (!lock)
        return 0;
    bpf_spin_lock(lock); // here
    return 0;
}
