#define BPF_LICENSE Proprietary
int f(void *ctx) {
    char text[] = "hello";
    bpf_trace_printk_(text, sizeof(text)); // here
    return 0;
}
