static int (*bpf_iter_num_new)(u64 *it, int start, int end) = (void *)KFUNC_bpf_iter_num_new;
static int *(*bpf_iter_num_next)(u64 *it) = (void *)KFUNC_bpf_iter_num_next;
int f(void *ctx) {
    u64 it;
    int *n, sum = 0;
    bpf_iter_num_new(&it, 0, 10);
    while ((n = bpf_iter_num_next(&it)))
        sum += *n;
    return sum; // here
}
