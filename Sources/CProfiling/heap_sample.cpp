// tcmalloc tells its samples through a C++ class only. The class is declared by its header; the one function that is
// called by name is found at run time, so that nothing is linked (Gperftools.swift says why).
#include "CProfiling.h"

#include <gperftools/malloc_extension.h>

#include <cstring>
#include <string>

char *ebpftrace_heap_sample(void *instance) {
    auto find = reinterpret_cast<MallocExtension *(*)()>(instance);
    std::string text;
    find()->GetHeapSample(&text);
    return strdup(text.c_str());
}
