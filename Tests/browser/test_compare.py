"""The comparison of two traces: what only one did, what it did more often, what took longer."""
import collections
import re

from console import ConsoleTest

FAKE = """
(() => {
    const span = (id, parent, name, start, duration, more = {}) => ({ id, parent, resource: 0, name, kind: 'server',
        start, duration, status: 'unset', evidence: null, flags: [], attributes: {}, ...more });
    const trace = (id, duration, spans) => JSON.stringify({ traceID: id.repeat(32), start: 1.7e15, duration,
        resources: [{ 'service.name': 'shop' }], spans });
    const bodies = {
        a: trace('a', 100000, [span('1', null, 'buy', 0, 100000), span('2', '1', 'price', 1000, 10000),
            span('3', '1', 'stock', 12000, 5000), span('4', '1', 'stock', 20000, 7000),
            span('5', '3', 'GET /disk/17', 13000, 1)]),
        b: trace('b', 200000, [span('1', null, 'buy', 0, 200000), span('2', '1', 'price', 1000, 60000),
            span('3', '1', 'stock', 70000, 6000, { status: 'error' }), span('5', '3', 'GET /disk/4711', 71000, 1),
            span('6', '3', 'retry', 72000, null)]),
    };
    const real = window.fetch;
    window.fetch = async (...all) => {
        const name = String(all[0]).match(/^\\/api\\/trace\\/([ab])\\1{31}/)?.[1];
        return name ? new Response(bodies[name]) : real(...all);
    };
})();
"""
ROWS = """return [...document.querySelectorAll('.compare tbody tr')].map((row) => ({ look: row.className,
    depth: Number(row.dataset.depth), text: [...row.cells].map((cell) => cell.textContent.trim()) }))"""


class Compare(ConsoleTest):
    def rows(self):
        self.one(".compare tbody tr")
        return self.js(ROWS)

    def paths(self, trace):
        """How often each way of calling occurs, by (service, operation without ids, kind) from the root on."""
        spans = {span["id"]: span for span in trace["spans"]}

        def path(span):
            steps = []
            while span:
                service = trace["resources"][span["resource"]]["service.name"]
                steps.append((service, re.sub(r"/\d+(?=[/?#\s]|$)", "/{id}", span["name"]), span["kind"]))
                span = spans.get(span["parent"])
            return tuple(reversed(steps))
        return collections.Counter(path(span) for span in trace["spans"])

    def test_every_difference_is_named(self):
        self.inject(FAKE)
        self.open(f"#/compare/{'a' * 32}?with={'b' * 32}")
        rows = self.rows()
        self.assertEqual([(row["depth"], row["text"][0], row["text"][1], row["text"][3]) for row in rows], [
            (0, "shop buy server", "1", "1"), (1, "shop price server", "1", "1"),
            (1, "shop stock server", "2", "1 1 error"), (2, "shop GET /disk/{id} server", "1", "1"),
            (2, "shop retry server", "–", "1")])
        self.assertEqual([row["text"][5] for row in rows], [
            "100 ms slower (100 %)", "50 ms slower (500 %)", "1 span fewer, 1 error more", "the same", "only in B"])
        self.assertEqual([row["look"] for row in rows], ["changed", "changed", "changed", "same", "only-b"])
        self.assertIn("4 of 5 rows differ", self.text(".comparison [role=status]"))
        self.one(".comparison .bar button").click()
        self.assertNotIn("disk", self.text(".compare"))
        self.assertEqual(len(self.rows()), 4)
        next(one for one in self.all(".compare-form a") if one.text == "Swap").click()
        self.wait(lambda: "only in A" in self.text(".compare"))
        self.assertIn("1 span more, 1 error fewer", self.text(".compare"))

    def test_rows_are_those_of_the_api(self):
        traces = sorted(self.found(), key=lambda one: -one["spanCount"])
        if len(traces) < 3:
            self.skipTest("too few traces to compare")
        for one, other in ((traces[0], traces[1]), (traces[0], traces[-1])):
            first, second = (self.api(f"/api/trace/{found['traceID']}") for found in (one, other))
            self.open(f"#/compare/{first['traceID']}?with={second['traceID']}")
            path, shown = [], {}
            for row in self.rows():
                del path[row["depth"]:]
                path.append(re.sub(r"/\d+(?=[/?#\s]|$)", "/{id}", row["text"][0]))
                counts = [int(text.split()[0].replace(",", "")) if text != "–" else 0
                          for text in (row["text"][1], row["text"][3])]
                shown[tuple(path)] = counts
            before, after = self.paths(first), self.paths(second)
            wanted = {tuple(" ".join(step) for step in way): [before[way], after[way]] for way in before | after}
            self.assertEqual(shown, wanted)

    def test_a_trace_is_the_same_as_itself(self):
        trace = self.deep_trace()["traceID"]
        self.open(f"#/compare/{trace}?with={trace}")
        self.assertEqual({row["look"] for row in self.rows()}, {"same"})
        self.assertIn("Both did the same", self.text(".comparison [role=status]"))

    def test_from_a_trace_to_one_like_it(self):
        roots = collections.Counter((one["rootServiceName"], one["rootTraceName"]) for one in self.found())
        root, number = roots.most_common(1)[0]
        if number < 2:
            self.skipTest("no two traces with one root")
        trace = next(one for one in self.found() if (one["rootServiceName"], one["rootTraceName"]) == root)
        self.open(f"#/trace/{trace['traceID']}")
        self.one(".headline a[href^='#/compare/']").click()
        offered = self.wait(lambda: self.all(".offered a"))
        self.assertLessEqual(len(offered), 20)
        offered[0].click()
        self.rows()
        self.assertIn(trace["traceID"], self.browser.current_url)
        self.assertEqual(self.one("nav [aria-current]").text, "Search")

    def test_what_is_no_trace_is_told(self):
        trace = self.deep_trace()["traceID"]
        self.expected_errors = ("status of 404", "status of 400")
        self.open(f"#/compare/{trace}?with=00000000000000000000000000000001")
        self.assertIn("is not in the store", self.text(".failure"))
        self.open(f"#/compare/{trace}?with=what")
        self.assertIn('"what" is no trace ID', self.text(".failure"))

    def test_chains_of_ten_thousand_are_compared(self):
        self.open("#/nowhere")
        self.one(".notice")
        script = """
            const done = arguments[0];
            Promise.all([import('/ui/trace-model.js'), import('/ui/compare-model.js')]).then(([model, { compare }]) => {
                const chain = (length) => new model.TraceModel({ traceID: 'a', start: 0, duration: 30000,
                    resources: [{}], spans: Array.from({ length }, (_, i) => ({ id: 's' + i, parent: i ? 's' + (i - 1)
                        : null, resource: 0, name: 'n' + i, kind: 'server', start: i, duration: 30000 - 2 * i,
                        status: 'unset', evidence: null, attributes: {} })) });
                const rows = compare(chain(10000), chain(9999));
                done({ rows: rows.length, differing: rows.filter((row) => row.differs).length,
                    below: rows.filter((row) => row.below).length });
            }, (error) => done(String(error)));"""
        self.assertEqual(self.browser.execute_async_script(script), {"rows": 10000, "differing": 1, "below": 9999})
