struct table { int (*look)(void *); };
int f(void *ctx) {
    struct table *t = (struct table *)(long)bpf_ktime_get_ns();
    int (*look)(void *) = (int (*)(void *))(long)bpf_get_prandom_u32();
    return look(ctx);
}
