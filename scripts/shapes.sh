#!/usr/bin/env bash
# Inputs that made the old collector take exponential time, through the linking core (ns a span, exit 1 when a span has
# no verdict) or through the whole product (CPU, peak of PSS, summary). Needs 330 bytes of disk a span under TMPDIR, and
# for the core 300 bytes of memory a span. Build first: scripts/release.sh linking-bench; make bench.
# usage: scripts/shapes.sh core|replay SPANS [chain|star|thread|equal-keys …]
set -euo pipefail
cd "$(dirname "$0")/.."
way=${1:?usage: scripts/shapes.sh core|replay SPANS [SHAPE …]}
spans=${2:?usage: scripts/shapes.sh core|replay SPANS [SHAPE …]}
shift 2
[[ $# -gt 0 ]] || set -- chain star thread equal-keys
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
status=0
for shape in "$@"; do
    file=$folder/$shape.pb
    Benchmarks/.build/release/ebpftrace-bench generate --shape "$shape" --spans "$spans" --out "$file" 2>/dev/null
    echo "== $shape, $spans spans"
    case $way in
        core) .build/release/linking-bench --passes 1 "$file" || status=$? ;;
        replay)
            scripts/measure-replay.py --spans "$spans" "$file" --sampling-rate 0.1 --workers 2 --store false \
                || status=$? ;;
        *) echo "$way is neither core nor replay" >&2; exit 64 ;;
    esac
    rm -f "$file"
done
exit "$status"
