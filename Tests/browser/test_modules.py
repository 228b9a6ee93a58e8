"""The pure parts of the console, called in the browser: what is typed, written and computed."""
from console import ConsoleTest


class Modules(ConsoleTest):
    def setUp(self):
        super().setUp()
        self.open("#/nowhere")
        self.one(".notice")

    def call(self, module, expression):
        return self.browser.execute_async_script(
            f"const done = arguments[0]; import('/ui/{module}').then((m) => done({expression}))"
            ".catch((error) => done(error.name + ': ' + error.message))")

    def test_durations_are_read_and_written(self):
        for text, micros in (("100ms", 100_000), ("1.5 s", 1_500_000), ("1m30s", 90_000_000), ("250us", 250),
                             ("7", 7000), ("1h", 3_600_000_000), ("soon", None), ("", None), ("5 parsec", None)):
            self.assertEqual(self.call("format.js", f"m.parseDuration({text!r})"), micros, text)
        for micros, text in ((0, "0 µs"), (999, "999 µs"), (85_427, "85.4 ms"), (1_610_000, "1.61 s"),
                             (90_000_000, "1 min 30 s"), ("null", "open")):
            self.assertEqual(self.call("format.js", f"m.duration({micros})"), text)

    def test_fields_become_traceql(self):
        def query(**fields):
            names = "service operation status min max tags range from to limit q".split()
            return self.call("search-query.js", f"m.traceQL({ {name: fields.get(name, '') for name in names} })")
        self.assertEqual(query(), "")
        self.assertEqual(query(service='a"b\\c', status="error"),
                         '{ resource.service.name = "a\\"b\\\\c" && status = error }')
        self.assertEqual(query(tags='http.response.status_code>=500 user="two words" ok=true duration>10ms'),
                         '{ .http.response.status_code >= 500 && .user = "two words" && .ok = true'
                         ' && duration > 10ms }')
        self.assertEqual(query(tags="k8s.pod.name=~gw.* span.x!=1"),
                         '{ resource.k8s.pod.name =~ "gw.*" && span.x != 1 }')
        self.assertIn("is not key=value", query(tags="oops"))
        self.assertEqual(query(q=" { } ", service="x"), "{ }")

    def test_long_integers_keep_their_digits(self):
        body = '{"a":6503461747798045035,"b":"x:-9223372036854775808,","c":[1795346416515610,-9223372036854775808]}'
        self.assertEqual(self.call("api.js", f"JSON.parse(m.withLongIntegersAsText({body!r}))"),
                         {"a": "6503461747798045035", "b": "x:-9223372036854775808,",
                          "c": [1795346416515610, "-9223372036854775808"]})

    def test_layout_layers_callers_before_called_and_survives_cycles(self):
        size = "{ width: 100, height: 40, columnGap: 50, rowGap: 20 }"
        arcs = "[['a','b'],['b','c'],['c','a'],['a','d'],['b','d'],['d','d'],['a','e'],['e','c']]"
        places = self.call("map-layout.js", f"[...m.layout(['a','b','c','d','e'], {arcs}.map(([from, to]) => "
                                            f"({{ from, to }})), {size}).places.values()]")
        layer = {place["name"]: place["layer"] for place in places}
        self.assertEqual(layer, {"a": 0, "b": 1, "e": 1, "c": 2, "d": 2})
        self.assertEqual(len({(place["x"], place["y"]) for place in places}), 5)

    def test_rates_leave_a_gap_at_a_restart(self):
        self.assertEqual(self.call("charts.js", "m.rates([0, 2, 4, 6], [10, 30, 0, 8])"), [None, 10, None, 4])
