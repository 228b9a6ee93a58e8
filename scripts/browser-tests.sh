#!/usr/bin/env bash
# Runs the browser tests (Tests/browser) against a console that runs, with Debian's chromium and chromium-driver.
# usage: scripts/browser-tests.sh --console http://127.0.0.1:9530 [--strict] [NAME…]
# exit 69: the browser is missing, or Python's packages cannot be installed.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup-browser.sh
exec .venv/bin/python Tests/browser/run.py "$@"
