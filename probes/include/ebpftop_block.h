// Fields of block requests. Like ebpftop.h, this touches no map.
#pragma once

#define SECTOR_SHIFT 9 // a sector is 512 bytes, whatever the device's block size

// The whole disk, as a dev_t: requests don't carry partitions.
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

// Whether the parameter device selects this request: by disk or, while its queue/iostats is on, by partition.
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
