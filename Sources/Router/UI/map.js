/**
 * The service map: who calls whom, how often, how fast, with how many errors.
 */
import { api } from "./api.js";
import { dot } from "./colours.js";
import { h, replace } from "./dom.js";
import { compact, count, percent, plural } from "./format.js";
import { MapDrawing, millis } from "./map-drawing.js";
import { failure, howToSend, waiting } from "./notices.js";
import { link, rewrite } from "./router.js";
import { RANGES } from "./search-query.js";

/** @typedef {import("./api.js").Graph} Graph */
/** @typedef {import("./map-drawing.js").Choice} Choice */

class MapPage {
    /** @param {import("./router.js").PageContext} context */
    constructor({ place, route, signal }) {
        this.signal = signal;
        this.range = route.query.get("range") ?? "";
        this.drawing = new MapDrawing((choice) => this.choose(choice));
        this.side = h("aside", { class: "card map-side", "aria-label": "Details", "aria-live": "polite" });
        this.table = h("section", { class: "card" });
        this.canvas = h("div", { class: "map-place" }, this.drawing.element);
        this.body = h("div", null, waiting("the map"));
        this.filled = false;
        replace(place, h("div", { class: "heading" }, h("h1", null, "Service map"), this.tools()), this.body);
    }

    tools() {
        const range = h("select", { "aria-label": "Time", onchange: (/** @type {Event} */ event) => {
            this.range = /** @type {HTMLSelectElement} */ (event.target).value;
            rewrite(link("map", "", { range: this.range }));
            this.load();
        } }, h("option", { value: "" }, "Any time"), Object.keys(RANGES).map((key) =>
            h("option", { value: key, selected: key === this.range }, `Last ${key}`)));
        const button = (/** @type {string} */ label, /** @type {string} */ title, /** @type {() => void} */ act) =>
            h("button", { type: "button", class: "small", title, "aria-label": title, onclick: act }, label);
        return h("div", { class: "acts" }, range, button("−", "Farther", () => this.drawing.zoom(1.25)),
            button("+", "Nearer", () => this.drawing.zoom(0.8)), button("Fit", "Show all", () => this.drawing.fit()),
            button("Refresh", "Load again", () => this.load()));
    }

    async load() {
        try {
            const seconds = RANGES[this.range];
            const now = Math.ceil(Date.now() / 1000);
            const graph = await api.graph(seconds ? { start: now - seconds, end: now } : {}, this.signal);
            if (!this.signal.aborted) this.show(graph);
        } catch (error) {
            if (this.signal.aborted) return;
            this.filled = false;
            replace(this.body, failure(error, () => this.load()));
        }
    }

    /** @param {Graph} graph */
    show(graph) {
        this.graph = graph;
        if (graph.nodes.length === 0 && graph.edges.length === 0) {
            this.filled = false;
            replace(this.body, this.range ? h("section", { class: "notice" }, h("h2", null, "No calls in this time"),
                h("p", null, "Choose a longer time, or ", h("b", null, "Any time"), ".")) : howToSend());
            return;
        }
        if (!this.filled) replace(this.body, h("div", { class: "map" }, this.canvas, this.side), this.table);
        this.drawing.show(graph, this.filled);
        this.filled = true;
        this.choose(null);
        replace(this.table, h("h2", null, "Calls"), edgeTable(graph, (choice) => this.choose(choice)));
    }

    /** @param {Choice} choice */
    choose(choice) {
        if (!this.graph) return;
        this.drawing.mark(choice);
        if (!choice) replace(this.side, overview(this.graph));
        else replace(this.side, "edge" in choice ? aboutEdge(choice.edge)
            : aboutNode(this.graph, choice.node, (other) => this.choose(other)));
    }
}

/** @param {Graph} graph */
function overview(graph) {
    const requests = graph.edges.reduce((sum, edge) => sum + edge.requests, 0);
    const errors = graph.edges.reduce((sum, edge) => sum + edge.errors, 0);
    const unpaired = graph.unpaired.reduce((sum, one) => sum + one.spans, 0);
    return [
        h("h2", null, "All services"),
        h("dl", { class: "pairs" },
            h("dt", null, "Services"), h("dd", null, count(graph.nodes.length)),
            h("dt", null, "Calls"), h("dd", null, count(requests)),
            h("dt", null, "Errors"), h("dd", null, `${count(errors)} (${percent(requests ? errors / requests : 0)})`),
            h("dt", null, "Unpaired ends"), h("dd", null, count(unpaired)),
            graph.uncounted ? [h("dt", null, "Not counted"), h("dd", null, `${count(graph.uncounted)}: a limit was `
                + "reached")] : null),
        h("p", { class: "quiet" }, "Choose a service or a call. Drag to move, hold Ctrl and turn the wheel to zoom. ",
            "The number at the corner of a service counts its spans whose other end was not seen: a peer without an "
            + "agent, or calls from outside."),
    ];
}

