static void (*bpf_local_irq_restore)(u64 *flags) = (void *)KFUNC_bpf_local_irq_restore;
int f(void *ctx) {
    u64 flags = 0;
    bpf_local_irq_restore(&flags); // here
    return 0;
}
