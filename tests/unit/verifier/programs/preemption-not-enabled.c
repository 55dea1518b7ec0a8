static void (*bpf_preempt_disable)(void) = (void *)KFUNC_bpf_preempt_disable;
int f(void *ctx) {
    bpf_preempt_disable();
    return 0; // here
}
