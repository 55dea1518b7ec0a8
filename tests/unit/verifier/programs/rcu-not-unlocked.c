static void (*bpf_rcu_read_lock)(void) = (void *)KFUNC_bpf_rcu_read_lock;
int f(void *ctx) {
    bpf_rcu_read_lock();
    return 0; // here
}
