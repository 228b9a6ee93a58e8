/**
 * The page that compares two traces: what only one of them did, what it did more often, what took longer.
 */
import { api, ApiError } from "./api.js";
import { distinguish, dot } from "./colours.js";
import { compare, mean } from "./compare-model.js";
import { h, replace } from "./dom.js";
import { ago, count, duration, moment, percent, plural } from "./format.js";
import { icon } from "./icons.js";
import { failure, waiting } from "./notices.js";
import { go, link, traceLink } from "./router.js";
import { quoted } from "./search-query.js";
import { itemOf } from "./search-results.js";
import { TraceModel } from "./trace-model.js";

/** @typedef {import("./compare-model.js").Row} Row */
/** @typedef {import("./compare-model.js").Side} Side */

/** Rows that are shown at first. */
const MOST_ROWS = 500;
/** Traces that are offered for a comparison. */
const OFFERED = 20;

/** @param {string} first @param {string} [second] */
export const compareLink = (first, second) => link("compare", first, { with: second });

/** One of the two traces. @param {string} letter @param {TraceModel} model */
function card(letter, model) {
    const { trace, root } = model;
    return h("section", { class: "card", "aria-label": `Trace ${letter}` },
        h("h2", null, h("span", { class: "letter" }, letter), " ",
            h("a", { href: traceLink(trace.traceID) }, root ? `${root.service}: ${root.span.name}` : "Trace")),
        h("ul", { class: "figures" },
            h("li", null, h("code", { class: "id" }, trace.traceID)),
            h("li", null, `${moment(trace.start)} (${ago(trace.start)})`),
            h("li", null, h("b", null, duration(trace.duration))),
            h("li", null, plural(model.nodes.length, "span")),
            h("li", null, plural(model.services.length, "service")),
            model.errors > 0 ? h("li", { class: "error" }, icon("error"), plural(model.errors, "error")) : null));
}

/** What differs, in words. @param {Row} row */
function difference({ before, after }) {
    if (before.spans === 0) return "only in B";
    if (after.spans === 0) return "only in A";
    const words = [];
    const more = after.spans - before.spans;
    if (more !== 0) words.push(`${plural(Math.abs(more), "span")} ${more > 0 ? "more" : "fewer"}`);
    const errors = after.errors - before.errors;
    if (errors !== 0) words.push(`${plural(Math.abs(errors), "error")} ${errors > 0 ? "more" : "fewer"}`);
    const [one, other] = [mean(before), mean(after)];
    if (one !== null && other !== null && one !== other) {
        const by = one > 0 ? ` (${percent(Math.abs(other - one) / one)})` : "";
        words.push(`${duration(Math.abs(other - one))} ${other > one ? "slower" : "faster"}${by}`);
    }
    return words.join(", ") || "the same";
}

/** How a row is marked. @param {Row} row */
function look({ before, after, differs }) {
    if (before.spans === 0) return "only-b";
    if (after.spans === 0) return "only-a";
    return differs ? "changed" : "same";
}

/** @param {Side} side @param {string} trace its id */
function cells(side, trace) {
    if (!side.first) return [h("td", { class: "number quiet" }, "–"), h("td", { class: "number" })];
    return [
        h("td", { class: "number" }, h("a", { href: traceLink(trace, side.first.span.id),
            title: "Show the first of them in its trace" }, count(side.spans)),
        side.errors > 0 ? h("span", { class: "error" }, " ", icon("error", plural(side.errors, "error"))) : null),
        h("td", { class: "number" }, duration(mean(side))),
    ];
}

