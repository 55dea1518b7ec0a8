// Frames of CPython's interpreter, 3.11 to 3.14, in the memory of the current process: where its structs have what is read
// of them. From 3.13 on a build says so itself, and one that says otherwise isn't put into `stacks_pythons`. Touches no map.
#pragma once

#define PYTHON_FRAMES 128             // that are looked at,
#define PYTHON_SKIPPED 384            // of more, that are passed over to find the call of the loop that runs them
#define PYTHON_NEW 16                 // functions that one sample tells
#define PYTHON_ENTRIES 256            // and what a copy has room for: frames, and where loops keep their own variables
#define PYTHON_THREADS 256            // that are looked at to find the current one
#define PYTHON_NAME 256               // bytes of a function's name and one more,
#define PYTHON_FILE 512               // of the end of its file's,
#define PYTHON_LINES 8192             // and of the beginning of its table of lines
#define PYTHON_UNREADABLE 0xffffffffU // in place of a function's number

// In a walk and in a copy: why there are no frames, or that there are.
#define PYTHON_NONE 0   // no Python, or none that is known yet
#define PYTHON_THREAD 1 // this thread runs no Python
#define PYTHON_WALKED 2 // these are all
#define PYTHON_DEEPER 3 // the last call of the loop runs more than there are

// A program in memory: where its first stack and its code begin. Processes that were forked from one another share it.
struct python_program {
    u64 top;
    u64 code;
};

// Its interpreter, as the collector has found out: where _PyRuntime is, and distances in it and in an interpreter's state.
struct python {
    u64 runtime;
    u32 minor; // 14: it is 3.14
    u32 interpreters;
    u32 next;
    u32 threads;
};

struct python_code_at {
    u64 top;
    u64 code; // of the program
    u64 at;
};

// What was there when a number was given; it is another function where that differs.
struct python_code {
    u64 file;
    u64 name;
    u64 lines;
    u32 first;
    u32 id;
};

// The frames of a thread, and those whose functions have no number yet.
struct python_walk {
    u32 found;
    u32 count;
    u64 entries[PYTHON_ENTRIES]; // see python_walk()
    u32 fresh;
    u32 entry[PYTHON_NEW]; // which one it is
    u64 code[PYTHON_NEW];
    u64 raw[10]; // of the frame, as more than there is room for on a program's stack
};

// A function's code, as it is read once. Texts are as CPython keeps them: `state` says in which form. It ends where
// `lines` does.
struct python_function {
    u32 id;
    u32 minor;
    u32 first; // line
    u32 name_state;
    u32 name_length; // characters
    u32 file_state;
    u32 file_length;
    u32 lines_length; // bytes
    u8 name[PYTHON_NAME];
    u8 file[PYTHON_FILE];
    char lines[PYTHON_LINES];
};

static inline __attribute__((always_inline)) u64 user_word(u64 at)
{
    u64 word = 0;
    bpf_probe_read_user(&word, sizeof(word), (void *)at);
    return word;
}

static inline __attribute__((always_inline)) u32 user_half(u64 at)
{
    u32 half = 0;
    bpf_probe_read_user(&half, sizeof(half), (void *)at);
    return half;
}

// One whose thread pointer is this: a thread's number is another one in a container, and after a fork.
static inline __attribute__((always_inline)) int python_is_of(u64 state, u32 minor, u64 pointer)
{
    return user_word(state + (minor == 12 ? 136 : 152)) == pointer;
}

static inline __attribute__((always_inline)) u64 python_find(const struct python *python, u64 pointer)
{
    u64 interpreter = user_word(python->runtime + python->interpreters);
    u64 state = user_word(interpreter + python->threads);
    for (u32 at = 0; at < PYTHON_THREADS && interpreter; at++) {
        if (!state) {
            interpreter = user_word(interpreter + python->next);
            state = user_word(interpreter + python->threads);
        } else if (python_is_of(state, python->minor, pointer)) {
            return state;
        } else {
            state = user_word(state + 8);
        }
    }
    return 0;
}

// All ones if a < b, else 0. No branch in what follows a loop's turns, as the verifier would follow both sides of each.
static inline __attribute__((always_inline)) u64 if_less(u64 a, u64 b)
{
    u64 less = (u64)((s64)(a - b) >> 63);
    asm volatile("" : "+r"(less));
    return less;
}

// Copy a text: less than `room` bytes, a power of two; of a longer one four bytes less, at its beginning or end. Sets its state, 0 where it is none, and its
// length in characters.
static inline __attribute__((always_inline)) void python_text(u8 *to, u64 room, u64 text, u64 old, u64 end, u32 *state,
                                                              u32 *length)
{
    u64 how = user_half(text + 32), kind = how >> 2 & 7, wide = ~how >> 6 & 1, count = user_half(text + 16);
    u64 size = count * kind, kept = room - 4, less = if_less(size, room);
    u64 from = text + 40 + (old & 8) + wide * (16 + (old & 8)) + (~less & end & (size - kept));
    size = (size & less) | (kept & ~less);
    size &= 0 - (how >> 5 & 1); // in one piece with its head
    asm volatile("" : "+r"(size));
    size &= room - 1;
    long failed = bpf_probe_read_user(to, size, (void *)from);
    *state = how & ~(u64)(failed >> 63) & (0 - (how >> 5 & 1));
    *length = count;
}
