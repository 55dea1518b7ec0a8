// System calls on regular files, from entry to return. Spliced in front of a probe that includes it, whose handlers call
// these.
#ifndef EBPFTOP_FILE_CALLS_MAPS
#define EBPFTOP_FILE_CALLS_MAPS

#include "ebpftop_calls_maps.h"
#include "ebpftop_file.h"

enum { CALL_OPERATION, CALL_FILE }; // indexes of a call's arguments

struct file_call {
    struct file *file;
    u64 took; // ns
    u32 operation;
};

static void file_call_remember(struct file *file, u32 operation)
{
    struct call call = {.args = {[CALL_OPERATION] = operation, [CALL_FILE] = (u64)file}};
    call_remember(&call);
}

// Looks up the file at once: it stays open at least until the call returns.
static int file_call_entered(u32 descriptor, u32 operation)
{
    if (!wanted_current())
        return 0;
    struct file *file = file_of(descriptor);
    if (regular(file))
        file_call_remember(file, operation);
    return 0;
}

static int file_open_entered(void)
{
    if (wanted_current())
        file_call_remember(0, FILE_OPEN);
    return 0;
}

// Returns 1 and fills `done` if the call that returns was on a regular file and its entry was remembered.
static int file_call_returned(s64 result, struct file_call *done)
{
    struct call call = {};
    if (!call_returned(&call))
        return 0;
    done->took = bpf_ktime_get_ns() - call.since;
    done->operation = call.args[CALL_OPERATION];
    done->file = (struct file *)call.args[CALL_FILE];
    if (done->operation == FILE_OPEN && result >= 0)
        done->file = file_of(result);
    return regular(done->file) != 0;
}

#endif
