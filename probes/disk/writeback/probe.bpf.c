#include "ebpftop.h"

struct event {
    u64 time;
    u64 took;
    u64 pages;
    u32 device;
    u32 filesystem; // the requested one, 0 for all on that device
    u32 reason;     // enum wb_reason
    u32 waits;      // 1 if somebody waits until everything is written
};
BPF_RINGBUF_OUTPUT(events, 64);

struct round {
    u64 since;
    u64 pages; // still to write
};
BPF_HASH(rounds, u32, struct round); // by thread; bounded: by the kernel's writeback threads

// The disk; for a file system without one (network, or several disks) its own device number.
static u32 device_behind(struct bdi_writeback *wb, u32 filesystem)
{
    struct device *disk = READ(READ(wb, bdi), owner);
    u32 number = disk ? READ(disk, devt) : 0;
    return number ?: filesystem;
}

int on_start(struct bpf_raw_tracepoint_args *ctx)
{
    struct wb_writeback_work *work = (struct wb_writeback_work *)ctx->args[1];
    u32 thread = bpf_get_current_pid_tgid();
    struct round round = {.since = bpf_ktime_get_ns(), .pages = READ(work, nr_pages)};
    if (rounds.update(&thread, &round))
        map_full();
    return 0;
}

int on_written(struct bpf_raw_tracepoint_args *ctx)
{
    u32 thread = bpf_get_current_pid_tgid();
    struct round *found = rounds.lookup(&thread);
    if (!found)
        return 0;
    struct round round = *found;
    rounds.delete(&thread);
    u64 now = bpf_ktime_get_ns();
#ifdef PARAM_slower
    if (now - round.since <= PARAM_slower)
        return 0;
#endif
    struct bdi_writeback *wb = (struct bdi_writeback *)ctx->args[0];
    struct wb_writeback_work *work = (struct wb_writeback_work *)ctx->args[1];
    struct super_block *sb = READ(work, sb);
    struct event *event = events.ringbuf_reserve(sizeof(struct event));
    if (!event) {
        ring_full();
        return 0;
    }
    event->time = now;
    event->took = now - round.since;
    event->pages = round.pages - READ(work, nr_pages);
    event->filesystem = sb ? READ(sb, s_dev) : 0;
    event->device = device_behind(wb, event->filesystem);
    event->reason = READ(work, reason);
    event->waits = READ(work, sync_mode);
    events.ringbuf_submit(event, wake_up(sizeof(*event)));
    return 0;
}
