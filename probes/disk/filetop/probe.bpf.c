#include "ebpftop.h"
#include "ebpftop_file.h"

struct key {
    u64 inode;
    u32 tgid;
    u32 device; // of the file system
    char fs[FS_SIZE];
    char name[NAME_SIZE];
};
struct use {
    u64 reads;
    u64 writes;
    u64 read; // bytes
    u64 written;
};
BPF_HASH(files, struct key, struct use, 16384); // by process and file

struct call {
    struct file *file;
    u64 writes;
};
BPF_HASH(calls, u32, struct call); // by thread; bounded: by the threads inside such a call

static void remember(u32 descriptor, bool writes)
{
    if (!wanted_current())
        return;
    u32 thread = bpf_get_current_pid_tgid();
    struct call call = {.file = file_of(descriptor), .writes = writes};
    if (regular(call.file) && calls.update(&thread, &call))
        map_full();
}

int on_read(struct tracepoint__syscalls__sys_enter_read *args) // pread64 and readv are alike
{
    remember(args->fd, false);
    return 0;
}

int on_write(struct tracepoint__syscalls__sys_enter_write *args) // pwrite64 and writev are alike
{
    remember(args->fd, true);
    return 0;
}

int on_return(struct tracepoint__syscalls__sys_exit_read *args)
{
    u64 id = bpf_get_current_pid_tgid();
    u32 thread = id;
    struct call *found = calls.lookup(&thread);
    if (!found)
        return 0;
    struct call call = *found;
    calls.delete(&thread);
    s64 bytes = args->ret;
    struct inode *inode = READ(call.file, f_inode);
    struct key key = {.inode = READ(inode, i_ino), .tgid = id >> 32, .device = READ(READ(inode, i_sb), s_dev)};
    copy_fs(key.fs, inode);
    if (bytes < 0 || !wanted_fs(key.fs))
        return 0;
    copy_name(key.name, call.file);
    struct use zero = {};
    struct use *use = files.lookup_or_try_init(&key, &zero);
    if (!use) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(call.writes ? &use->writes : &use->reads, 1);
    __sync_fetch_and_add(call.writes ? &use->written : &use->read, bytes);
    return 0;
}
