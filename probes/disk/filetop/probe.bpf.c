#include "ebpftop.h"
#include "ebpftop_file_calls_maps.h"

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

int on_read(struct tracepoint__syscalls__sys_enter_read *args) // also pread64 and readv
{
    return file_call_entered(args->fd, FILE_READ);
}

int on_write(struct tracepoint__syscalls__sys_enter_write *args) // also pwrite64 and writev
{
    return file_call_entered(args->fd, FILE_WRITE);
}

int on_return(struct tracepoint__syscalls__sys_exit_read *args)
{
    s64 bytes = args->ret;
    struct file_call done = {};
    if (!file_call_returned(bytes, &done))
        return 0;
    struct inode *inode = READ(done.file, f_inode);
    struct key key = {.inode = READ(inode, i_ino),
                      .tgid = bpf_get_current_pid_tgid() >> 32,
                      .device = READ(READ(inode, i_sb), s_dev)};
    if (bytes < 0 || !wanted_fs(key.fs, inode))
        return 0;
    copy_name(key.name, done.file);
    struct use zero = {};
    struct use *use = files.lookup_or_try_init(&key, &zero);
    if (!use) {
        map_full();
        return 0;
    }
    __sync_fetch_and_add(done.operation == FILE_WRITE ? &use->writes : &use->reads, 1);
    __sync_fetch_and_add(done.operation == FILE_WRITE ? &use->written : &use->read, bytes);
    return 0;
}
