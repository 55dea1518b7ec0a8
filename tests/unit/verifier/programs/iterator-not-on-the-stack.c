static int (*bpf_iter_num_new)(u64 *it, int start, int end) = (void *)KFUNC_bpf_iter_num_new;
BPF_ARRAY(iterators, u64, 1);
int f(void *ctx) {
    u32 zero = 0;
    u64 *it = iterators.lookup(&zero);
    if (!it)
        return 0;
    bpf_iter_num_new(it, 0, 10); // here
    return 0;
}
