static int (*bpf_iter_num_new)(u64 *it, int start, int end) = (void *)KFUNC_bpf_iter_num_new;
static void (*bpf_iter_num_destroy)(u64 *it) = (void *)KFUNC_bpf_iter_num_destroy;
int f(void *ctx) {
    u64 it;
    bpf_iter_num_new(&it, 0, 10);
    bpf_iter_num_new(&it, 0, 10); // here
    bpf_iter_num_destroy(&it);
    return 0;
}
