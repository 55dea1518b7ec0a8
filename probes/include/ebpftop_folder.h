// Directories by their paths. Like ebpftop.h, this touches no map.
#pragma once

#define FOLDER_SIZE 192
#define FOLDER_PART 64 // at most this much for one directory's name and the slash before it
#define FOLDER_DEPTH 12

// The path of a directory from the root of its file system, or its last part, then without a leading slash.
static inline __attribute__((always_inline)) void copy_folder(char *to, struct dentry *folder)
{
    struct dentry *levels[FOLDER_DEPTH]; // from the bottom
#pragma unroll
    for (int level = 0; level < FOLDER_DEPTH; level++) {
        struct dentry *above = READ(folder, d_parent);
        levels[level] = above == folder ? 0 : folder; // the root is its own parent
        folder = above;
    }
    to[0] = '/';
    to[1] = 0;
    u64 at = 0;
#pragma unroll
    for (int level = FOLDER_DEPTH - 1; level >= 0; level--) {
        if (!levels[level])
            continue;
        const void *name = READ(levels[level], d_name.name);
        if (at > FOLDER_SIZE - FOLDER_PART)
            break;
        if (at || level < FOLDER_DEPTH - 1)
            to[at++] = '/';
        long length = bpf_probe_read_kernel_str(to + at, FOLDER_PART - 1, name);
        if (length > 0)
            at += length - 1;
    }
}
