"""The service map shows the graph of the API, and leads to the search."""
from console import ConsoleTest, Keys


class Map(ConsoleTest):
    def setUp(self):
        super().setUp()
        self.found()
        self.graph = self.api("/api/graph")
        if not self.graph["edges"]:
            self.skipTest("the service graph has no edges")
        self.open("#/map")
        self.one(".map-drawing .node")

    def test_nodes_and_edges_are_those_of_the_api(self):
        names = {node["name"] for node in self.graph["nodes"]}
        shown = {node.get_attribute("data-node") for node in self.all(".map-drawing .node")}
        self.assertEqual(shown, names)
        edges = {f"{edge['client']}→{edge['server']}" for edge in self.graph["edges"]}
        self.assertEqual({edge.get_attribute("data-edge") for edge in self.all(".map-drawing .edge")}, edges)
        self.assertEqual(len(self.all("main table tbody tr")), len(edges))

    def test_nodes_do_not_overlap(self):
        boxes = self.js("return [...document.querySelectorAll('.node .box')].map((e) => e.getBoundingClientRect())"
                         ".map((b) => [b.left, b.top, b.right, b.bottom])")
        for index, one in enumerate(boxes):
            for other in boxes[index + 1:]:
                apart = (one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1])
                self.assertTrue(apart, (one, other))

    def test_edge_tells_its_figures_and_leads_to_traces(self):
        edge = max(self.graph["edges"], key=lambda one: one["requests"])
        drawn = next(one for one in self.all(".map-drawing .edge")
                     if one.get_attribute("data-edge") == f"{edge['client']}→{edge['server']}")
        drawn.send_keys(Keys.ENTER)
        side = self.wait(lambda: self.text(".map-side") if "p95" in self.text(".map-side") else None)
        self.assertIn(f"{edge['requests']:,}", side)
        for word in ("Rate", "p50", "p99", edge["client"], edge["server"]):
            self.assertIn(word, side)
        self.one(".map-side a.button").click()
        self.one(".traces .trace")
        self.assertIn(f"service={edge['server']}", self.browser.current_url)

    def test_node_tells_callers_and_unpaired_ends(self):
        unpaired = self.graph["unpaired"]
        name = unpaired[0]["service"] if unpaired else self.graph["nodes"][0]["name"]
        node = next(one for one in self.all(".map-drawing .node") if one.get_attribute("data-node") == name)
        node.send_keys(Keys.ENTER)
        side = self.wait(lambda: self.text(".map-side") if name in self.text(".map-side h2") else None)
        for end in unpaired:
            if end["service"] == name:
                self.assertIn(f"{end['spans']:,}", side)
        called = {edge["server"] for edge in self.graph["edges"] if edge["client"] == name}
        for service in called:
            self.assertIn(service, side)