/** @param {import("./api.js").GraphEdge} edge */
function aboutEdge(edge) {
    const name = (/** @type {string} */ service) => h("span", null, dot(service), service);
    const search = (/** @type {Record<string, string>} */ query) =>
        link("search", "", { service: edge.server, ...query });
    return [
        h("h2", null, name(edge.client), " → ", name(edge.server)),
        h("dl", { class: "pairs" },
            h("dt", null, "Rate"), h("dd", null, `${compact(edge.rate)} a second`),
            h("dt", null, "Calls"), h("dd", null, count(edge.requests)),
            h("dt", null, "Errors"), h("dd", { class: edge.errors > 0 ? "error" : null },
                `${count(edge.errors)} (${percent(edge.requests ? edge.errors / edge.requests : 0)})`),
            h("dt", null, "p50"), h("dd", null, millis(edge.p50)),
            h("dt", null, "p95"), h("dd", null, millis(edge.p95)),
            h("dt", null, "p99"), h("dd", null, millis(edge.p99))),
        h("p", { class: "acts" }, h("a", { class: "button", href: search({}) }, `Traces of ${edge.server}`),
            edge.errors > 0 ? h("a", { class: "button", href: search({ status: "error" }) }, "With errors") : null,
            h("a", { class: "button", href: search({ tags: `duration>${Math.max(1, Math.round(edge.p95))}ms` }) },
                "Slower than p95")),
    ];
}

/** @param {Graph} graph @param {string} name @param {(choice: Choice) => void} choose */
function aboutNode(graph, name, choose) {
    const node = graph.nodes.find((one) => one.name === name);
    const ends = graph.unpaired.filter((one) => one.service === name);
    const calls = (/** @type {"client" | "server"} */ side, /** @type {"client" | "server"} */ other) =>
        graph.edges.filter((edge) => edge[side] === name).map((edge) => h("li", null,
            h("button", { type: "button", class: "link", onclick: () => choose({ edge }) }, dot(edge[other]),
                edge[other]), h("span", { class: "quiet" }, ` ${compact(edge.rate)}/s, p95 ${millis(edge.p95)}`)));
    const list = (/** @type {string} */ title, /** @type {HTMLElement[]} */ items) => items.length === 0 ? null
        : h("section", null, h("h3", null, title), h("ul", { class: "plain-list" }, items));
    return [
        h("h2", null, dot(name), name),
        h("dl", { class: "pairs" },
            h("dt", null, "Kind"), h("dd", null, node?.type ?? "service"),
            h("dt", null, "Requests"), h("dd", null, count(node?.requests ?? 0)),
            h("dt", null, "Errors"), h("dd", { class: node && node.errors > 0 ? "error" : null },
                `${count(node?.errors ?? 0)} (${percent(node?.requests ? node.errors / node.requests : 0)})`),
            ends.flatMap((end) => [h("dt", null, "Unpaired"), h("dd", null, `${plural(end.spans, "span")} as `
                + end.side)])),
        h("p", { class: "acts" }, h("a", { class: "button", href: link("search", "", { service: name }) },
            "Search traces"),
        node && node.errors > 0 ? h("a", { class: "button",
            href: link("search", "", { service: name, status: "error" }) }, "With errors") : null),
        list("Called by", calls("server", "client")), list("Calls", calls("client", "server")),
    ];
}

/** @param {Graph} graph @param {(choice: Choice) => void} choose */
function edgeTable(graph, choose) {
    const heads = ["Caller", "Called", "Rate", "Calls", "Errors", "p50", "p95", "p99"];
    const rows = [...graph.edges].sort((one, other) => other.requests - one.requests);
    const number = (/** @type {string} */ text) => h("td", { class: "number" }, text);
    return h("div", { class: "table", tabindex: "0" }, h("table", null,
        h("thead", null, h("tr", null, heads.map((head, column) =>
            h("th", { scope: "col", class: column > 1 ? "number" : null }, head)))),
        h("tbody", null, rows.map((edge) => h("tr", null,
            h("td", null, dot(edge.client), edge.client),
            h("td", null, h("button", { type: "button", class: "link", onclick: () => choose({ edge }) },
                dot(edge.server), edge.server)),
            number(`${compact(edge.rate)}/s`), number(count(edge.requests)),
            h("td", { class: edge.errors > 0 ? "number error" : "number" },
                percent(edge.requests ? edge.errors / edge.requests : 0)),
            number(millis(edge.p50)), number(millis(edge.p95)), number(millis(edge.p99)))))));
}

/** @type {import("./router.js").Page} */
export const mapPage = {
    title: "Service map",
    show: (context) => new MapPage(context).load(),
};
