#!/usr/bin/env bash
# All checks in one order: text, release build, debug build, tests, gates. One build of each kind.
# Leaves the result of the tests in .build/tests.xml (or .build/tests-swift-testing.xml).
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s (%d s so far)\n' "$1" "$SECONDS"; }

rm -f .build/tests.xml .build/tests-swift-testing.xml
step "tidy";          scripts/tidy.sh
step "release build"; scripts/release.sh decode-gate export-gate
step "debug build";   swift build --build-tests
step "tests"
EBPFTRACE_BIN="$PWD/.build/release" \
    swift test --skip-build --disable-xctest --xunit-output .build/tests.xml
step "otlp";          .venv/bin/python Tests/otlp/check.py .build/release
step "browser";       scripts/browser-tests.sh --strict
step "gates";         scripts/gates.sh
step "done"
