int f(struct __sk_buff *skb) {
    u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
    if (data + 1 > end)
        return 1;
    *data = 0; // here
    return 1;
}
