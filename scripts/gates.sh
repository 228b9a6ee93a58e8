#!/usr/bin/env bash
# Budgets that must hold on any machine, however noisy: instructions counted by callgrind, not seconds.
# The gate program runs twice with different repetition counts; the difference has no start-up in it.
# usage: scripts/gates.sh [INSTRUCTIONS]     exit 1: over the budget (default 5000 instructions a span).
set -euo pipefail
cd "$(dirname "$0")/.."
budget=${1:-5000}
bodies=(Tests/Fixtures/conformance/mix/input-*.pb)
[[ -e ${bodies[0]} ]] || { echo "gates: no recorded bodies in Tests/Fixtures/conformance/mix" >&2; exit 1; }

gate=.build/release/decode-gate
[[ -x $gate ]] || { echo "gates: build it first: swift build -c release --product decode-gate" >&2; exit 1; }

# Debian's valgrind (3.19) gives up on the debug information that Swift writes, so it gets a copy without any.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strip --strip-debug -o "$work/decode-gate" "$gate"

instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$work/decode-gate" "$1" "${bodies[@]}" \
        > "$work/log" 2>&1 || { tail -n 5 "$work/log" >&2; return 1; }
    sed -n 's/.*Collected *: *\([0-9]*\).*/\1/p' "$work/log"
}
spans=$("$gate" 1 "${bodies[@]}")
once=$(instructions 1)
again=$(instructions 6)
[[ -n $spans && -n $once && -n $again && $spans -gt 0 ]] ||
    { echo "gates: the gate program or callgrind failed" >&2; exit 1; }
per_span=$(( (again - once) / (5 * spans) ))
echo "decode: $per_span instructions a span ($spans spans; budget $budget)"
[[ $per_span -gt 0 && $per_span -le $budget ]]
