// Python functions on copied stacks. The collector says which programs are a Python; of these each copy holds the frames of
// the current thread, and each function is told once, with its name, file and lines. Spliced by ebpftop_copies_maps.h.
#ifndef EBPFTOP_PYTHON_MAPS
#define EBPFTOP_PYTHON_MAPS

#include "ebpftop_copies.h"
#ifdef COPIES
BPF_TABLE("lru_hash", struct python_program, struct python, stacks_pythons, 1024);
BPF_TABLE("lru_hash", u32, u64, stacks_python_threads, 8192); // the state of a thread, where it was last
BPF_TABLE("lru_hash", struct python_code_at, struct python_code, stacks_python_codes, 16384);
BPF_RINGBUF_OUTPUT(stacks_python_functions, 512);
BPF_PERCPU_ARRAY(stacks_python_walk, struct python_walk, 1);
BPF_PERCPU_ARRAY(stacks_python_next, u32, 1);                    // numbers that a CPU has given
BPF_PERCPU_ARRAY(stacks_python_made, struct python_function, 1); // one in the making

// The number of a function, PYTHON_UNREADABLE if it has none. is: gets what is there.
static u32 python_number(struct python_code_at *at, u64 old, struct python_code *is)
{
    u64 texts[4] = {}; // file, name, qualified name, lines
    bpf_probe_read_user(texts, sizeof(texts), (void *)(at->at + 112));
    is->file = texts[0];
    is->name = texts[2];
    is->lines = texts[3];
    is->first = user_half(at->at + 68 + (old & 4));
    struct python_code *known = stacks_python_codes.lookup(at);
    if (known &&
        !(known->file ^ is->file | known->name ^ is->name | known->lines ^ is->lines | known->first ^ is->first))
        return known->id;
    return PYTHON_UNREADABLE;
}

// The same of one that may have none yet: it is told.
static u32 python_tell(struct python_code_at *at, u32 minor, u64 old)
{
    struct python_code told;
    u32 number = python_number(at, old, &told), only = 0;
    if (number != PYTHON_UNREADABLE)
        return number;
    u32 *next = stacks_python_next.lookup(&only);
    struct python_function *made = stacks_python_made.lookup(&only);
    if (!next || !made)
        return PYTHON_UNREADABLE; // never
    *next += 1;
    told.id = (*next & 0xfffff) << 11 | bpf_get_smp_processor_id() & 0x7ff;
    made->id = told.id;
    made->minor = minor;
    made->first = told.first;
    python_text(made->name, PYTHON_NAME, told.name, old, 0, &made->name_state, &made->name_length);
    python_text(made->file, PYTHON_FILE, told.file, old, ~0ULL, &made->file_state, &made->file_length);
    u64 length = user_half(told.lines + 16), less = if_less(length, PYTHON_LINES);
    u64 kept = (length & less) | (PYTHON_LINES - 1 & ~less);
    made->lines_length = length;
    asm volatile("" : "+r"(kept));
    kept &= PYTHON_LINES - 1;
    bpf_probe_read_user(made->lines, kept, (void *)(told.lines + 32));
    u64 size = offsetof(struct python_function, lines) + kept;
    if (stacks_python_functions.ringbuf_output(made, size, wake_up(size)))
        return PYTHON_UNREADABLE; // the next sample tries again
    stacks_python_codes.update(at, &told);
    return told.id;
}

static u64 python_state(const struct python *python, struct task_struct *task)
{
    u32 tid = bpf_get_current_pid_tgid();
    u64 pointer = READ(task, thread.fsbase), *last = stacks_python_threads.lookup(&tid);
    if (last && python_is_of(*last, python->minor, pointer))
        return *last;
    u64 found = python_find(python, pointer);
    if (found)
        stacks_python_threads.update(&tid, &found);
    return found;
}

// The frames of the current thread, whose stack begins at `sp`, innermost first: the function's number in the upper half,
// the distance of its instruction from its code in the lower. Behind those that one call of the evaluation loop runs
// stands, below a number of 0, where on the stack that call keeps its own variables, as the distance from rsp. Returns 0
// where there is no Python, or none that is known yet.
static struct python_walk *python_walk(struct task_struct *task, u64 sp)
{
    struct mm_struct *mm = READ(task, mm);
    struct python_program program = {.top = READ(mm, start_stack), .code = READ(mm, start_code)};
    struct python_code_at code = {.top = program.top, .code = program.code};
    struct python *python = stacks_pythons.lookup(&program);
    u32 only = 0;
    struct python_walk *walk = stacks_python_walk.lookup(&only);
    if (!python || !walk)
        return 0;
    u64 state = python_state(python, task), loop, frame;
    walk->fresh = walk->count = 0;
    walk->found = PYTHON_THREAD;
    if (!state)
        return walk;
    u32 minor = python->minor;
    u64 old = if_less(minor, 12), new = ~if_less(minor, 14); // 3.11; 3.14
    loop = user_word(state + 56);
    frame = user_word(minor <= 12 ? loop + (old & 8) : state + 72);
    walk->found = PYTHON_DEEPER;
    for (u32 turn = 0; turn < PYTHON_FRAMES; turn++) {
        u64 *raw = walk->raw;
        if (bpf_probe_read_user(raw, sizeof(walk->raw), (void *)frame)) {
            walk->found = PYTHON_WALKED;
            break;
        }
        u64 owner = (raw[8] >> 32 & 255 & old) | (raw[8] >> 48 & 255 & ~old & ~new) | (raw[9] >> 16 & 255 & new);
        u64 own = ~if_less(owner, 3) & ~old; // no function's frame, but the loop's
        code.at = (raw[4] & old) | (raw[0] & ~old & ~7ULL);
        u32 count = walk->count; // kept there, as the verifier would follow each value that it can have
        u64 number = 0;
        if (!own) {
            struct python_code is;
            number = python_number(&code, old, &is);
            if (number == PYTHON_UNREADABLE) {
                walk->code[walk->fresh & PYTHON_NEW - 1] = code.at;
                walk->entry[walk->fresh & PYTHON_NEW - 1] = count;
                walk->fresh += 1;
            }
        }
        u64 place = (u32)((own & frame | ~own & loop) - sp), in = number << 32 | (u32)(raw[7] - code.at);
        walk->entries[count & PYTHON_ENTRIES - 1] = own & place | ~own & in;
        walk->entries[count + 1 & PYTHON_ENTRIES - 1] = place; // where this call of the loop ends,
        walk->count = count + 1 + (owner & old & 1);           // if it does
        if (owner & old)
            loop = user_word(loop + 16);
        frame = (raw[6] & old) | (raw[1] & ~old);
    }
    for (u32 turn = 0; turn < PYTHON_NEW && turn < walk->fresh; turn++) {
        u32 at = walk->entry[turn] & PYTHON_ENTRIES - 1;
        code.at = walk->code[turn];
        walk->entries[at] = (u64)python_tell(&code, minor, old) << 32 | (u32)walk->entries[at];
    }
    if (!frame)
        walk->found = PYTHON_WALKED;
    if (walk->found != PYTHON_DEEPER)
        return walk;
    for (u32 turn = 0; turn < PYTHON_SKIPPED && minor > 11; turn++) {
        if ((user_word(frame + 64 + (new & 8)) >> (48 - (new & 32)) & 255) >= 3)
            break;
        frame = user_word(frame + 8);
        if (!frame)
            return walk;
    }
    walk->entries[walk->count & PYTHON_ENTRIES - 1] = (u32)((minor > 11 ? frame : loop) - sp);
    walk->count += 1;
    return walk;
}
#endif

#endif
