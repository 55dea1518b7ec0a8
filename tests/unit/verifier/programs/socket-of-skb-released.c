int f(struct __sk_buff *skb) {
    struct bpf_sock *sk = skb->sk;
    if (!sk)
        return 0;
    bpf_sk_release(sk); // here
    return 0;
}
