static int (*bpf_iter_num_new)(u64 *it, int start, int end) = (void *)KFUNC_bpf_iter_num_new;
static int *(*bpf_iter_num_next)(u64 *it) = (void *)KFUNC_bpf_iter_num_next;
static void (*bpf_iter_num_destroy)(u64 *it) = (void *)KFUNC_bpf_iter_num_destroy;
int f(void *ctx) {
    u64 it;
    bpf_iter_num_new(&it, 0, 10);
    u64 n = *(u32 *)bpf_iter_num_next(&it); // here
    asm volatile("" : "+r"(n));
    bpf_iter_num_destroy(&it);
    return n;
}
