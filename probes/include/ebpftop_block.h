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
