int f(struct __sk_buff *skb) {
    return (u64)skb; // here
}
