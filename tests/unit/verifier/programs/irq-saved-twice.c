static void (*bpf_local_irq_save)(u64 *flags) = (void *)KFUNC_bpf_local_irq_save;
int f(void *ctx) {
    u64 flags;
    bpf_local_irq_save(&flags);
    bpf_local_irq_save(&flags); // here
    return 0;
}
