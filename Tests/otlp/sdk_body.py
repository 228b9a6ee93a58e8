#!/usr/bin/env python3
"""Writes a trace request with events and links as the OpenTelemetry SDK for Python makes it.

usage: sdk_body.py FILE   needs opentelemetry-sdk and opentelemetry-exporter-otlp-proto-common (PyPI; 1.45.2 was used).
Tests/Fixtures/otlp/sdk-python.pb was made by it. Ids and times are fixed, so that tests can name them.
"""
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

START = 1_795_346_416_000_000_000
ELSEWHERE = SpanContext(0x0102030405060708090A0B0C0D0E0F10, 0x1112131415161718, True, TraceFlags(1),
                        TraceState([("vendor", "a1")]))


class Ids(IdGenerator):
    """Counts spans; the trace id is one of Datadog's 128-bit ones: seconds, zeros, 64 random bits."""

    count = 0

    def generate_span_id(self):
        self.count += 1
        return 0x5D00000000000000 + self.count

    def generate_trace_id(self):
        return 0x65F1D4C20000000011223344556677AA


class Keep(SpanExporter):
    def __init__(self):
        self.spans = []

    def export(self, batch):
        self.spans.extend(batch)
        return SpanExportResult.SUCCESS


def main():
    keep = Keep()
    resource = Resource({"service.name": "shop", "host.name": "n1"})
    provider = TracerProvider(resource=resource, id_generator=Ids(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(keep))
    tracer = provider.get_tracer("shop.orders", "1.2")
    root = tracer.start_span(
        "POST /orders", kind=SpanKind.SERVER, start_time=START,
        links=[Link(ELSEWHERE, {"messaging.message.id": "m-17", "n": -5})])
    child = tracer.start_span("reserve", trace.set_span_in_context(root), start_time=START + 1_000_000)
    child.add_event(
        "cache miss", {"key": "stock/4711", "tries": 3, "ratio": 0.25, "warm": False, "hosts": ["a", "b"]},
        timestamp=START + 2_000_000)
    child.add_event("retry", timestamp=START + 2_500_500)
    try:
        raise ValueError("no stock for <4711>")
    except ValueError as error:
        child.record_exception(error, timestamp=START + 3_000_000)
    child.set_status(Status(StatusCode.ERROR, "no stock"))
    child.end(START + 4_000_000)
    root.end(START + 9_000_000)
    with open(sys.argv[1], "wb") as file:
        file.write(encode_spans(keep.spans).SerializeToString())


main()
