BPF_PERF_OUTPUT(events);
struct event { u32 pid; char comm[16]; };
int f(void *ctx) {
    struct event event;
    event.pid = bpf_get_current_pid_tgid() >> 32;
    event.comm[0] = 'a';
    events.perf_submit(ctx, &event, sizeof(event)); // here
    return 0;
}
