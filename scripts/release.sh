#!/usr/bin/env bash
# Builds the two programs in release, and what else is named: scripts/release.sh [PRODUCT…]
set -euo pipefail
cd "$(dirname "$0")/.."
for product in ebpftrace-router ebpftrace-worker "$@"; do
    swift build -c release --product "$product"
done
