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
