static int (*bpf_iter_num_new)(u64 *it, int start, void *end) = (void *)KFUNC_bpf_iter_num_new;
int f(void *ctx) {
    u64 it;
    bpf_iter_num_new(&it, 0, ctx); // here
    return 0;
}
