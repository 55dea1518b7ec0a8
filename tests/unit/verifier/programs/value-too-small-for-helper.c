struct path { char text[16]; };
BPF_ARRAY(paths, struct path, 1);
int f(u64 *ctx) {
    u32 zero = 0;
    struct path *path = paths.lookup(&zero);
    if (!path)
        return 0;
    bpf_get_current_comm(path->text, 32); // here
    return 0;
}
