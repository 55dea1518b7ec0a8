static void *(*bpf_task_acquire)(void *task) = (void *)KFUNC_bpf_task_acquire;
int f(void *ctx) {
    u64 task = 0;
    bpf_task_acquire(&task); // here
    return 0;
}
