/**
 * The list of found traces.
 */
import { dot } from "./colours.js";
import { h, replace } from "./dom.js";
import { ago, duration, moment, plural } from "./format.js";
import { icon } from "./icons.js";
import { link, traceLink } from "./router.js";

/**
 * @typedef {{id: string, service: string, name: string, start: number, duration: number, spans: number, errors: number,
 *   services: {name: string, spans: number, errors: number}[],
 *   matched: {id: string, name: string, duration: number}[], matches: number}} Item times in µs
 */

/** @param {import("./api.js").FoundTrace} trace @returns {Item} */
export function itemOf(trace) {
    const services = Object.entries(trace.serviceStats ?? {}).map(([name, stats]) => (
        { name, spans: stats.spanCount ?? 0, errors: stats.errorCount ?? 0 }));
    const sum = (/** @type {"spans" | "errors"} */ what) => services.reduce((all, one) => all + one[what], 0);
    const sets = trace.spanSets ?? [];
    return {
        id: trace.traceID, service: trace.rootServiceName || "unknown", name: trace.rootTraceName || "unnamed",
        start: Number(BigInt(trace.startTimeUnixNano || 0) / 1000n),
        duration: trace.durationMicros ?? (trace.durationMs ?? 0) * 1000,
        spans: trace.spanCount ?? sum("spans"), errors: trace.errorCount ?? sum("errors"),
        services: services.sort((one, other) => other.spans - one.spans || (one.name < other.name ? -1 : 1)),
        matched: sets.flatMap((set) => set.spans ?? []).map((span) => ({
            id: span.spanID, name: span.name || `span ${span.spanID}`,
            duration: Number(span.durationNanos ?? 0) / 1000 })),
        matches: sets.reduce((all, set) => all + (set.matched ?? 0), 0),
    };
}

/** @type {Record<string, [string, (one: Item, other: Item) => number]>} */
const ORDERS = {
    newest: ["Newest first", (one, other) => other.start - one.start],
    oldest: ["Oldest first", (one, other) => one.start - other.start],
    longest: ["Longest first", (one, other) => other.duration - one.duration],
    shortest: ["Shortest first", (one, other) => one.duration - other.duration],
    spans: ["Most spans first", (one, other) => other.spans - one.spans],
    errors: ["Most errors first", (one, other) => other.errors - one.errors],
};
const CHIPS = 8;

export class ResultList {
    /**
     * @param {import("./api.js").FoundTrace[]} traces @param {number} limit
     * @param {boolean} hasConditions without any, every span matches, which says nothing
     */
    constructor(traces, limit, hasConditions) {
        this.hasConditions = hasConditions;
        this.items = traces.map(itemOf);
        this.limit = limit;
        this.longest = Math.max(1, ...this.items.map((item) => item.duration));
        /** @type {Set<string> | null} */
        this.selected = null;
        this.order = "newest";
        this.onClear = () => {};
        this.summary = h("p", { class: "summary", role: "status" });
        this.list = h("ol", { class: "traces" });
        const order = h("select", { "aria-label": "Order", onchange: (/** @type {Event} */ event) => {
            this.order = /** @type {HTMLSelectElement} */ (event.target).value;
            this.draw();
        } }, Object.entries(ORDERS).map(([value, [text]]) => h("option", { value }, text)));
        this.element = h("section", { "aria-label": "Traces" },
            h("div", { class: "bar" }, this.summary, order), this.list);
        this.draw();
    }

    /** Shows only these; null shows all. @param {Set<string> | null} ids */
    select(ids) {
        this.selected = ids;
        this.draw();
    }

    draw() {
        const { selected } = this;
        const items = this.items.filter((item) => !selected || selected.has(item.id)).sort(ORDERS[this.order][1]);
        const full = this.items.length >= this.limit ? ` (the limit; there may be more)` : "";
        if (selected) {
            replace(this.summary, `${items.length} of ${plural(this.items.length, "trace")} selected `,
                h("button", { type: "button", class: "small", onclick: () => this.onClear() }, "Show all"));
        } else {
            replace(this.summary, h("b", null, plural(this.items.length, "trace")), full);
        }
        replace(this.list, items.map((item) => this.row(item)));
    }

    /** @param {Item} item */
    row(item) {
        return h("li", { class: item.errors > 0 ? "trace has-errors" : "trace", "data-trace": item.id },
            h("a", { class: "cover", href: traceLink(item.id) },
                h("span", { class: "title" }, dot(item.service), h("b", null, item.service), " ", item.name),
                h("span", { class: "length" }, duration(item.duration))),
            h("div", { class: "measure", "aria-hidden": "true" }, h("span", {
                style: { width: `${Math.max(0.4, item.duration / this.longest * 100)}%` } })),
            h("div", { class: "facts" },
                h("span", { title: moment(item.start) }, moment(item.start).slice(0, 19), h("span", { class: "quiet" },
                    ` · ${ago(item.start)}`)),
                h("span", null, plural(item.spans, "span")),
                item.errors > 0 ? h("span", { class: "error" }, icon("error"), plural(item.errors, "error")) : null,
                h("code", { class: "quiet id" }, item.id.slice(0, 8))),
            h("ul", { class: "chips", "aria-label": "Services" }, this.chips(item)),
            this.hasConditions && item.matched.length > 0 ? matches(item) : null);
    }

    /** @param {Item} item */
    chips(item) {
        const more = item.services.length - CHIPS;
        return [
            ...item.services.slice(0, CHIPS).map((service) => h("li", { class: "chip" }, dot(service.name),
                service.name, h("span", { class: "quiet" }, ` ${service.spans}`),
                service.errors > 0 ? h("span", { class: "error" }, icon("error", plural(service.errors, "error")))
                    : null)),
            more > 0 ? h("li", { class: "chip quiet" }, `${more} more`) : null,
        ];
    }
}

/** The spans that matched, as links into the trace. @param {Item} item */
function matches(item) {
    const rest = item.matches - item.matched.length;
    return h("details", { class: "matches" }, h("summary", null, `${plural(item.matches, "span")} matched`),
        h("ul", null, item.matched.map((span) => h("li", null,
            h("a", { href: link("trace", item.id, { span: span.id }) }, span.name), " ",
            h("span", { class: "quiet" }, duration(span.duration)))),
            rest > 0 ? h("li", { class: "quiet" }, `and ${rest} more`) : null));
}
