#!/usr/bin/env python3
"""Posts exported spans (JSON lines of the file target or of replay) to a console as OTLP JSON.

usage: post-spans.py FILE.jsonl CONSOLE_URL
Fields become attributes under ebpf., as the store target writes them. For tests; workers post protobuf themselves.
"""
import json
import sys
import urllib.request

MARKS = ("late", "root_missing", "truncated")


def value(item):
    if isinstance(item, bool):
        return {"boolValue": item}
    if isinstance(item, int):
        return {"intValue": str(item)}
    return {"doubleValue": item} if isinstance(item, float) else {"stringValue": item}


def span(fields):
    start = int(fields.get("start", 0)) * 1000
    duration = int(fields.get("duration", -1))
    attributes = {"ebpf." + key: item for key, item in fields.items() if key not in MARKS}
    if "link_evidence" in fields:
        attributes["ebpftrace.evidence"] = fields["link_evidence"]
    for mark in MARKS:
        if mark in fields:
            attributes["ebpftrace." + mark] = True
    if duration < 0:
        attributes["ebpftrace.open"] = True
    parent = fields["ebpf_parent_id"]
    return {
        "traceId": fields["ebpf_trace_id"],
        "spanId": fields["span_id"],
        "parentSpanId": "" if parent == "0" else parent,
        "name": fields.get("resource") or fields.get("operation", ""),
        "kind": 2 if fields.get("direction") == "incoming" else 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + max(0, duration) * 1000),
        "attributes": [{"key": key, "value": value(item)} for key, item in attributes.items()],
        "status": {"code": 2} if fields.get("status") == "error" else {},
    }


def post(url, services):
    body = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeSpans": [{"scope": {"name": "ebpftrace"}, "spans": spans}],
            }
            for service, spans in services.items()
        ]
    }
    request = urllib.request.Request(
        url + "/v1/traces", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


def main():
    path, url = sys.argv[1:3]
    services, count = {}, 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            fields = json.loads(line)
            if "span_id" not in fields:
                continue
            services.setdefault(fields.get("service", ""), []).append(span(fields))
            count += 1
            if count % 1000 == 0:
                post(url, services)
                services = {}
    if services:
        post(url, services)
    print(f"post-spans: {count} spans")


main()
