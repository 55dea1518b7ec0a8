static void (*bpf_preempt_enable)(void) = (void *)KFUNC_bpf_preempt_enable;
int f(void *ctx) {
    bpf_preempt_enable(); // here
    return 0;
}
