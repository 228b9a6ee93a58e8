"""The status page shows what /status and /api/history say."""
import re
import urllib.error

from console import ConsoleTest


class Status(ConsoleTest):
    def number(self, text):
        return int(re.search(r"[\d,]+", text).group().replace(",", ""))

    def test_figures_are_those_of_the_api(self):
        before = self.api("/status")
        self.open("#/")
        tiles = dict(zip(self.wait(lambda: self.texts(".tile dt")), self.texts(".tile dd.note")))
        after = self.api("/status")
        shown = self.number(tiles["In"])
        self.assertTrue(before["spansAccepted"] <= shown <= after["spansAccepted"], (before, shown, after))
        running = sum(worker["state"] == "running" for worker in after["workers"])
        self.assertIn(f"{running} of {len(after['workers'])}", self.texts(".tile dd"))

    def test_tables_name_every_reason_target_worker_and_evidence(self):
        status = self.api("/status")
        self.open("#/")
        page = self.wait(lambda: self.one("main").text if self.all(".partitions") else None)
        for reason, spans in status["spansDropped"].items():
            if spans > 0:
                self.assertIn(reason, page)
        for target in status["spansExported"]:
            self.assertIn(target, page)
        for evidence in status["edges"]:
            self.assertIn(evidence, page)
        self.assertEqual(len(self.all(".partitions span")), len(status["partitions"]))
        for worker in status["workers"]:
            if worker.get("pid"):
                self.assertIn(str(worker["pid"]), page)
        self.assertIn(str(status["partitions"][-1]["end"] - 1), page)

    def test_charts_live_and_stop_on_pause(self):
        try:
            self.api("/api/history")
        except urllib.error.HTTPError as error:
            self.skipTest(f"/api/history answered {error.code}")
        self.open("#/")
        self.wait(lambda: len(self.all(".chart .line")) >= 5)
        path = "return document.querySelector('.chart .line').getAttribute('d').length"
        self.assertGreater(self.js(path), 10)
        list(self.requested())
        self.rest(4.5)
        self.assertTrue(any("/api/history" in url for url in self.requested()), "the page does not refresh")
        self.one(".heading button").click()
        self.rest(2.2)
        list(self.requested())
        self.rest(4)
        self.assertEqual([url for url in self.requested() if "/api/" in url], [], "a paused page still asks")

    def test_problems_are_told(self):
        self.inject("""
            const real = window.fetch;
            window.fetch = async (...all) => {
                const answer = await real(...all);
                if (!String(all[0]).startsWith('/status')) return answer;
                const status = await answer.json();
                status.problems = ['1 of 2 workers run'];
                status.spansAccepted = 0;
                return new Response(JSON.stringify(status));
            };""")
        self.open("#/")
        self.assertIn("1 of 2 workers run", self.text(".verdict.poor"))
        self.assertIn("replay --to", self.text(".guide"))

    def test_router_that_went_away_is_told(self):
        self.inject("""
            window.broken = false;
            const real = window.fetch;
            window.fetch = (...all) => window.broken ? Promise.reject(new TypeError('no')) : real(...all);""")
        self.open("#/")
        self.one(".tiles .tile")
        self.js("window.broken = true")
        self.wait(lambda: "does not answer" in self.text("main"))
        self.js("window.broken = false")
        self.wait(lambda: self.all(".verdict.good, .verdict.poor") and not self.all(".failure"))

    def test_store_is_that_of_the_api(self):
        store = self.api("/status")["store"]
        self.open("#/")
        names = "return [...document.querySelectorAll('#store dt')].map((e) => e.textContent)"
        self.wait(lambda: self.all("#store") or "store = on" in self.text("main"))
        if not store["on"]:
            self.assertIn("store = on", self.text("main"))
            return
        shown = dict(zip(self.js(names), self.texts("#store dd")))
        self.assertEqual(self.number(shown["Spans"]), store["spans"])
        self.assertIn(f"{store['segments']:,} segment", shown["Spans"])
        self.assertEqual(self.number(shown["Written"]), store["written"])
        for part, text in (("refused", "Refused"), ("expired", "Expired")):
            for reason, spans in store[part].items():
                self.assertIn(f"{reason} {spans:,}", shown[text])
        self.assertIn("behind", shown["Waiting"])

    def test_a_store_that_is_behind_or_off_is_told(self):
        self.inject("""
            const real = window.fetch;
            window.off = false;
            window.fetch = async (...all) => {
                const answer = await real(...all);
                if (!String(all[0]).startsWith('/status')) return answer;
                const status = await answer.json();
                Object.assign(status.store, { waiting: 12345, behindSeconds: 61, refused: { behind: 77 } });
                if (window.off) status.store = { on: false };
                return new Response(JSON.stringify(status));
            };""")
        self.open("#/")
        bad = self.wait(lambda: self.texts("#store dd.bad"))
        self.assertEqual(bad, ["behind 77", "12,345 spans, 1 min 1 s behind"])
        self.js("window.off = true")
        self.wait(lambda: "The store is off" in self.text("main"))
