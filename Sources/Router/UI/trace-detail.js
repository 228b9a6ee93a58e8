/**
 * The panel beside the waterfall: all of one span, and why it hangs where it hangs.
 */
import { dot } from "./colours.js";
import { copyText, h, replace } from "./dom.js";
import { evidenceOf, MARKS } from "./evidence.js";
import { duration, moment, percent, plural } from "./format.js";
import { icon } from "./icons.js";
import { link, traceLink } from "./router.js";
import { skewText } from "./trace-rows.js";
import { why } from "./trace-why.js";

/** @typedef {import("./trace-model.js").Node} Node */
/** @typedef {import("./trace-view.js").TraceView} TraceView */

export class DetailPanel {
    /** @param {TraceView} view @param {AbortSignal} signal */
    constructor(view, signal) {
        this.view = view;
        this.signal = signal;
        this.element = h("aside", { class: "detail", "aria-label": "Details of the span", hidden: true });
        this.element.addEventListener("keydown", (event) => { if (event.key === "Escape") view.select(null); });
    }

    /** Shows the selected span. */
    update() {
        const node = this.view.selected;
        this.element.hidden = node === null;
        if (!node) return;
        const tab = (/** @type {"span" | "why"} */ name, /** @type {string} */ label) => h("button", { type: "button",
            role: "tab", "aria-selected": String(this.view.tab === name), id: `tab-${name}`, "aria-controls": "panel",
            onclick: () => this.choose(name) }, label);
        replace(this.element,
            h("header", null,
                h("div", { class: "title" }, h("div", { class: "service-name" }, dot(node.service), node.service),
                    h("h2", null, node.span.name)),
                h("button", { type: "button", class: "plain", "aria-label": "Close the details", title: "Close (Esc)",
                    onclick: () => this.view.select(null) }, icon("close"))),
            h("div", { class: "tabs", role: "tablist", "aria-label": "Details" }, tab("span", "Span"),
                tab("why", "Why here?")),
            h("div", { class: "panel", id: "panel", role: "tabpanel", tabindex: "0",
                "aria-labelledby": `tab-${this.view.tab}` },
            this.view.tab === "why" ? why(this.view, node, this.signal) : this.about(node)));
        this.element.scrollTop = 0;
    }

    /** @param {"span" | "why"} tab */
    choose(tab) {
        this.view.tab = tab;
        this.update();
        /** @type {HTMLElement | null} */ (this.element.querySelector(`#tab-${tab}`))?.focus();
    }

    /** @param {Node} node */
    about(node) {
        const { span } = node;
        const trace = this.view.model.trace;
        const address = new URL(traceLink(trace.traceID, span.id), location.href).href;
        return [
            this.message(node),
            this.facts(node),
            h("div", { class: "acts" },
                h("button", { type: "button", class: "small", onclick: () => this.view.zoomTo(node) }, "Zoom to span"),
                h("button", { type: "button", class: "small", onclick: () => copyText(address, "Link to the span") },
                    "Copy link"),
                h("button", { type: "button", class: "small", onclick: () => copyText(
                    JSON.stringify({ ...span, traceID: trace.traceID, resource: trace.resources[span.resource] },
                        null, 2), "Span as JSON") }, "Copy JSON")),
            events(node), links(node),
            ...groups(node, trace.resources[span.resource] ?? {}),
        ];
    }

    /** @param {Node} node */
    message(node) {
        if (!node.isError) return null;
        return h("p", { class: "message" }, icon("error"), h("span", null,
            node.span.statusMessage || "The span ended with an error."));
    }

    /** @param {Node} node */
    facts(node) {
        const { span, parent } = node;
        const { trace, end } = this.view.model;
        const length = node.end - node.start;
        const to = (/** @type {Node} */ other) => h("button", { type: "button", class: "link",
            onclick: () => this.view.select(other) }, `${other.service}: ${other.span.name}`);
        const rows = [
            ["Duration", span.duration === null ? "open: no response was seen"
                : `${duration(length)} · ${percent(length / end)} of the trace`],
            ["Self time", span.duration === null ? null : `${duration(node.self)} without the spans below`],
            ["Start", `${duration(node.start)} into the trace · ${moment(trace.start + node.start)}`],
            ["Kind", `${span.kind}${span.application ? ", from the application's own tracing" : ", seen by eBPF"}`],
            ["Status", span.status],
            ["Parent", parent ? to(parent) : "none"],
            ["Linked by", h("button", { type: "button", class: "link", onclick: () => this.choose("why") },
                icon(evidenceOf(span).icon), ` ${evidenceOf(span).short}`)],
            ["Below", node.below > 0 ? `${node.children.length} direct, ${node.below} in all` : "nothing"],
            ["Span ID", h("code", null, span.id)],
            ["Trace state", span.traceState ? h("code", null, span.traceState) : null],
        ];
        return [
            h("dl", { class: "pairs" }, rows.filter(([, value]) => value !== null).flatMap(([name, value]) =>
                [h("dt", null, name), h("dd", null, value)])),
            h("ul", { class: "notes" }, notes(node)),
        ];
    }
}

