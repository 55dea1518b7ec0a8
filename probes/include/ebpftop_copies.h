// Registers and a piece of the stack of a thread in user space, from which the collector finds the callers by the tables
// that compilers write for exceptions: most programs keep no frame pointers. x86-64 only. Touches no map.
#pragma once

#if defined(CONFIG_X86_64) && !defined(PARAM_unwind_fp) && !defined(PARAM_stacks_kernel)
#define COPIES
#include "ebpftop_python.h"

#define COPIED_PAGE 4096
#ifndef PARAM_copy
#define PARAM_copy 16
#endif
#define COPIED_PAGES (PARAM_copy * 1024 / COPIED_PAGE) // of a stack, at most

struct copy {
    u64 time;     // monotonic ns
    u64 value;    // what the sample adds to its row
    u64 start;    // of the process, ns since boot
    u64 code;     // where its program begins in memory,
    u64 top;      // and where its first stack does: others after it executes another program
    u64 mapped;   // pages of executable memory
    u64 regs[21]; // as struct pt_regs has them
    u32 cpu;
    u32 tgid;
    int kernel; // the number of the kernel's stack
    int token;  // under which the stack is counted meanwhile; 0: it is to be counted here
    u32 bytes;  // that were copied, from rsp up
    u32 python; // whether it runs Python
    u64 frames; // of that, how many entries there are
    u64 tid;    // of the thread, and its name, where it is counted by thread
    char thread[16];
    u64 entries[PYTHON_ENTRIES];                // see python_walk()
    u8 stack[(COPIED_PAGES + 1) * COPIED_PAGE]; // from the beginning of rsp's page
};

// What lies above the stack is no part of it: the main thread's arguments and environment, another thread's data.
static inline __attribute__((always_inline)) u64 stack_end(struct task_struct *task, u64 top, u64 sp)
{
    u64 end = sp + COPIED_PAGES * COPIED_PAGE, data = READ(task, thread.fsbase);
    if (sp < top && top < end)
        end = top;
    if (sp < data && data < end)
        end = data;
    return end;
}

// Page by page, as one that isn't in memory ends the copy.
static inline __attribute__((always_inline)) u32 copy_stack(u8 *to, u64 sp, u64 end)
{
    u64 at = sp;
#pragma unroll
    for (u32 page = 0; page <= COPIED_PAGES; page++) {
        u64 left = end - at, size = COPIED_PAGE - (at & COPIED_PAGE - 1);
        if (size > left)
            size = left;
        asm volatile("" : "+r"(size)); // or LLVM leaves out the bound below, which verifiers before 6.12 have to see
        size = (size - 1 & COPIED_PAGE - 1) + 1;
        u64 place = page ? page * COPIED_PAGE : sp & COPIED_PAGE - 1;
        if (bpf_probe_read_user(to + place, size, (void *)at))
            break;
        at += size;
        if (at >= end)
            break;
    }
    return at - sp;
}
#endif
