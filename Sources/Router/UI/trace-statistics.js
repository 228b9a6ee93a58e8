/**
 * The spans of a trace summed up by service and operation: where the time went.
 */
import { dot } from "./colours.js";
import { h, replace } from "./dom.js";
import { count, duration, percent } from "./format.js";

/** @typedef {{service: string, name: string, kind: string, spans: number, errors: number, total: number, most: number,
 *   self: number}} Line times in µs */

/** @param {import("./trace-model.js").TraceModel} model @returns {Line[]} */
function linesOf(model) {
    /** @type {Map<string, Line>} */
    const lines = new Map();
    for (const node of model.nodes) {
        const key = JSON.stringify([node.service, node.span.name, node.span.kind]);
        const line = lines.get(key) ?? { service: node.service, name: node.span.name, kind: node.span.kind, spans: 0,
            errors: 0, total: 0, most: 0, self: 0 };
        const length = node.isOpen ? 0 : node.end - node.start;
        line.spans += 1;
        line.errors += node.isError ? 1 : 0;
        line.total += length;
        line.most = Math.max(line.most, length);
        line.self += node.isOpen ? 0 : node.self;
        lines.set(key, line);
    }
    return [...lines.values()];
}

/** @type {[string, string, (one: Line, other: Line) => number][]} */
const COLUMNS = [
    ["service", "Service and operation", (one, other) =>
        (one.service + one.name < other.service + other.name ? -1 : 1)],
    ["kind", "Kind", (one, other) => (one.kind < other.kind ? -1 : 1)],
    ["spans", "Spans", (one, other) => other.spans - one.spans],
    ["errors", "Errors", (one, other) => other.errors - one.errors],
    ["self", "Self time", (one, other) => other.self - one.self],
    ["total", "Total", (one, other) => other.total - one.total],
    ["mean", "Mean", (one, other) => other.total / other.spans - one.total / one.spans],
    ["most", "Longest", (one, other) => other.most - one.most],
];
const MOST_LINES = 500;

/**
 * @param {import("./trace-model.js").TraceModel} model
 * @param {(text: string) => void} find called with an operation that the reader wants to see in the waterfall
 */
export function statistics(model, find) {
    const lines = linesOf(model);
    const self = lines.reduce((sum, line) => sum + line.self, 0) || 1;
    const place = h("div", { class: "statistics", tabindex: "0", role: "region", "aria-label": "Statistics" });
    let order = "self";
    const draw = () => {
        const compare = COLUMNS.find(([name]) => name === order)?.[2];
        const heads = COLUMNS.map(([name, label]) => h("th", { scope: "col",
            class: name === "service" ? null : "number", "aria-sort": name === order ? "descending" : null },
        h("button", { type: "button", class: "link", onclick: () => { order = name; draw(); } },
            label, name === order ? " ▾" : "")));
        replace(place, h("table", null, h("thead", null, h("tr", null, heads)),
            h("tbody", null, lines.sort(compare).slice(0, MOST_LINES).map((line) => row(line, self, find)))),
        lines.length > MOST_LINES ? h("p", { class: "quiet" }, `The first ${MOST_LINES} of ${lines.length}.`) : null);
    };
    draw();
    return place;
}

/** @param {Line} line @param {number} self @param {(text: string) => void} find */
function row(line, self, find) {
    const number = (/** @type {any} */ value) => h("td", { class: "number" }, value);
    return h("tr", null,
        h("td", null, dot(line.service), h("b", null, line.service), " ",
            h("button", { type: "button", class: "link", title: "Find in the timeline",
                onclick: () => find(line.name) }, line.name)),
        number(line.kind), number(count(line.spans)),
        h("td", { class: line.errors > 0 ? "number error" : "number" }, count(line.errors)),
        number([duration(line.self), h("span", { class: "share", "aria-hidden": "true" }, h("span", {
            style: { width: `${line.self / self * 100}%` } })),
        h("span", { class: "quiet part" }, percent(line.self / self))]),
        number(duration(line.total)), number(duration(line.total / line.spans)), number(duration(line.most)));
}
