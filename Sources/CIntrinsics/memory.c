// The allocator's settings: glibc gives each thread an arena of its own, which suits no program that hands memory on.
#include "CIntrinsics.h"
#if defined(__GLIBC__)
#include <malloc.h>
#endif

void ebpftrace_share_arenas(void) {
#if defined(__GLIBC__)
    mallopt(M_ARENA_MAX, 2);
#endif
}

void ebpftrace_keep_freed(int bytes, int own_pages_from) {
#if defined(__GLIBC__)
    mallopt(M_MMAP_THRESHOLD, own_pages_from);
    mallopt(M_TRIM_THRESHOLD, bytes);
#else
    (void)bytes;
    (void)own_pages_from;
#endif
}
