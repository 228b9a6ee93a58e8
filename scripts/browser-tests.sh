#!/usr/bin/env bash
# Runs the browser tests (Tests/browser) against a console, with Debian's chromium and chromium-driver.
# usage: scripts/browser-tests.sh [--strict] [NAME…] [--console http://127.0.0.1:9530]
# Without --console it starts the release build with recorded spans. With --strict a test without data to look at fails.
# exit 69: the browser is missing, Python's packages cannot be installed, or the router does not start.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup-browser.sh
run=(.venv/bin/python Tests/browser/run.py "$@")
[[ " $* " == *" --console"* ]] && exec "${run[@]}"
exec scripts/with-console.sh "${run[@]}"
