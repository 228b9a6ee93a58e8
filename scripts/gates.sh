#!/usr/bin/env bash
# Budgets that must hold on any machine, however noisy: instructions counted by callgrind, not seconds.
# Each gate program runs twice with different repetition counts; the difference has no start-up in it.
# usage: scripts/gates.sh [INSTRUCTIONS]     exit 1: over a budget (default of decoding: 5000 instructions a span).
set -euo pipefail
cd "$(dirname "$0")/.."
bodies=(Tests/Fixtures/conformance/mix/input-*.pb)
[[ -e ${bodies[0]} ]] || { echo "gates: no recorded bodies in Tests/Fixtures/conformance/mix" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for gate in decode-gate export-gate; do
    [[ -x .build/release/$gate ]] ||
        { echo "gates: build it first: swift build -c release --product $gate" >&2; exit 1; }
    # Debian's valgrind (3.19) gives up on the debug information that Swift writes, so it gets a copy without any.
    strip --strip-debug -o "$work/$gate" ".build/release/$gate"
done

instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" "${bodies[@]}" \
        > "$work/log" 2>&1 || { tail -n 5 "$work/log" >&2; return 1; }
    sed -n 's/.*Collected *: *\([0-9]*\).*/\1/p' "$work/log"
}

# Label, budget, program and its arguments before the repetitions.
failed=0
gate() {
    local label=$1 budget=$2 program=$work/$3 spans once again per_span
    shift 3
    read -r spans _ < <("$program" "$@" 1 "${bodies[@]}")
    once=$(instructions "$program" "$@" 1)
    again=$(instructions "$program" "$@" 6)
    [[ -n $spans && -n $once && -n $again && $spans -gt 0 ]] ||
        { echo "gates: the gate program or callgrind failed" >&2; exit 1; }
    per_span=$(( (again - once) / (5 * spans) ))
    echo "$label: $per_span instructions a span ($spans spans; budget $budget)"
    [[ $per_span -gt 0 && $per_span -le $budget ]] || failed=1
}
gate decode "${1:-5000}" decode-gate
gate "export as points" 4300 export-gate points
gate "export as OTLP" 9500 export-gate otlp
gate "export as OTLP with link facts" 12000 export-gate otlp-link
exit "$failed"
