/**
 * The drawing of the service map: nodes and edges in SVG, to be moved and zoomed.
 */
import { colourOf } from "./colours.js";
import { replace, s } from "./dom.js";
import { compact, percent, plural } from "./format.js";
import { labelPlaces, line } from "./map-edges.js";
import { arcKey, layout } from "./map-layout.js";

/** @typedef {import("./api.js").Graph} Graph */
/** @typedef {import("./api.js").GraphEdge} GraphEdge */
/** @typedef {{node: string} | {edge: GraphEdge} | null} Choice */

const NODE = { width: 156, height: 54, columnGap: 120, rowGap: 30 };
const MARGIN = 40;
/** Below this, names are too small to be read. */
const LEAST_SCALE = 0.6;
const WIDEST = 1200;
/** @type {Record<string, string>} */
const TYPES = { service: "service", database: "database", messaging: "queue", external: "external", user: "user" };

/** Milliseconds in short. @param {number} value */
export function millis(value) {
    return value >= 1000 ? `${compact(value / 1000)} s` : `${compact(value)} ms`;
}

export class MapDrawing {
    /** @param {(choice: Choice) => void} choose */
    constructor(choose) {
        this.choose = choose;
        /** @type {Choice} */
        this.choice = null;
        this.element = /** @type {SVGSVGElement} */ (s("svg", { class: "map-drawing", role: "group",
            "aria-label": "Service map. The table below has the same figures." }));
        this.view = { x: 0, y: 0, width: 800, height: 400 };
        this.listen();
    }

    /** @param {Graph} graph @param {boolean} keep the stretch that is shown */
    show(graph, keep) {
        this.graph = graph;
        const names = new Set(graph.nodes.map((node) => node.name));
        for (const edge of graph.edges) { names.add(edge.client); names.add(edge.server); }
        const arcs = graph.edges.map((edge) => ({ from: edge.client, to: edge.server }));
        this.plan = layout([...names], arcs, NODE);
        this.lines = this.route(graph);
        if (!keep) {
            const share = (this.plan.height + 2 * MARGIN) / (this.plan.width + 2 * MARGIN);
            this.element.style.height = `${Math.round(share * (this.element.clientWidth || WIDEST))}px`;
            this.fit(true);
        }
        this.draw();
    }

    /** The lines of all edges, with places for their labels. @param {Graph} graph */
    route(graph) {
        const plan = /** @type {ReturnType<typeof layout>} */ (this.plan);
        const edges = graph.edges.flatMap((edge) => {
            const arc = { from: edge.client, to: edge.server };
            const [from, to] = [plan.places.get(arc.from), plan.places.get(arc.to)];
            if (!from || !to) return [];
            return [{ ...arc, weight: edge.requests, ...line(from, to, plan.bends.get(arcKey(arc)) ?? [], NODE) }];
        });
        const boxes = [...plan.places.values()].map(({ x, y }) => ({ x, y, width: NODE.width, height: NODE.height }));
        const labels = labelPlaces(edges, boxes);
        return new Map(edges.map((edge) => [arcKey(edge), { d: edge.d, label: labels.get(arcKey(edge)),
            spot: edge.spots[0] }]));
    }

    /** The whole map; at first not smaller than can be read, which on a phone shows a part of it. */
    fit(readable = false) {
        if (!this.plan) return;
        this.view = { x: -MARGIN, y: -MARGIN, width: this.plan.width + 2 * MARGIN,
            height: this.plan.height + 2 * MARGIN };
        const most = (this.element.clientWidth || WIDEST) / LEAST_SCALE;
        if (readable && this.view.width > most) {
            const height = this.element.clientHeight / LEAST_SCALE;
            this.view.y = (this.plan.height - height) / 2;
            Object.assign(this.view, { width: most, height });
        }
        this.frame();
    }

    frame() {
        const { x, y, width, height } = this.view;
        this.element.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
    }

    /** @param {number} factor below 1 comes nearer */
    zoom(factor) {
        const { x, y, width, height } = this.view;
        const [wide, high] = [width * factor, height * factor];
        this.view = { x: x + (width - wide) / 2, y: y + (height - high) / 2, width: wide, height: high };
        this.frame();
    }

    listen() {
        const { element } = this;
        element.addEventListener("wheel", (event) => {
            if (!event.ctrlKey && !event.shiftKey) return;
            event.preventDefault();
            this.zoom(event.deltaY > 0 ? 1.15 : 0.87);
        }, { passive: false });
        element.addEventListener("pointerdown", (event) => {
            if (event.button !== 0 || /** @type {Element} */ (event.target).closest("[data-node], [data-edge]")) return;
            const from = { x: event.clientX, y: event.clientY, view: { ...this.view } };
            element.setPointerCapture(event.pointerId);
            element.onpointermove = (moved) => {
                const scale = this.view.width / element.clientWidth;
                this.view.x = from.view.x - (moved.clientX - from.x) * scale;
                this.view.y = from.view.y - (moved.clientY - from.y) * scale;
                this.frame();
            };
            element.onpointerup = (released) => {
                element.onpointermove = null;
                if (Math.hypot(released.clientX - from.x, released.clientY - from.y) < 4) this.choose(null);
            };
        });
    }

    /** @param {Choice} choice */
    mark(choice) {
        this.choice = choice;
        this.draw();
    }