class Comparison {
    /** @param {TraceModel} before @param {TraceModel} after */
    constructor(before, after) {
        this.ids = [before.trace.traceID, after.trace.traceID];
        this.all = compare(before, after);
        this.most = MOST_ROWS;
        this.onlyDifferences = false;
        this.summary = h("p", { role: "status" });
        this.place = h("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Comparison" });
        this.filter = h("button", { type: "button", class: "small", "aria-pressed": "false",
            onclick: () => this.flip() }, "Only differences");
        this.element = h("section", { class: "card comparison" },
            h("div", { class: "bar" }, this.summary, this.filter), this.place);
        this.draw();
    }

    flip() {
        this.onlyDifferences = !this.onlyDifferences;
        this.filter.setAttribute("aria-pressed", String(this.onlyDifferences));
        this.draw();
    }

    draw() {
        const rows = this.onlyDifferences ? this.all.filter((row) => row.differs || row.below) : this.all;
        const differing = this.all.filter((row) => row.differs).length;
        this.summary.textContent = differing === 0 ? "Both did the same, in about the same time."
            : `${count(differing)} of ${plural(this.all.length, "row")} differ.`;
        const head = (/** @type {string} */ text, number = true) =>
            h("th", { scope: "col", class: number ? "number" : null }, text);
        const rest = rows.length - this.most;
        replace(this.place,
            h("table", { class: "compare" },
                h("thead", null, h("tr", null, head("Service and operation", false), head("A spans"), head("A mean"),
                    head("B spans"), head("B mean"), head("B against A", false))),
                h("tbody", null, rows.slice(0, this.most).map((row) => this.row(row)))),
            rest > 0 ? h("button", { type: "button", class: "small",
                onclick: () => { this.most = Infinity; this.draw(); } }, `Show ${plural(rest, "more row")}`) : null);
    }

    /** @param {Row} row */
    row(row) {
        return h("tr", { class: look(row), "data-depth": row.depth },
            h("td", null, h("span", { class: "called", style: { "padding-left": `${Math.min(row.depth, 20) * 14}px` } },
                dot(row.service), h("b", null, row.service), " ", row.name, h("span", { class: "quiet" },
                    ` ${row.kind}`))),
            ...cells(row.before, this.ids[0]), ...cells(row.after, this.ids[1]),
            h("td", { class: "difference" }, difference(row)));
    }
}

/** The form that asks for the two traces. @param {string} first @param {string} second */
function form(first, second) {
    const box = (/** @type {string} */ id, /** @type {string} */ label, /** @type {string} */ value) =>
        h("span", { class: "named" }, h("label", { for: id }, label),
            h("input", { id, type: "search", value, autocomplete: "off", spellcheck: "false",
                placeholder: "Trace ID" }));
    const valueOf = (/** @type {string} */ id) =>
        /** @type {HTMLInputElement} */ (document.getElementById(id)).value.trim().toLowerCase();
    return h("form", { class: "compare-form", onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        go(compareLink(valueOf("compare-a"), valueOf("compare-b")));
    } }, box("compare-a", "A", first), box("compare-b", "B", second),
    h("button", { type: "submit", class: "main" }, "Compare"),
    first && second ? h("a", { class: "small", href: compareLink(second, first) }, "Swap") : null);
}

/** Traces with the same root, to choose from. @param {TraceModel} model @param {AbortSignal} signal */
async function similar(model, signal) {
    const { trace, root } = model;
    if (!root) return null;
    const found = await api.search({ q: `{ rootServiceName = ${quoted(root.service)} && rootName = ${
        quoted(root.span.name)} }`, limit: OFFERED + 1 }, signal);
    const items = found.map(itemOf).filter((item) => item.id !== trace.traceID).slice(0, OFFERED);
    if (items.length === 0) return h("p", { class: "quiet" }, "No other trace with this root is in the store.");
    return h("section", { class: "card" }, h("h2", null, "Traces with the same root"), h("ul", { class: "offered" },
        items.map((item) => h("li", null, h("a", { href: compareLink(trace.traceID, item.id) },
            `${duration(item.duration)} · ${plural(item.spans, "span")}`), h("span", { class: "quiet" },
            ` ${moment(item.start).slice(0, 19)}`), item.errors > 0 ? h("span", { class: "error" }, " ",
            icon("error"), plural(item.errors, "error")) : null))));
}

/** @param {string} id @param {AbortSignal} signal */
async function modelOf(id, signal) {
    try {
        return new TraceModel(await api.trace(id, signal));
    } catch (error) {
        if (error instanceof ApiError && error.status === 400) throw new ApiError(`"${id}" is no trace ID`, 400);
        throw error;
    }
}

/** @param {import("./router.js").PageContext} context */
async function show({ place, route, signal }) {
    const [first, second] = [route.argument, route.query.get("with") ?? ""];
    const body = h("div", null);
    replace(place, h("div", { class: "heading" }, h("h1", null, "Compare traces")), form(first, second), body);
    if (!first) return;
    replace(body, waiting("the traces"));
    try {
        const before = await modelOf(first, signal);
        if (!second) {
            replace(body, h("div", { class: "compared" }, card("A", before)),
                h("p", null, "Give the id of another trace, or choose one:"), await similar(before, signal));
            return;
        }
        const after = await modelOf(second, signal);
        distinguish([...new Set([...before.services, ...after.services].map((service) => service.name))]);
        replace(body, h("div", { class: "compared" }, card("A", before), card("B", after)),
            new Comparison(before, after).element);
    } catch (error) {
        if (!signal.aborted) replace(body, failure(error));
    }
}

/** Another second trace is another comparison. */
const update = () => false;

/** @type {import("./router.js").Page} */
export const comparePage = { title: "Compare", show, update };
