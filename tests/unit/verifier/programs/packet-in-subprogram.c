SUBPROGRAM int first(u8 *data, u8 *end) {
    if (data > end)
        return 0;
    return *data; // here
}
int f(struct __sk_buff *skb) {
    return first((void *)(long)skb->data, (void *)(long)skb->data_end);
}
