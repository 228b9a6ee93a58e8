#ifndef EBPFTRACE_CONSOLE_H
#define EBPFTRACE_CONSOLE_H

#include <stddef.h>

/// A file of the console, as it was when the program was compiled.
struct console_file {
    /// Name without a folder; ends with 0.
    const char *name;
    const unsigned char *bytes;
    size_t count;
};

/// How many files there are.
size_t console_file_count(void);

/// The file with this index; a null pointer when there is none.
const struct console_file *console_file_at(size_t index);

#endif
