#include "ebpftop.h"

BPF_HASH(lengths, u32, u64); // process → length of its program's path

int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
    struct linux_binprm *program = (struct linux_binprm *)ctx->args[2];
    char path[1024];
    long size = bpf_probe_read_kernel_str(path, sizeof(path), READ(program, filename));
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    u64 length = size;
    if (lengths.update(&tgid, &length))
        map_full();
    return 0;
}
