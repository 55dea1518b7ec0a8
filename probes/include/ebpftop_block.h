// What a block request is about. Like ebpftop.h, this touches no map.
#pragma once

#define SECTOR_SHIFT 9 // sectors are of 512 bytes, whatever the device's own are

// The whole disk, as a dev_t: a request doesn't know of partitions.
static inline __attribute__((always_inline)) u32 device_of(struct request *request)
{
    struct request_queue *queue = READ(request, q);
    struct gendisk *disk = READ(queue, disk);
    return READ(disk, major) << MINORBITS | READ(disk, first_minor);
}

static inline __attribute__((always_inline)) u32 operation_of(struct request *request)
{
    return READ(request, cmd_flags) & REQ_OP_MASK;
}

// What the parameter device of a probe asks for: a disk, or (while its queue/iostats is on) one of its partitions.
static inline __attribute__((always_inline)) int wanted_device(struct request *request)
{
#ifdef PARAM_device
    if (device_of(request) == PARAM_device)
        return 1;
    struct block_device *part = READ(request, part);
    return part && READ(part, bd_dev) == PARAM_device;
#else
    return 1;
#endif
}
