// For probes whose parameter `by` may be "thread": their keys then name the thread beside its process.
#pragma once

#ifdef PARAM_by_thread

// Fields of a key. The name is a part of it: what a thread did before it was renamed stays with the former name.
#define THREAD_FIELDS                                                                                                  \
    u32 tid;                                                                                                           \
    char thread[COMM_SIZE];

// Fills them in a key whose other bytes are 0.
#define name_thread(key, task)                                                                                         \
    ({                                                                                                                 \
        (key)->tid = READ(task, pid);                                                                                  \
        bpf_probe_read_kernel_str((key)->thread, COMM_SIZE, &(task)->comm);                                            \
    })

#else
#define THREAD_FIELDS
#define name_thread(key, task)
#endif

#define current_thread() ((struct task_struct *)bpf_get_current_task())
