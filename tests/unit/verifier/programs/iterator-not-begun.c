static int *(*bpf_iter_num_next)(u64 *it) = (void *)KFUNC_bpf_iter_num_next;
int f(void *ctx) {
    u64 it = 0;
    int *n = bpf_iter_num_next(&it); // here
    return n ? *n : 0;
}
