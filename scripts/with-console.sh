#!/usr/bin/env bash
# Starts the release build of the router with recorded spans in its store, runs a command with `--console URL` added,
# and stops the router again.
# usage: scripts/with-console.sh COMMAND [ARGUMENT…]      exit 69: the router did not start, or has no traces.
set -euo pipefail
cd "$(dirname "$0")/.."
router=.build/release/ebpftrace-router
[[ -x $router ]] || { echo "with-console: build it first: scripts/release.sh" >&2; exit 69; }
work=$(mktemp -d)
"$router" run --workers 2 --listen 127.0.0.1:0 --console 127.0.0.1:0 --peers 127.0.0.1:0 --worker-listen 127.0.0.1:0 \
    --data-dir "$work/data" --sampling-rate 1 --window 2s > "$work/log" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT
failed() { echo "with-console: $1" >&2; tail -n 20 "$work/log" >&2; exit 69; }
address() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/data/listeners.json" 2>/dev/null || true; }

for _ in {1..150}; do [[ -n $(address console) ]] && break; sleep 0.2; done
[[ -n $(address console) ]] || failed "the router did not start"
console="http://$(address console)"
"$router" replay --to "http://$(address agents)" Tests/Fixtures/real/threads-chain >&2

# Traces close some seconds after their last span, and the store writes about once a second: wait until no more come.
found() { curl -fsS "$console/api/search?limit=1000" 2>/dev/null | grep -o '"traceID"' | wc -l || true; }
before=0 quiet=0
for _ in {1..60}; do
    sleep 2
    now=$(found)
    if [[ $now -gt 0 && $now -eq $before ]]; then quiet=$((quiet + 1)); else quiet=0; fi
    before=$now
    [[ $quiet -ge 4 ]] && break
done
[[ $before -gt 0 ]] || failed "no traces came into the store"
"$@" --console "$console"
