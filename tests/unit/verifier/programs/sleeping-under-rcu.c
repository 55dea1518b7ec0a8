static void (*bpf_rcu_read_lock)(void) = (void *)KFUNC_bpf_rcu_read_lock;
static void (*bpf_rcu_read_unlock)(void) = (void *)KFUNC_bpf_rcu_read_unlock;
int f(u64 *ctx) {
    u64 value;
    bpf_rcu_read_lock();
    bpf_copy_from_user(&value, sizeof(value), 0); // here
    bpf_rcu_read_unlock();
    return 0;
}
