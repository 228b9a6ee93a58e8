#ifndef EBPFTRACE_CINTRINSICS_H
#define EBPFTRACE_CINTRINSICS_H
// What Swift has no spelling for: CRC32C instructions, cache prefetch, the allocator's settings.
#include <stddef.h>
#include <stdint.h>

/// CRC32C (Castagnoli) of `count` bytes, continuing from `crc` (0 to begin).
uint32_t ebpftrace_crc32c(uint32_t crc, const void *bytes, size_t count);

/// The same without the processor's instruction: for other processors, and for the test that both are equal.
uint32_t ebpftrace_crc32c_portable(uint32_t crc, const void *bytes, size_t count);

/// Asks the cache to load the line at `address`; never faults.
static inline void ebpftrace_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }

/// Limits glibc's malloc to two arenas, so that what one thread frees another can use. Nothing elsewhere.
void ebpftrace_share_arenas(void);

/// Lets glibc's malloc keep up to `bytes` of freed memory instead of giving every large block back to the kernel, whose
/// pages cost more to fill with zeros than the bytes that are written into them. Nothing elsewhere.
/// Blocks of `own_pages_from` bytes and more come from pages of their own.
void ebpftrace_keep_freed(int bytes, int own_pages_from);

#endif
