"""The search page finds what the search API finds, and its form says what it asks."""
from console import ConsoleTest, Keys, duration


class Search(ConsoleTest):
    def shown(self):
        """Ids of the listed traces, once the list is there."""
        ids = "return [...document.querySelectorAll('.traces .trace')].map((e) => e.dataset.trace)"
        return self.wait(lambda: self.js(ids) if self.all(".traces .trace") else None, "no traces are listed")

    def choose(self, name, value):
        self.js("const e = document.getElementById('field-' + arguments[0]); e.value = arguments[1];"
                 "e.dispatchEvent(new Event('change', {bubbles: true}))", name, value)

    def submit(self):
        self.js("document.querySelectorAll('.traces').forEach((e) => e.remove())")
        self.one(".search-form .main").click()

    def test_list_is_that_of_the_api(self):
        traces = {trace["traceID"]: trace for trace in self.found(limit=50)}
        self.open("#/search")
        ids = self.shown()
        self.assertEqual(len(ids), len(traces))
        self.assertLessEqual(len(set(ids) ^ set(traces)), 4, "more differs than may have come meanwhile")
        for row in self.all(".traces .trace")[:8]:
            trace = traces.get(row.get_attribute("data-trace"))
            if not trace:
                continue
            self.assertIn(trace["rootServiceName"], row.text)
            self.assertIn(trace["rootTraceName"], row.text)
            self.assertIn(f"{trace['spanCount']} span", row.text)
            self.assertIn(duration(trace["durationMicros"]), row.text)
            self.assertEqual("error" in row.text, trace["errorCount"] > 0)
            for service in list(trace["serviceStats"])[:3]:
                self.assertIn(service, row.text)
        self.assertEqual(len(self.all(".scatter-plot .point")), len(ids))

    def test_every_field_narrows_the_search(self):
        service = max(self.api("/api/services")["services"], key=lambda one: one["errors"])
        self.open("#/search")
        self.shown()
        self.choose("service", service["name"])
        self.choose("status", "error")
        self.submit()
        ids = self.shown()
        query = f'{{ resource.service.name = "{service["name"]}" && status = error }}'
        expected = {trace["traceID"] for trace in self.found(q=query, limit=50)}
        self.assertEqual(set(ids), expected)
        for trace in ids[:3]:
            whole = self.api(f"/api/trace/{trace}")
            self.assertTrue(any(
                span["status"] == "error"
                and whole["resources"][span["resource"]]["service.name"] == service["name"] for span in whole["spans"]))
        self.assertIn("status=error", self.browser.current_url)

    def test_operation_duration_and_tags(self):
        trace = self.deep_trace()
        span = next(one for one in trace["spans"] if "http.request.method" in one["attributes"]
                    or one["attributes"])
        key, value = next((key, value) for key, value in span["attributes"].items()
                          if isinstance(value, str) and '"' not in value and not key.startswith("ebpf"))
        service = trace["resources"][span["resource"]]["service.name"]
        self.open("#/search")
        self.shown()
        self.choose("service", service)
        self.choose("operation", span["name"])
        self.choose("tags", f'{key}="{value}"')
        self.choose("min", f"{max(1, trace['duration'] - 1)}us")
        self.choose("max", f"{trace['duration'] + 1}us")
        self.submit()
        self.assertIn(trace["traceID"], self.shown())

    def test_bad_fields_are_named(self):
        self.found()
        self.open("#/search")
        self.shown()
        for name, value in (("min", "soon"), ("tags", "a b")):
            self.choose(name, value)
            self.one(".search-form .main").click()
            self.wait(lambda: self.text(".problem") != "")
            self.assertEqual(self.one(f"#field-{name}").get_attribute("aria-invalid"), "true")
            self.choose(name, "")

    def test_free_query_and_its_errors(self):
        service = self.api("/api/services")["services"][0]["name"]
        self.found()
        self.open("#/search")
        self.shown()
        self.choose("service", service)
        self.one('[data-tab="traceql"]').click()
        box = self.one("#field-q")
        self.assertEqual(box.get_attribute("value"), f'{{ resource.service.name = "{service}" }}')
        self.submit()
        self.assertTrue(self.shown())
        self.expected_errors = ("status of 400",)
        box = self.one("#field-q")
        box.clear()
        box.send_keys("{ this is not a query")
        self.one(".search-form .main").click()
        self.assertGreater(len(self.text(".failure p")), 20)

    def test_matched_spans_lead_into_the_trace(self):
        service = self.api("/api/services")["services"][0]["name"]
        self.found(q=f'{{ resource.service.name = "{service}" }}')
        self.open(f"#/search?service={service}")
        self.shown()
        self.one(".matches summary").click()
        link = self.one(".matches a")
        span = link.get_attribute("href").split("span=")[1]
        link.click()
        self.assertEqual(self.one(".row.selected").get_attribute("data-span"), span)

    def test_scatter_selects(self):
        self.found()
        self.open("#/search")
        ids = self.shown()
        if len(ids) < 3:
            self.skipTest("too few traces to select from")
        # The left half of the plot, by pointer events, as a hand would do it.
        self.js("""
            const plot = document.querySelector('.scatter-plot'), box = plot.getBoundingClientRect();
            const send = (type, x, y) => plot.dispatchEvent(new PointerEvent(type, {bubbles: true, pointerId: 1,
                button: 0, clientX: box.left + x, clientY: box.top + y}));
            plot.setPointerCapture = () => {};
            send('pointerdown', 40, 0); send('pointermove', box.width / 3, box.height);
            send('pointerup', box.width / 3, box.height);""")
        chosen = self.shown()
        self.assertLess(len(chosen), len(ids))
        self.assertEqual(len(self.all(".point:not(.faded)")), len(chosen))
        self.one(".summary button").click()
        self.assertEqual(len(self.shown()), len(ids))
        plot = self.one(".scatter-plot")
        plot.send_keys(Keys.ARROW_RIGHT)
        self.assertTrue(self.one(".tip").is_displayed())
        plot.send_keys(Keys.ENTER)
        self.one(".rows .row")

    def test_order(self):
        self.found()
        self.open("#/search")
        self.shown()
        self.js("const e = document.querySelector('.bar select'); e.value = 'longest';"
                 "e.dispatchEvent(new Event('change'))")
        micros = {trace["traceID"]: trace["durationMicros"] for trace in self.found(limit=200)}
        order = [micros[one] for one in self.shown() if one in micros]
        self.assertEqual(order, sorted(order, reverse=True))

    def test_nothing_found_says_what_to_do(self):
        self.found()
        self.open("#/search?service=no-such-service")
        self.assertIn("No trace matches", self.text(".notice"))
