int f(u64 *ctx) {
    u64 *task = (u64 *)bpf_get_current_task();
    u64 v;
    asm volatile("%0 = *(u64 *)(%1 + 0)" : "=r"(v) : "r"(task)); // here
    return v;
}
