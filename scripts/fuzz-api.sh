#!/usr/bin/env bash
# Fuzzes the query API of a running router with schemathesis (PyPI) by docs/openapi.yaml.
# usage: scripts/fuzz-api.sh [CONSOLE_URL]   without an address: starts a router and fills its store with the spans of
# Tests/Fixtures/real/threads-chain. EXAMPLES=n (default 60) cases an endpoint.
# Exit 1 when an answer is a 5xx or does not fit its schema.
set -euo pipefail
cd "$(dirname "$0")/.."
examples=${EXAMPLES:-60}
router=${ROUTER:-.build/debug/ebpftrace-router}
if [[ ! -x .build/fuzz/bin/schemathesis ]]; then
    python3 -m venv .build/fuzz
    .build/fuzz/bin/pip install --quiet schemathesis
fi

url=${1:-}
if [[ -z $url ]]; then
    folder=$(mktemp -d)
    "$router" run --listen 127.0.0.1:0 --console 127.0.0.1:0 --peers 127.0.0.1:0 --worker-listen 127.0.0.1:0 \
        --data-dir "$folder/data" --workers 1 --sampling-rate 1 > "$folder/out" 2> "$folder/err" &
    pid=$!
    trap 'kill "$pid" 2> /dev/null; wait "$pid" 2> /dev/null; rm -rf "$folder"' EXIT
    for _ in $(seq 150); do
        [[ -s $folder/data/listeners.json ]] && break
        sleep 0.2
    done
    url=http://$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["console"])' \
        "$folder/data/listeners.json")
    # Linked by a private router, then posted as any OTLP client would: what is tested here is the API.
    "$router" replay --local --workers 1 --sampling-rate 1 --out "$folder/spans.jsonl" Tests/Fixtures/real/threads-chain
    python3 scripts/post-spans.py "$folder/spans.jsonl" "$url"
    echo "fuzz: $(curl -s "$url/api/search" | grep -o '"traceID"' | wc -l) traces in the first answer of $url"
fi

# Left out: the two paths that answer nothing but 400, the Prometheus text, and what is no GET.
# It keeps what it found in the folder it runs in.
cd .build/fuzz
bin/schemathesis run ../../docs/openapi.yaml --url "$url" --max-examples "$examples" \
    --phases examples,coverage,fuzzing --include-method GET --exclude-path-regex '^/(api/)?metrics' \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance
