static void (*bpf_local_irq_save)(u64 *flags) = (void *)KFUNC_bpf_local_irq_save;
static void (*bpf_local_irq_restore)(u64 *flags) = (void *)KFUNC_bpf_local_irq_restore;
int f(void *ctx) {
    u64 outer, inner;
    bpf_local_irq_save(&outer);
    bpf_local_irq_save(&inner);
    bpf_local_irq_restore(&outer); // here
    bpf_local_irq_restore(&inner);
    return 0;
}
