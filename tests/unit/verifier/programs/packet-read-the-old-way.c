int f(void *skb) {
    return load_byte(skb, 0); // here
}
