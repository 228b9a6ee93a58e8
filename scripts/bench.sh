#!/usr/bin/env bash
# Builds the two programs and the load generator in release, then measures (docs/benchmarks.md tells how).
# usage: scripts/bench.sh [ebpftrace-bench arguments; none: the whole table]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/release.sh linking-bench
swift build --package-path Benchmarks -c release
if [[ $# -gt 0 ]]; then
    exec Benchmarks/.build/release/ebpftrace-bench "$@"
fi
points=$(mktemp)
trap 'rm -f "$points"' EXIT
Benchmarks/.build/release/ebpftrace-bench generate --out "$points"
# A gate that does not hold must not hide the figures after it.
failed=0
.build/release/linking-bench --require 'ns<=200' "$points" || failed=1
Benchmarks/.build/release/ebpftrace-bench all \
    --require 'cpu_0.1<=2.5' --require 'cpu_1.0<=4.0' --require 'pss_mb<=250' \
    --require 'export_points<=1.4' --require 'export_otlp<=2.2' \
    --require 'wrong<=0' --require 'failures<=0' || failed=1
Benchmarks/.build/release/ebpftrace-bench store \
    --require 'store_lost<=0' --require 'store_behind<=0' --require 'wrong<=0' --require 'failures<=0' || failed=1
Benchmarks/.build/release/ebpftrace-bench search \
    --require 'search_ms<=300' --require 'trace_ms<=20' \
    --require 'search_wrong<=0' --require 'store_lost<=0' --require 'store_failures<=0' || failed=1
exit "$failed"
