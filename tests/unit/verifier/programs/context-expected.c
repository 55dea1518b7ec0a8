BPF_STACK_TRACE(stacks, 64);
int f(void *ctx) {
    u64 other = 0;
    return stacks.get_stackid(&other, 0); // here
}