    draw() {
        const { graph } = this;
        if (!graph) return;
        const most = Math.max(1, ...graph.edges.map((edge) => edge.requests));
        replace(this.element, arrows(),
            graph.edges.map((edge) => this.edge(edge, most)), [...(this.plan?.places.keys() ?? [])].map((name) =>
                this.node(name)));
    }

    /** Not next to what was chosen. @param {string[]} names */
    isFaded(...names) {
        if (!this.choice || !this.graph) return false;
        if ("edge" in this.choice) {
            const { client, server } = this.choice.edge;
            return !names.every((name) => name === client || name === server);
        }
        const chosen = this.choice.node;
        if (names.length > 1) return !names.includes(chosen);
        return names[0] !== chosen && !this.graph.edges.some(({ client, server }) =>
            (client === chosen && server === names[0]) || (server === chosen && client === names[0]));
    }

    /** @param {string} name */
    node(name) {
        const place = this.plan?.places.get(name);
        if (!place) return null;
        const node = this.graph?.nodes.find((one) => one.name === name);
        const unpaired = (this.graph?.unpaired ?? []).filter((one) => one.service === name)
            .reduce((sum, one) => sum + one.spans, 0);
        const share = node && node.requests > 0 ? node.errors / node.requests : 0;
        const type = TYPES[node?.type ?? "service"] ?? node?.type ?? "service";
        const facts = node && node.requests > 0 ? `${compact(node.requests)} requests` : "no requests seen";
        const act = () => this.choose({ node: name });
        const isChosen = this.choice !== null && "node" in this.choice && this.choice.node === name;
        return s("g", { class: `node type-${node?.type ?? "service"}${isChosen ? " chosen" : ""}`
            + (this.isFaded(name) ? " faded" : ""), transform: `translate(${place.x} ${place.y})`, tabindex: "0",
        role: "button", "data-node": name, "aria-pressed": String(isChosen), onclick: act, onkeydown: onEnter(act),
        "aria-label": `${name}, ${type}, ${facts}, ${percent(share)} errors` },
        s("rect", { class: "box", width: NODE.width, height: NODE.height, rx: node?.type === "database" ? 18 : 6 }),
        s("rect", { class: "stripe", y: 8, x: 8, width: 4, height: NODE.height - 16, rx: 2, fill: colourOf(name) }),
        s("text", { class: "node-name", x: 22, y: 23 }, name.length > 17 ? `${name.slice(0, 16)}…` : name),
        s("text", { class: share > 0 ? "node-facts error" : "node-facts", x: 22, y: 41 },
            share > 0 ? `${percent(share)} errors` : type === "service" ? facts : `${type} · ${facts}`),
        unpaired > 0 ? s("g", { class: "unpaired", transform: `translate(${NODE.width - 6} 0)` },
            s("title", null, `${plural(unpaired, "span")} without its other end`),
            s("rect", { x: -18, y: -9, width: 36, height: 18, rx: 9 }),
            s("text", { "text-anchor": "middle", y: 4 }, compact(unpaired))) : null,
        s("title", null, `${name}: ${facts}, ${percent(share)} errors`));
    }

    /** @param {GraphEdge} edge @param {number} most requests of any edge */
    edge(edge, most) {
        const drawn = this.lines?.get(arcKey({ from: edge.client, to: edge.server }));
        if (!drawn) return null;
        const { d, label, spot } = drawn;
        const { x, y } = label ?? spot;
        const share = edge.requests > 0 ? edge.errors / edge.requests : 0;
        const act = () => this.choose({ edge });
        const isChosen = this.choice !== null && "edge" in this.choice && this.choice.edge.client === edge.client
            && this.choice.edge.server === edge.server;
        const width = 1.2 + 4 * Math.sqrt(edge.requests / most);
        const text = `${edge.client} calls ${edge.server}: ${compact(edge.rate)} a second, ${percent(share)} errors, `
            + `p50 ${millis(edge.p50)}, p95 ${millis(edge.p95)}, p99 ${millis(edge.p99)}`;
        return s("g", { class: `edge${share > 0 ? " has-errors" : ""}${isChosen ? " chosen" : ""}`
            + (this.isFaded(edge.client, edge.server) ? " faded" : "") + (label ? "" : " crowded"), tabindex: "0",
        role: "button",
        "data-edge": `${edge.client}→${edge.server}`, "aria-label": text, "aria-pressed": String(isChosen),
        onclick: act, onkeydown: onEnter(act) },
        s("path", { class: "reach", d }), s("path", { class: "wire", d, "stroke-width": width,
            "marker-end": "url(#arrow)" }),
        s("text", { class: "edge-text", x, y: y - 17, "text-anchor": "middle" }, `${compact(edge.rate)}/s`
            + (share > 0 ? ` · ${percent(share)} err` : "")),
        s("text", { class: "edge-text", x, y: y - 5, "text-anchor": "middle" }, `p95 ${millis(edge.p95)}`),
        s("title", null, text));
    }
}

function arrows() {
    return s("defs", null, s("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9,
        markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" }, s("path", { class: "arrow",
        d: "M0 0.5L8 4L0 7.5z" })));
}

/** @param {() => void} act */
const onEnter = (act) => (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    act();
};
