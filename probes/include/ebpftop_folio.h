// The size of a folio in pages. Like ebpftop.h, this touches no map.
#pragma once

static inline __attribute__((always_inline)) u64 pages_of(struct folio *folio)
{
    unsigned long flags = 0; // the first member; its type is its own since Linux 6.18
    bpf_probe_read_kernel(&flags, sizeof(flags), folio);
    if (!(flags & 1UL << PG_head))
        return 1;
#ifdef HAS_folio___nr_pages
    return READ(folio, _nr_pages);
#else
    return READ(folio, _folio_nr_pages);
#endif
}
