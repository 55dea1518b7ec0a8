int f(struct __sk_buff *skb) {
    struct bpf_sock *sk = skb->sk;
    u64 by = bpf_get_prandom_u32() & 4;
    if (!sk)
        return 0;
    asm volatile("%0 += %1" : "+r"(sk) : "r"(by)); // here
    return sk->family;
}
