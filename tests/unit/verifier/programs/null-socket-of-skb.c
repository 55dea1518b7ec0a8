int f(struct __sk_buff *skb) {
    struct bpf_sock *sk = skb->sk;
    asm volatile("" : "+r"(sk));
    return sk->family; // here
}
