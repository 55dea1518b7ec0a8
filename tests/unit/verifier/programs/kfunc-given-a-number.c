static void (*bpf_task_release)(void *task) = (void *)KFUNC_bpf_task_release;
int f(void *ctx) {
    bpf_task_release((void *)bpf_get_current_task()); // here
    return 0;
}
