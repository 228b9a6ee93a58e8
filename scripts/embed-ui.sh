#!/usr/bin/env bash
# Writes Sources/CConsole/console.c, which embeds every file of Sources/Router/UI. Run it after adding or removing one.
# usage: scripts/embed-ui.sh [--check]      --check writes nothing; exit 1: the list is not up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

generate() {
    cat <<'HEAD'
// The files of the console, embedded by the compiler. Written by scripts/embed-ui.sh; do not edit.
#include "console.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

HEAD
    local names=() name
    for path in Sources/Router/UI/*; do names+=("$(basename "$path")"); done
    for name in "${names[@]}"; do
        printf 'static const unsigned char %s[] = {\n#embed "../Router/UI/%s"\n};\n' "${name//[^a-z0-9]/_}" "$name"
    done
    printf '\nstatic const struct console_file files[] = {\n'
    for name in "${names[@]}"; do
        printf '    {"%s", %s, sizeof %s},\n' "$name" "${name//[^a-z0-9]/_}" "${name//[^a-z0-9]/_}"
    done
    printf '};\n'
    cat <<'TAIL'

size_t console_file_count(void) { return sizeof files / sizeof files[0]; }

const struct console_file *console_file_at(size_t index) {
    return index < console_file_count() ? &files[index] : 0;
}
TAIL
}

if [[ ${1:-} == --check ]]; then
    diff <(generate) Sources/CConsole/console.c >/dev/null ||
        { echo "embed-ui: Sources/CConsole/console.c is not up to date; run scripts/embed-ui.sh" >&2; exit 1; }
else
    generate > Sources/CConsole/console.c
fi
