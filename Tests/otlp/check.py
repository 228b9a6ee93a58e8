#!/usr/bin/env python3
"""What real workers send as OTLP, read by code that no one here wrote: opentelemetry-proto from PyPI.

usage: .venv/bin/python Tests/otlp/check.py FOLDER_OF_THE_PROGRAMS

For each compression a router with two workers gets recorded bodies and exports to a file and to a receiver here, which
answers 503 with Retry-After to one request and a partial success to another. Count, ids, parents, kinds, evidence and
times of the decoded spans must be those of the file. Exit 1: they are not.
"""
import gzip
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCENARIOS = ["protocols", "app-datadog", "app-w3c-as-sent", "ipv6"]
REJECTED = 2


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps the bodies that it answered with 200."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.count = 0
        self.taken = []
        self.problems = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.count += 1
            number = self.server.count
        if self.path != "/v1/traces" or self.headers["Content-Type"] != "application/x-protobuf":
            self.server.problems.append(f"{self.path} with {self.headers['Content-Type']}")
        if self.headers["X-Token"] != "s3cret":
            self.server.problems.append("the header of the target is missing")
        answer = ExportTraceServiceResponse()
        if number == 1:
            return self.answer(503, b"", {"Retry-After": "1"})
        if number == 2:
            answer.partial_success.rejected_spans = REJECTED
            answer.partial_success.error_message = "two of them are too odd"
        with self.server.lock:
            self.server.taken.append((self.headers.get("Content-Encoding"), body))
        self.answer(200, answer.SerializeToString(), {"Content-Type": "application/x-protobuf"})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def get(address, path):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
        return answer.read()


def wait(what, seconds, condition):
    end = time.time() + seconds
    while time.time() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise SystemExit(f"otlp: waited {seconds} s for {what}")


def listeners(folder):
    try:
        with open(os.path.join(folder, "listeners.json")) as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None


def ready(console):
    try:
        return get(console, "/readyz") is not None
    except OSError:
        return False


def bodies():
    for scenario in SCENARIOS:
        folder = os.path.join(ROOT, "Tests/Fixtures/conformance", scenario)
        for name in sorted(os.listdir(folder)):
            if name.endswith(".pb"):
                with open(os.path.join(folder, name), "rb") as file:
                    yield file.read()


def run(programs, compression):
    """The spans of the file target and the requests of the OTLP target of one run."""
    receiver = Receiver()
    with tempfile.TemporaryDirectory() as folder:
        data, traces = os.path.join(folder, "data"), os.path.join(folder, "traces")
        url = f"http://127.0.0.1:{receiver.server_address[1]}"
        target = {"otlp": url, "headers": {"X-Token": "s3cret"}, "compression": compression, "fields": "all"}
        with open(os.path.join(folder, "settings.yaml"), "w") as file:
            json.dump({"target": [{"file": traces}, target], "sampling_rate": 1, "window": "2s"}, file)
        free = "127.0.0.1:0"
        command = [os.path.join(programs, "ebpftrace-router"), "run", "--workers", "2", "--config", file.name]
        command += ["--log-level", "error"]
        for flag in ["--listen", "--console", "--peers", "--worker-listen"]:
            command += [flag, free]
        router = subprocess.Popen(command + ["--data-dir", data], stdout=subprocess.DEVNULL)
        try:
            addresses = wait("the router", 60, lambda: listeners(data))
            wait("the workers", 60, lambda: ready(addresses["console"]))
            for body in bodies():
                kind = {"Content-Type": "application/protobuf; proto=com.guance.Point"}
                request = urllib.request.Request(f"http://{addresses['agents']}/v1/bpftracing", body, kind)
                urllib.request.urlopen(request, timeout=10).read()
            def settled():
                status = json.loads(get(addresses["console"], "/status"))
                return status if status["spansAccepted"] > 0 and status["spansHeld"] == 0 else None
            status = wait("the export", 120, settled)
        finally:
            router.terminate()
            router.wait(30)
        lines = []
        for name in sorted(os.listdir(traces)):
            if name.startswith("traces-"):
                with open(os.path.join(traces, name)) as file:
                    lines += [json.loads(line) for line in file]
    receiver.shutdown()
    return lines, receiver, status


def unpack(encoding, body):
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "zstd":
        return subprocess.run(["zstd", "-dc"], input=body, stdout=subprocess.PIPE, check=True).stdout
    return body


def value(any_value):
    return getattr(any_value, any_value.WhichOneof("value") or "string_value")


def identity(number, digits):
    """An id as the file target prints it: hexadecimal, or decimal in the form of a Datadog application."""
    forms = {number.hex()}
    if digits == 16 or not any(number[:8]):
        forms.add(str(int.from_bytes(number[-8:], "big")))
    return forms


def compare(span, line, problems):
    attributes = {one.key: value(one.value) for one in span.attributes}
    side = {"incoming": ("SERVER", "CONSUMER"), "outgoing": ("CLIENT", "PRODUCER")}[line["direction"]]
    kind = Span.SpanKind.Name(span.kind)
    checks = {
        "trace_id": line["trace_id"] in identity(span.trace_id, 32),
        "parent_id": line["parent_id"] in (identity(span.parent_span_id, 16) if span.parent_span_id else {"0"}),
        "kind": kind.removeprefix("SPAN_KIND_") in side,
        "evidence": attributes.get("ebpftrace.evidence") == line.get("link_evidence"),
        "start": span.start_time_unix_nano == line["start"] * 1000,
        "end": span.end_time_unix_nano == (line["start"] + max(0, line["duration"])) * 1000,
        "fields": all(
            attributes.get("ebpf." + name) == line[name]
            for name in ["req_seq", "resp_seq", "thread_trace_id", "pid", "ktime", "src_ip", "resource"]),
        "name": span.name != "",
    }
    problems += [f"{line['span_id']}: {name} differs" for name, holds in checks.items() if not holds]


def check(programs, compression):
    lines, receiver, status = run(programs, compression)
    problems = receiver.problems
    spans, services = {}, {}
    for encoding, body in receiver.taken:
        if encoding != (None if compression == "none" else compression):
            problems.append(f"Content-Encoding is {encoding}")
        request = ExportTraceServiceRequest.FromString(unpack(encoding, body))
        for group in request.resource_spans:
            resource = {one.key: value(one.value) for one in group.resource.attributes}
            for scope in group.scope_spans:
                for span in scope.spans:
                    spans[span.span_id.hex()] = span
                    services[span.span_id.hex()] = resource["service.name"]
    if len(lines) != len(spans) or len(lines) < 100:
        problems.append(f"the file has {len(lines)} spans, the receiver {len(spans)}")
    for line in lines:
        span = spans.get(line["span_id"])
        if span is None:
            problems.append(f"{line['span_id']} did not arrive")
            continue
        compare(span, line, problems)
        if services[line["span_id"]] != line["service"]:
            problems.append(f"{line['span_id']}: the service differs")
    rejected = status["spansDropped"].get("rejected_by_receiver", 0)
    if rejected != REJECTED:
        problems.append(f"{rejected} spans are counted as rejected, not {REJECTED}")
    print(f"otlp: {compression}: {len(spans)} spans in {len(receiver.taken)} requests, {len(problems)} problems")
    for problem in problems[:10]:
        print("  " + problem)
    return not problems


if __name__ == "__main__":
    results = [check(sys.argv[1], compression) for compression in ["none", "gzip", "zstd"]]
    sys.exit(0 if all(results) else 1)
