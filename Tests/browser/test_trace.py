"""The trace page shows every span of the trace under its parent, and why it hangs there."""
import urllib.error

from console import By, ConsoleTest, Keys, NARROW, duration, set_screen

ROWS = """
const rows = document.querySelector('.rows'), seen = new Map();
for (let top = 0; ; top += rows.clientHeight) {
    rows.scrollTop = top;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    for (const row of rows.querySelectorAll('.row')) seen.set(Number(row.getAttribute('aria-rowindex')), {
        id: row.dataset.span, level: Number(row.getAttribute('aria-level')),
        service: row.querySelector('.service').textContent, name: row.querySelector('.operation').textContent,
        length: row.querySelector('.length').textContent, error: row.classList.contains('error-row'),
        why: row.querySelector('.why').title, left: parseFloat(row.querySelector('.bar').style.left),
        width: parseFloat(row.querySelector('.bar').style.width) });
    if (top >= rows.scrollHeight) break;
}
rows.scrollTop = 0;
return [...seen].sort(([a], [b]) => a - b).map(([, row]) => row);
"""

PARENT_WORDS = {"net": "network", "net_key": "network", "net_weak": "network", "thread": "thread",
                "process": "process"}


class Trace(ConsoleTest):
    def show(self, trace, span=None):
        self.open(f"#/trace/{trace['traceID']}" + (f"?span={span}" if span else ""))
        self.one(".rows .row")

    def rows(self):
        return self.browser.execute_async_script(
            f"const done = arguments[0]; (async () => {{ {ROWS} }})().then(done)")

    def parents(self, rows):
        """The parent of each row, from the levels of the tree."""
        path, parents = [], {}
        for row in rows:
            del path[row["level"] - 1:]
            parents[row["id"]] = path[-1] if path else None
            path.append(row["id"])
        return parents

    def test_tree_is_that_of_the_api(self):
        for found in sorted(self.found(), key=lambda one: -one["spanCount"])[:12:3]:
            trace = self.api(f"/api/trace/{found['traceID']}")
            with self.subTest(trace=trace["traceID"]):
                self.show(trace)
                rows = self.rows()
                self.assertEqual(self.parents(rows), {span["id"]: span["parent"] for span in trace["spans"]})
                spans = {span["id"]: span for span in trace["spans"]}
                for row in rows:
                    span = spans[row["id"]]
                    service = trace["resources"][span["resource"]]["service.name"]
                    self.assertEqual((row["service"], row["name"]), (service, span["name"]))
                    self.assertEqual(row["length"], duration(span["duration"]))
                    self.assertEqual(row["error"], span["status"] == "error")
                    self.assertIn(PARENT_WORDS.get(span["evidence"], "o"), row["why"])
                    self.assertAlmostEqual(row["left"], span["start"] / max(1, trace["duration"]) * 100, delta=0.5)
                    if span["duration"] is not None:
                        share = span["duration"] / max(1, trace["duration"]) * 100
                        self.assertAlmostEqual(row["width"], share, delta=0.5)
                head = self.text(".headline")
                self.assertIn(trace["traceID"], head)
                self.assertIn(f"{len(spans)} span", head)

    def test_details_hold_every_attribute(self):
        trace = self.deep_trace()
        for span in trace["spans"][:3]:
            self.show(trace, span["id"])
            self.js("document.querySelectorAll('.detail details').forEach((e) => { e.open = true; })")
            shown = dict(zip(self.texts(".detail .group th"), self.texts(".detail .group .value")))
            for key, value in {**span["attributes"], **trace["resources"][span["resource"]]}.items():
                if isinstance(value, bool):
                    value = str(value).lower()
                if isinstance(value, (str, int)):
                    self.assertEqual(shown.get(key), str(value), key)
            self.assertIn(span["id"], self.text(".detail"))
            if span["duration"] is not None:
                self.assertIn(duration(span["duration"]), self.text(".detail .pairs"))

    def test_why_panel_names_what_matched(self):
        trace, wanted = self.deep_trace(), {}
        for span in trace["spans"]:
            wanted.setdefault(span["evidence"] or ("root" if span["parent"] is None else "application"), span)
        for evidence, span in wanted.items():
            try:
                explanation = self.api(f"/api/explain/{span['id']}", trace=trace["traceID"])
            except urllib.error.HTTPError as error:
                self.skipTest(f"/api/explain answered {error.code}")
            with self.subTest(evidence=evidence):
                self.show(trace, span["id"])
                self.one(".row.selected .why").click()
                panel = self.wait(lambda: self.text(".why-panel") if self.all(".why-answer .sentence") else None)
                for match in explanation["matched"]:
                    for part in ("what", "child", "parent"):
                        self.assertIn(str(match[part]).split()[0], panel)
                if evidence == "net":
                    numbers = {match["what"]: match["child"] for match in explanation["matched"]}
                    self.assertTrue(any("seq" in what for what in numbers), numbers)
                if explanation.get("rule"):
                    self.assertIn(explanation["rule"], panel)
                for candidate in explanation["candidates"][:3]:
                    self.assertIn(candidate["span"]["name"], panel)
                    for failed in candidate["failed"]:
                        self.assertIn(failed.split(":")[0], panel)

    def test_collapse_expand_and_link_to_a_span(self):
        trace = self.deep_trace()
        self.show(trace)
        whole = len(self.rows())
        self.one(".rows .twist:not(.none)").click()
        self.assertLess(len(self.rows()), whole)
        self.assertTrue(self.one(".row .folded").text.startswith("+"))
        # A link to a span inside of what is collapsed opens it.
        last = trace["spans"][-1]["id"]
        self.js(f"location.hash = '#/trace/{trace['traceID']}?span={last}'")
        self.assertEqual(self.one(".row.selected").get_attribute("data-span"), last)
        self.assertEqual(len(self.rows()), whole)

    def test_keys(self):
        trace = self.deep_trace()
        self.show(trace)
        selected = "return document.querySelector('.row.selected')?.dataset.span ?? null"
        order = [row["id"] for row in self.rows()]
        self.one(".rows").send_keys("j")
        self.assertEqual(self.js(selected), order[0])
        self.press("j")
        self.assertEqual(self.js(selected), order[1])
        self.press("k", Keys.ARROW_DOWN, Keys.ARROW_UP)
        self.assertEqual(self.js(selected), order[0])
        self.press(Keys.ARROW_LEFT)
        self.assertEqual(len(self.rows()), len([s for s in trace["spans"] if s["parent"] is None]))
        self.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        self.assertEqual(self.js(selected), order[1])
        self.assertIn(f"span={order[1]}", self.browser.current_url)
        self.press(Keys.END)
        self.assertEqual(self.js(selected), order[-1])
        self.press("w")
        self.one(".why-panel")
        self.press(Keys.ESCAPE)
        self.assertFalse(self.one(".detail").is_displayed())
        ruler = self.texts(".tick")
        self.press("+")
        self.assertNotEqual(self.texts(".tick"), ruler)
        self.press("0")
        self.assertEqual(self.texts(".tick"), ruler)
        self.press("?")
        self.assertTrue(self.one("dialog.keys").is_displayed())
        self.press(Keys.ESCAPE)
        self.wait(lambda: not self.all("dialog.keys"))

    def test_find_and_light_a_service(self):
        trace = self.deep_trace()
        service = trace["resources"][trace["spans"][-1]["resource"]]["service.name"]
        wanted = [span for span in trace["spans"]
                  if trace["resources"][span["resource"]]["service.name"] == service]
        self.show(trace)
        self.one(".rows").send_keys("/")
        self.press(*service)
        self.assertIn("found", self.text(".hits"))
        self.assertGreaterEqual(int(self.text(".hits").split()[0].replace(",", "")), len(wanted))
        self.press(Keys.ENTER)
        self.assertTrue(self.one(".row.selected.match"))
        self.press(Keys.ESCAPE)
        chip = next(one for one in self.all(".trace-top .chip") if one.text.startswith(service))
        chip.click()
        lit = self.js("return [...new Set([...document.querySelectorAll('.row:not(.dim) .service')]"
                       ".map((e) => e.textContent))]")
        self.assertIn(lit, ([service], []))

    def test_statistics_add_up(self):
        trace = self.deep_trace()
        self.show(trace)
        next(one for one in self.all(".toolbar button") if one.text == "Statistics").click()
        counts = self.js("return [...document.querySelectorAll('.statistics tbody td:nth-child(3)')]"
                          ".map((e) => Number(e.textContent.replace(',', '')))")
        self.assertEqual(sum(counts), len(trace["spans"]))

    def test_copy_as_json(self):
        trace = self.deep_trace()
        self.inject("if (navigator.clipboard)"
                    " navigator.clipboard.writeText = async (text) => { window.copied = text; };")
        self.show(trace)
        next(one for one in self.all(".headline button") if one.text == "Copy JSON").click()
        copied = self.wait(lambda: self.js("return window.copied ? JSON.parse(window.copied) : null"))
        self.assertEqual([span["id"] for span in copied["spans"]], [span["id"] for span in trace["spans"]])

    def test_phone(self):
        set_screen(self.browser, NARROW)
        trace = self.deep_trace()
        self.show(trace)
        self.js("document.querySelector('.row .operation').click()")
        panel = self.one(".detail")
        self.wait(panel.is_displayed)
        self.assertGreater(panel.size["width"], 380)
        panel.find_element(By.CSS_SELECTOR, "header button").click()
        self.assertFalse(panel.is_displayed())

    def test_unknown_trace(self):
        self.found()
        self.expected_errors = ("status of 404",)
        self.open("#/trace/00000000000000000000000000000001")
        self.assertIn("sampling", self.text(".notice"))
