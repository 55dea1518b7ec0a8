static void (*bpf_rcu_read_unlock)(void) = (void *)KFUNC_bpf_rcu_read_unlock;
int f(void *ctx) {
    bpf_rcu_read_unlock(); // here
    return 0;
}