/** What is odd about a span, in sentences. @param {Node} node */
function notes(node) {
    const all = [...node.flags].filter((flag) => MARKS[flag]).map((flag) => h("li", null,
        icon(MARKS[flag].icon), h("span", null, h("b", null, `${MARKS[flag].short}. `), MARKS[flag].text)));
    if (node.before > 0 || node.after > 0) {
        all.push(h("li", null, icon("skew"), h("span", null, h("b", null, "clock skew. "), `${skewText(node)}. Clocks `
            + "of two nodes differ, or the agent read the event late (up to 5 s); durations are exact.")));
    }
    const dropped = [["attribute", node.span.droppedAttributes], ["event", node.span.droppedEvents],
        ["link", node.span.droppedLinks]].filter(([, number]) => number).map(([noun, number]) =>
        plural(Number(number), String(noun)));
    if (dropped.length > 0) {
        all.push(h("li", null, icon("truncated"), h("span", null, h("b", null, "left out. "),
            `The application's tracing library left out ${dropped.join(", ")}.`)));
    }
    return all;
}

/** What an application's own tracing noted within the span: exceptions, messages. @param {Node} node */
function events(node) {
    const all = node.span.events ?? [];
    if (all.length === 0) return null;
    return h("details", { class: "group events", open: true }, summary("Events", all.length), all.map((event) =>
        h("div", { class: "event" }, h("b", null, event.name), h("span", { class: "quiet" },
            event.time < node.start ? ` ${duration(node.start - event.time)} before the span`
                : ` ${duration(event.time - node.start)} into the span`), attributeTable(event.attributes ?? {}))));
}

/** Other spans that this one names. @param {Node} node */
function links(node) {
    const all = node.span.links ?? [];
    if (all.length === 0) return null;
    return h("details", { class: "group", open: true }, summary("Links", all.length), all.map((other) =>
        h("div", { class: "event" }, h("a", { href: traceLink(other.traceID, other.spanID) },
            `${other.traceID} ${other.spanID}`), other.traceState
            ? h("span", { class: "quiet" }, ` trace state ${other.traceState}`) : null,
        attributeTable(other.attributes ?? {}))));
}

/** @param {string} title @param {number} number */
function summary(title, number) {
    return h("summary", null, title, h("span", { class: "quiet" }, ` ${number}`));
}

/** @param {Record<string, any>} attributes */
function attributeTable(attributes) {
    const entries = Object.entries(attributes);
    return entries.length === 0 ? null
        : h("table", null, h("tbody", null, entries.map(([key, value]) => attribute(key, value))));
}

/** Attributes by what they are. @param {Node} node @param {Record<string, any>} resource */
function groups(node, resource) {
    const entries = Object.entries(node.span.attributes ?? {}).sort(([one], [other]) => one < other ? -1 : 1);
    const isLink = (/** @type {string} */ key) => /^ebpf(trace)?\./.test(key);
    const isPlace = (/** @type {string} */ key) => /^(network|server|client|process|thread|source)\./.test(key);
    return [
        group("Request", entries.filter(([key]) => !isLink(key) && !isPlace(key)), true),
        group("Place", entries.filter(([key]) => isPlace(key)), true),
        group("Resource", Object.entries(resource), true),
        group("Link facts", entries.filter(([key]) => isLink(key)), false),
    ];
}

/** @param {string} title @param {[string, any][]} entries @param {boolean} open */
function group(title, entries, open) {
    if (entries.length === 0) return null;
    return h("details", { class: "group", open }, summary(title, entries.length),
        attributeTable(Object.fromEntries(entries)));
}

/** @param {string} key @param {any} value */
function attribute(key, value) {
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    const quoted = /[\s"=<>!~]/.test(text) || text === "" ? JSON.stringify(text) : text;
    return h("tr", null, h("th", { scope: "row" }, key), h("td", null, h("span", { class: "value" }, text),
        h("span", { class: "hover-acts" },
            h("button", { type: "button", class: "tiny", title: `Copy ${key}`, "aria-label": `Copy ${key}`,
                onclick: () => copyText(text, key) }, "copy"),
            h("a", { class: "tiny", title: `Search spans with this ${key}`, "aria-label": `Search spans with ${key}`,
                href: link("search", "", { tags: `${key}=${quoted}` }) }, "search"))));
}
