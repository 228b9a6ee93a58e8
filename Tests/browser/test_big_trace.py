"""A trace of 10,000 spans paints at once and scrolls without freezing. The trace is made in the browser."""
import os

from console import ConsoleTest

SPANS = 10_000
# Main thread's CPU time from the answer to the painted rows; the wall time of a busy machine says nothing.
BUDGET_MILLISECONDS = float(os.environ.get("PAINT_MILLISECONDS", "200"))

FAKE = """
(() => {
    const makeTrace = () => {
        const services = ['web', 'api', 'cart', 'stock', 'price', 'mysql', 'redis', 'mail'], spans = [];
        let seed = 7;
        const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
        for (let i = 0; i < COUNT; i += 1) {
            const parent = i === 0 ? null : spans[Math.max(0, Math.floor(i - 1 - random() * 60))];
            const length = parent ? Math.max(1, Math.floor(parent.duration * (0.2 + random() * 0.7))) : 5e6;
            spans.push({ id: (i + 1).toString(16).padStart(16, '0'), parent: parent ? parent.id : null,
                resource: i % 8, name: 'call ' + i % 37, kind: i % 2 ? 'client' : 'server',
                start: parent ? parent.start + Math.floor(random() * (parent.duration - length)) : 0,
                duration: length, status: random() < 0.01 ? 'error' : 'unset',
                evidence: parent ? ['net', 'thread', 'process'][i % 3] : null, flags: [],
                attributes: { 'http.request.method': 'GET', n: i, 'db.query.text': 'SELECT ' + i } });
        }
        return JSON.stringify({ traceID: 'b'.repeat(32), start: 1.7e15, duration: 5e6,
            resources: services.map((name) => ({ 'service.name': name })), spans });
    };
    const real = window.fetch, body = makeTrace();
    window.fetch = async (...all) => String(all[0]).startsWith('/api/trace/bbbb') ? new Response(body) : real(...all);
})();
"""


class BigTrace(ConsoleTest):
    def setUp(self):
        super().setUp()
        self.inject(FAKE.replace("COUNT", str(SPANS)))
        self.open("#/nowhere")
        self.one(".notice")

    def metrics(self):
        entries = self.browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return {entry["name"]: entry["value"] for entry in entries}

    def busy(self):
        """Milliseconds of the main thread spent on scripts, style and layout."""
        metrics = self.metrics()
        return 1000 * sum(metrics[name] for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration"))

    def test_first_paint_and_scrolling(self):
        self.browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        before = self.busy()
        self.js("location.hash = '#/trace/' + 'b'.repeat(32)")
        self.one(".rows .row")
        painted = self.busy() - before
        self.assertEqual(self.one(".rows").get_attribute("aria-rowcount"), str(SPANS))
        self.assertLess(len(self.all(".rows .row")), 120)

        before = self.busy()
        frames = self.browser.execute_async_script("""
            const done = arguments[0], rows = document.querySelector('.rows');
            let count = 0, worst = 0, last = performance.now();
            const step = () => {
                const now = performance.now();
                worst = Math.max(worst, now - last);
                last = now;
                rows.scrollTop += 700;
                count += 1;
                if (count < 120) requestAnimationFrame(step); else done({ count, worst, top: rows.scrollTop });
            };
            requestAnimationFrame(step);""")
        a_frame = (self.busy() - before) / frames["count"]
        print(f"\n{SPANS} spans: {painted:.0f} ms CPU to the first rows, {a_frame:.1f} ms CPU a frame of scrolling "
              f"(worst gap between frames {frames['worst']:.0f} ms, wall)")
        self.assertGreater(frames["top"], 80_000)
        self.assertTrue(self.js("const r = document.querySelector('.rows').getBoundingClientRect();"
                                 "return !!document.elementFromPoint(r.left + 60, r.top + 300).closest('.row')"))
        self.assertLess(painted, BUDGET_MILLISECONDS)
        self.assertLess(a_frame, 16)

    def test_collapse_find_and_jump_are_quick(self):
        self.js("location.hash = '#/trace/' + 'b'.repeat(32)")
        self.one(".rows .row")
        self.browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        before = self.busy()
        self.press("c", "x", "e", "e", "+", "0", "p")
        self.one("#find").send_keys("call 7")
        self.wait(lambda: "found" in self.text(".hits"))
        self.assertLess((self.busy() - before) / 13, 150, "ms CPU an act")
        self.assertTrue(self.all(".row.selected"))


class DeepTrace(ConsoleTest):
    def test_chain_of_ten_thousand_and_cycles(self):
        """No recursion over data: a chain does not overflow the stack, a cycle in bad data does not hang."""
        self.open("#/nowhere")
        self.one(".notice")
        answer = self.browser.execute_async_script("""
            const done = arguments[0];
            import('/ui/trace-model.js').then(({ TraceModel, criticalPath }) => {
                const span = (id, parent, start, duration) => ({ id, parent, resource: 0, name: id, kind: 'server',
                    start, duration, status: 'unset', evidence: null, attributes: {} });
                const trace = (spans) => ({ traceID: 'a', start: 0, duration: 30000, resources: [{}], spans });
                const chain = new TraceModel(trace(Array.from({ length: 10000 }, (_, i) =>
                    span('s' + i, i ? 's' + (i - 1) : null, i, 30000 - 2 * i))));
                const cycle = new TraceModel(trace([span('a', 'b', 0, 5), span('b', 'a', 1, 5), span('c', 'c', 2, 5),
                    span('d', 'gone', 3, 5)]));
                const path = criticalPath(chain);
                const sum = [...path.values()].flat().reduce((all, part) => all + part.end - part.start, 0);
                done({ depth: chain.depth, sum, rows: cycle.rows(new Set()).length, roots: cycle.roots.length });
            }, (error) => done(String(error)));""")
        self.assertEqual(answer, {"depth": 10000, "sum": 30000, "rows": 4, "roots": 3})
