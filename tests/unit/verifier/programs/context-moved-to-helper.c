int f(struct __sk_buff *skb) {
    u32 value = 0;
    void *moved = (void *)skb + 8;
    asm volatile("" : "+r"(moved));
    return bpf_skb_load_bytes(moved, 0, &value, sizeof(value)); // here
}
