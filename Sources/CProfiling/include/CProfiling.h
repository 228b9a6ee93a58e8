#ifndef EBPFTRACE_PROFILING_H
#define EBPFTRACE_PROFILING_H

#ifdef __cplusplus
extern "C" {
#endif

/// The live allocations by call stack, as tcmalloc sampled them: text, to be freed by the caller.
///
/// `instance`: the address of `MallocExtension::instance`, found at run time. NULL when there is no memory.
char *ebpftrace_heap_sample(void *instance);

#ifdef __cplusplus
}
#endif

#endif
