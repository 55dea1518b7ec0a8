int f(struct __sk_buff *skb) {
    u64 n = skb->len;
    asm volatile("if %0 > %1 goto +1\n\t%1 = 1" : : "r"(skb), "r"(n)); // here
    return n;
}
