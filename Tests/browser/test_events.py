"""Spans of an SDK: what it noted within them, and the other spans that they name."""
import json
import pathlib
import urllib.request

from console import ConsoleTest

# Made by the OpenTelemetry SDK for Python, see Tests/otlp/sdk_body.py.
BODY = pathlib.Path(__file__).parent.parent / "Fixtures/otlp/sdk-python.pb"
TRACE = "65f1d4c20000000011223344556677aa"


class Events(ConsoleTest):
    def setUp(self):
        super().setUp()
        request = urllib.request.Request(
            f"{self.address}/v1/traces", BODY.read_bytes(), {"Content-Type": "application/x-protobuf"})
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            self.skipTest(f"the store takes no spans: {error.code}")

    def span(self, name):
        trace = self.api(f"/api/trace/{TRACE}")
        span = next(span for span in trace["spans"] if span["name"] == name)
        self.open(f"#/trace/{TRACE}?span={span['id']}")
        self.one(".detail .group")
        return span

    def test_details_list_every_event_and_link(self):
        span = self.span("reserve")
        panel = self.text(".detail")
        self.assertEqual(len(self.all(".detail .events .event")), len(span["events"]))
        for event in span["events"]:
            self.assertIn(event["name"], panel)
            for key, value in event["attributes"].items():
                self.assertIn(key, panel)
                if isinstance(value, str):
                    self.assertIn(value.splitlines()[0], panel)
        self.assertIn("1 ms into the span", panel)
        self.assertIn(json.dumps(["a", "b"]).replace(" ", ""), panel)
        link = self.span("POST /orders")["links"][0]
        shown = self.one(".detail a[href^='#/trace/0102']")
        self.assertIn(link["spanID"], shown.text)
        self.assertIn(f"span={link['spanID']}", shown.get_attribute("href"))
        self.assertIn("m-17", self.text(".detail"))

    def test_bars_show_when_events_happened(self):
        span = self.span("reserve")
        trace = self.api(f"/api/trace/{TRACE}")
        marks = self.all(".event-mark")
        self.assertEqual([mark.get_attribute("title") for mark in marks], [event["name"] for event in span["events"]])
        for mark, event in zip(marks, span["events"]):
            left = float(mark.get_attribute("style").split("left:")[1].split("%")[0])
            self.assertAlmostEqual(left, event["time"] / trace["duration"] * 100, delta=0.5)

    def test_events_are_found(self):
        self.span("POST /orders")
        self.one("#find").send_keys("no stock for")
        self.assertIn("1 found", self.wait(lambda: self.text(".hits") or None))
