struct key { u64 length, mark; };
BPF_HASH(counts, struct key, u64);
int f(struct __sk_buff *skb) {
    struct key key;
    key.length = skb->len;
    u64 *count = counts.lookup(&key); // here
    return count ? *count : 0;
}
