"""The trees of recorded traces, as the page shows them, against the recording's truth: what really called what."""
import gzip
import json
import os

from console import ConsoleTest
from test_trace import ROWS

TRUTH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Fixtures", "real", "threads-chain",
                     "truth.jsonl.gz")
TRACES = 6


def key(span):
    """How the truth file names a span: direction, process, connection, request, time."""
    said = span["attributes"]
    is_called = span["kind"] in ("server", "consumer")
    other = "client" if is_called else "server"
    # A link fact that an attribute says, too, has no attribute of its own: docs/otlp.md.
    process = said.get("ebpf.pid", said.get("process.pid"))
    return (f"{'in' if is_called else 'ou'}:{process}"
            f":{said['network.local.address']}:{said['network.local.port']}"
            f">{said[other + '.address']}:{said[other + '.port']}:{said['ebpf.req_seq']}:{said['ebpf.ktime']}")


class Truth(ConsoleTest):
    def test_traces_are_what_really_happened(self):
        with gzip.open(TRUTH, "rt") as lines:
            truth = {row["key"]: row for row in map(json.loads, lines)}
        compared = 0
        for found in sorted(self.found(limit=1000), key=lambda one: (-one["spanCount"], one["traceID"])):
            trace = self.api(f"/api/trace/{found['traceID']}")
            if not all("ebpf.ktime" in span["attributes"] for span in trace["spans"]):
                continue
            keys = {span["id"]: key(span) for span in trace["spans"]}
            if not all(one in truth and truth[one]["known"] for one in keys.values()):
                continue
            with self.subTest(trace=found["traceID"]):
                self.open(f"#/trace/{found['traceID']}")
                self.one(".rows .row")
                rows = self.browser.execute_async_script(
                    f"const done = arguments[0]; (async () => {{ {ROWS} }})().then(done)")
                path, shown = [], {}
                for row in rows:
                    del path[row["level"] - 1:]
                    shown[keys[row["id"]]] = keys[path[-1]] if path else None
                    path.append(row["id"])
                self.assertEqual(shown, {one: truth[one]["parent"] for one in keys.values()})
            compared += 1
            if compared == TRACES:
                break
        if compared == 0:
            self.skipTest("the store does not hold the recording real/threads-chain with its link facts")
