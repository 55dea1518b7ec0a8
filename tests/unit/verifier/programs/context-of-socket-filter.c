int f(struct __sk_buff *skb) {
    return skb->data; // here
}
