// Open files and their file systems. Like ebpftop.h, this touches no map.
#pragma once

#define FS_SIZE 16   // of a file system type's name, which may be cut
#define NAME_SIZE 32 // of a file's name, likewise

enum { FILE_READ, FILE_WRITE, FILE_OPEN, FILE_SYNC }; // numbered as in the decoder file_operation

#define FILE_CREATED (1 << 20) // in f_mode: the open created the file. FMODE_CREATED in linux/fs.h

// The open file of one of the current thread's descriptors, or 0.
static inline __attribute__((always_inline)) struct file *file_of(u32 descriptor)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct fdtable *table = READ(READ(task, files), fdt);
    if (descriptor >= READ(table, max_fds))
        return 0;
    struct file *file = 0;
    bpf_probe_read_kernel(&file, sizeof(file), READ(table, fd) + descriptor);
    return file;
}

// The inode of a regular file; 0 for sockets, pipes, directories, terminals and the like.
static inline __attribute__((always_inline)) struct inode *regular(struct file *file)
{
    struct inode *inode = file ? READ(file, f_inode) : 0;
    return inode && (READ(inode, i_mode) & S_IFMT) == S_IFREG ? inode : 0;
}

static inline __attribute__((always_inline)) void copy_name(char *to, struct file *file)
{
    struct dentry *dentry = READ(file, f_path.dentry);
    bpf_probe_read_kernel_str(to, NAME_SIZE, READ(dentry, d_name.name));
}

// Copies the name of the type of an inode's file system. Returns whether the parameter fs selects it.
static inline __attribute__((always_inline)) int wanted_fs(char *fs, struct inode *inode)
{
    struct file_system_type *type = READ(READ(inode, i_sb), s_type);
    bpf_probe_read_kernel_str(fs, FS_SIZE, READ(type, name));
#ifdef PARAM_fs
    const char wanted[] = PARAM_fs;
#pragma unroll
    for (int i = 0; i < PARAM_fs_len; i++) {
        if (fs[i] != wanted[i])
            return 0;
    }
    return !fs[PARAM_fs_len];
#else
    return 1;
#endif
}
