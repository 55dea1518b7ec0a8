struct task_struct { u64 flags; };
#define FLAGS(task) (task)->flags
int f(void *ctx) {
    struct task_struct *task = (void *)bpf_get_current_task();
    return FLAGS(task); // here
}
