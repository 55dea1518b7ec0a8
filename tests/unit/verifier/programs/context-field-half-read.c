int f(struct __sk_buff *skb) {
    u64 address;
    asm volatile("%0 = *(u64 *)(%1 + 0)" : "=r"(address) : "r"(skb)); // here
    return address;
}
