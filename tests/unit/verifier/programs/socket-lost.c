int f(struct __sk_buff *skb) {
    struct bpf_sock_tuple tuple = {};
    struct bpf_sock *sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), -1, 0);
    return sk ? sk->state : 0; // here
}
