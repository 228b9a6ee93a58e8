#!/usr/bin/env bash
# Pictures of each page of the console into docs/images (make demo-screenshots), with headless Chromium.
# usage: scripts/screenshots.sh [--console http://127.0.0.1:9530] [--out FOLDER]
# Without --console it starts a router of its own with the recorded spans in its store, and stops it again.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup-browser.sh
for argument in "$@"; do
    [[ $argument == --console* ]] && exec .venv/bin/python scripts/screenshots.py "$@"
done

scripts/release.sh
work=$(mktemp -d)
router=.build/release/ebpftrace-router
"$router" run --workers 2 --listen 127.0.0.1:0 --console 127.0.0.1:0 --peers 127.0.0.1:0 --worker-listen 127.0.0.1:0 \
    --data-dir "$work/data" --sampling-rate 1 --window 2s > "$work/log" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
address() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/data/listeners.json" 2>/dev/null; }
for _ in {1..100}; do [[ -n $(address console) ]] && break; sleep 0.2; done
[[ -n $(address console) ]] || { echo "screenshots: the router did not start:" >&2; cat "$work/log" >&2; exit 69; }
"$router" replay --to "http://$(address agents)" Tests/Fixtures/real/threads-chain
# The traces close after `window`, and the store writes about once a second.
for _ in {1..120}; do
    curl -fsS "http://$(address console)/api/search?limit=200" 2>/dev/null | grep -q traceID && break
    sleep 0.5
done
sleep 20
.venv/bin/python scripts/screenshots.py --console "http://$(address console)" "$@"
