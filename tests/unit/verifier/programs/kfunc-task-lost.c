static void *(*bpf_task_from_pid)(int pid) = (void *)KFUNC_bpf_task_from_pid;
int f(void *ctx) {
    void *task = bpf_task_from_pid(1);
    return task ? 1 : 0; // here
}
