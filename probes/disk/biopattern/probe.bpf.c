#include "ebpftop.h"
#include "ebpftop_block.h"

struct pattern {
    u64 position; // the sector after the last request's
    u64 sequential;
    u64 random;
    u64 bytes;
};
BPF_HASH(pattern, u32, struct pattern); // by device; bounded: by the devices

int on_complete(struct bpf_raw_tracepoint_args *ctx)
{
    struct request *request = (struct request *)ctx->args[0];
    u32 operation = operation_of(request);
    u32 bytes = ctx->args[2]; // a request completed in parts counts as several
    if (!bytes || (operation != REQ_OP_READ && operation != REQ_OP_WRITE))
        return 0;
    if (!wanted_device(request))
        return 0;
    u32 device = device_of(request);
    struct pattern zero = {};
    struct pattern *disk = pattern.lookup_or_try_init(&device, &zero);
    if (!disk) {
        map_full();
        return 0;
    }
    u64 sector = READ(request, __sector);
    u64 *counter = disk->position == sector ? &disk->sequential : &disk->random;
    __sync_fetch_and_add(counter, 1);
    __sync_fetch_and_add(&disk->bytes, bytes);
    disk->position = sector + (bytes >> SECTOR_SHIFT);
    return 0;
}
