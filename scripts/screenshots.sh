#!/usr/bin/env bash
# Pictures of each page of the console into docs/images (make demo-screenshots), with headless Chromium.
# usage: scripts/screenshots.sh [--out FOLDER] [--console http://127.0.0.1:9530]
# Without --console it builds the programs and starts a router of its own with recorded spans.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup-browser.sh
take=(.venv/bin/python scripts/screenshots.py "$@")
[[ " $* " == *" --console"* ]] && exec "${take[@]}"
scripts/release.sh
exec scripts/with-console.sh "${take[@]}"
