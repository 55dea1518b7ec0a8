static void *(*bpf_task_from_pid)(int pid) = (void *)KFUNC_bpf_task_from_pid;
static void (*bpf_task_release)(void *task) = (void *)KFUNC_bpf_task_release;
int f(void *ctx) {
    void *task = bpf_task_from_pid(1);
    bpf_task_release(task); // here
    return 0;
}
