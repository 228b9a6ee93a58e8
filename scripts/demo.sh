#!/usr/bin/env bash
# Real spans become traces: builds the two programs and runs `ebpftrace-router demo` on recorded spans.
# On a terminal the router keeps running until Ctrl-C; otherwise it stops when the traces are shown.
set -euo pipefail
cd "$(dirname "$0")/.."
echo "Building in release: a cold build takes about 11 minutes on 2 cores, the next ones seconds."
scripts/release.sh
exec .build/release/ebpftrace-router demo Tests/Fixtures/real/threads-chain
