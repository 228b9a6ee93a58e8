/**
 * The rows of the waterfall. Only those in view are in the document, so that 10,000 spans scroll as well as ten.
 */
import { colourOf } from "./colours.js";
import { h } from "./dom.js";
import { evidenceOf, MARKS } from "./evidence.js";
import { duration, plural } from "./format.js";
import { icon } from "./icons.js";

/** @typedef {import("./trace-model.js").Node} Node */
/** @typedef {import("./trace-view.js").TraceView} TraceView */

export const ROW_HEIGHT = 28;
const SPARE = 12;
const INDENT = 14;
const DEEPEST = 24;
/** Most events that one bar shows; the details list all. */
const EVENTS = 100;

export class TraceRows {
    /** @param {TraceView} view */
    constructor(view) {
        this.view = view;
        /** @type {Node[]} */
        this.rows = [];
        /** @type {Map<number, HTMLElement>} */
        this.drawn = new Map();
        this.space = h("div", { class: "space", role: "rowgroup" });
        this.element = h("div", { class: "rows", role: "treegrid", tabindex: "0", "aria-label": "Spans of the trace",
            "aria-describedby": "keys-hint" }, this.space);
        this.element.addEventListener("scroll", () => this.schedule(), { passive: true });
        this.space.addEventListener("click", (event) => this.clicked(event));
        new ResizeObserver(() => this.schedule()).observe(this.element);
    }

    /** Shows other rows, or the same ones anew. @param {Node[]} rows */
    show(rows) {
        this.rows = rows;
        /** @type {Map<string, number>} */
        this.places = new Map(rows.map((node, place) => [node.span.id, place]));
        this.space.style.height = `${rows.length * ROW_HEIGHT}px`;
        this.element.setAttribute("aria-rowcount", String(rows.length));
        this.redraw();
    }

    /** Draws all rows in view anew: after a change of zoom, selection or marks. */
    redraw() {
        this.drawn.clear();
        this.space.replaceChildren();
        this.draw();
    }

    schedule() {
        if (this.frame) return;
        this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
    }

    draw() {
        const height = this.element.clientHeight || 600;
        const first = Math.max(0, Math.floor(this.element.scrollTop / ROW_HEIGHT) - SPARE);
        const last = Math.min(this.rows.length, first + Math.ceil(height / ROW_HEIGHT) + 2 * SPARE);
        for (const [place, row] of this.drawn) {
            if (place < first || place >= last) { row.remove(); this.drawn.delete(place); }
        }
        const fresh = document.createDocumentFragment();
        for (let place = first; place < last; place += 1) {
            if (this.drawn.has(place)) continue;
            const row = this.row(this.rows[place], place);
            this.drawn.set(place, row);
            fresh.append(row);
        }
        this.space.append(fresh);
        const selected = this.view.selected;
        const active = selected && this.places?.has(selected.span.id) ? `row-${selected.span.id}` : null;
        if (active) this.element.setAttribute("aria-activedescendant", active);
        else this.element.removeAttribute("aria-activedescendant");
    }

    /** Brings a row into view. @param {Node} node @param {boolean} [middle] */
    reveal(node, middle = false) {
        const place = this.places?.get(node.span.id);
        if (place === undefined) return;
        const top = place * ROW_HEIGHT;
        const { scrollTop, clientHeight } = this.element;
        if (middle) this.element.scrollTop = top - clientHeight / 2;
        else if (top < scrollTop) this.element.scrollTop = top;
        else if (top + ROW_HEIGHT > scrollTop + clientHeight) {
            this.element.scrollTop = top + ROW_HEIGHT - clientHeight;
        }
        this.draw();
    }

    /** @param {Event} event */
    clicked(event) {
        const target = /** @type {Element} */ (event.target);
        const row = target.closest("[data-place]");
        if (!row) return;
        const node = this.rows[Number(/** @type {HTMLElement} */ (row).dataset.place)];
        // Rows are made anew: the focus must not go with the button that was pressed.
        this.element.focus({ preventScroll: true });
        if (target.closest(".twist")) this.view.toggle(node);
        else if (target.closest(".why")) this.view.select(node, "why");
        else this.view.select(node);
    }

    /** @param {Node} node @param {number} place */
    row(node, place) {
        const { view } = this;
        const { span } = node;
        const classes = ["row"];
        if (view.selected === node) classes.push("selected");
        if (view.matches.has(node)) classes.push("match");
        if (view.lit && view.lit !== node.service) classes.push("dim");
        if (node.isError) classes.push("error-row");
        const isParent = node.children.length > 0;
        return h("div", { class: classes.join(" "), role: "row", id: `row-${span.id}`, "data-place": place,
            "data-span": span.id, "aria-level": node.depth + 1, "aria-rowindex": place + 1,
            "aria-selected": String(view.selected === node),
            "aria-expanded": isParent ? String(!view.collapsed.has(span.id)) : null,
            style: { transform: `translateY(${place * ROW_HEIGHT}px)` } },
        h("div", { class: "name", role: "gridcell" }, ...this.name(node, isParent)),
        h("div", { class: "track", role: "gridcell" }, this.track(node)));
    }

    /** @param {Node} node @param {boolean} isParent */
    name(node, isParent) {
        const evidence = evidenceOf(node.span);
        const isClosed = this.view.collapsed.has(node.span.id);
        const label = `Why here? ${evidence.short}`;
        return [
            h("span", { class: "indent", style: { width: `${Math.min(node.depth, DEEPEST) * INDENT}px` } }),
            isParent ? h("button", { type: "button", class: isClosed ? "twist closed" : "twist", tabindex: "-1",
                "aria-label": isClosed ? "Expand" : "Collapse", title: plural(node.below, "span") + " below" }, "▾")
                : h("span", { class: "twist none" }),
            h("button", { type: "button", class: `why why-${evidence.name.replace(" ", "_")}`, tabindex: "-1",
                title: label, "aria-label": label }, icon(evidence.icon)),
            h("span", { class: "service", style: { "border-color": colourOf(node.service) } }, node.service),
            h("span", { class: "operation" }, node.span.name),
            ...marks(node),
            isClosed ? h("span", { class: node.errorsBelow > 0 ? "folded error" : "folded" }, `+${node.below}`) : null,
        ];
    }

    /** @param {Node} node */
    track(node) {
        const { view } = this;
        const [left, right] = view.extent(node);
        const colour = colourOf(node.service);
        const bar = h("div", { class: barClass(node), style: { left: `${left}%`, width: `${right - left}%`,
            "--colour": colour } });
        const text = right < 0 ? "◂ " : left > 100 ? "▸ " : "";
        return h("div", { class: "lane" },
            h("div", { class: "clip" },
                this.parentBand(node),
                bar,
                this.overhangs(node),
                this.events(node),
                ...view.pathOf(node).map((part) => h("div", { class: "critical",
                    style: { left: `${part.left}%`, width: `${part.right - part.left}%` } }))),
            h("span", { class: "length", style: { left: `${Math.max(0, Math.min(100, right))}%` } },
                text + duration(node.span.duration)));
    }

    /** Where an SDK noted something within the span. @param {Node} node */
    events(node) {
        const shift = this.view.startOf(node) - node.start;
        return (node.span.events ?? []).slice(0, EVENTS).map((event) => h("div", { class: "event-mark",
            title: event.name, style: { left: `${this.view.percent(event.time + shift)}%` } }));
    }

    /** For a span outside of its parent: where the parent was, so that the skew is seen. @param {Node} node */
    parentBand(node) {
        if (!node.parent || this.view.isAligned || (node.before === 0 && node.after === 0)) return null;
        const [left, right] = this.view.extent(node.parent);
        return h("div", { class: "parent-band", style: { left: `${left}%`, width: `${right - left}%` } });
    }

    /** The parts of a span that lie outside of its parent. @param {Node} node */
    overhangs(node) {
        if (!node.parent || this.view.isAligned) return [];
        const [from, to] = this.view.extent(node.parent);
        const [left, right] = this.view.extent(node);
        const part = (/** @type {number} */ start, /** @type {number} */ end) => h("div", { class: "overhang",
            style: { left: `${start}%`, width: `${Math.max(0, end - start)}%` } });
        return [node.before > 0 ? part(left, Math.min(right, from)) : null,
            node.after > 0 ? part(Math.max(left, to), right) : null];
    }
}

/** @param {Node} node */
function barClass(node) {
    return ["bar", node.isError ? "error" : "", node.isOpen ? "open" : "",
        node.span.application ? "application" : ""].filter(Boolean).join(" ");
}

/** @param {Node} node */
function marks(node) {
    const all = [...node.flags].filter((flag) => flag !== "root_missing" && MARKS[flag]).map((flag) =>
        h("span", { class: `mark mark-${flag}`, title: `${MARKS[flag].short}: ${MARKS[flag].text}` },
            icon(MARKS[flag].icon, MARKS[flag].short)));
    if (node.before > 0 || node.after > 0) {
        all.unshift(h("span", { class: "mark mark-skew", title: skewText(node) }, icon("skew", "clock skew")));
    }
    if (node.isError) all.unshift(h("span", { class: "mark mark-error", title: "Error" }, icon("error", "error")));
    return all;
}

/** In words how a span sticks out of its parent. @param {Node} node */
export function skewText(node) {
    const parts = [];
    if (node.before > 0) parts.push(`starts ${duration(node.before)} before its parent`);
    if (node.after > 0) parts.push(`ends ${duration(node.after)} after its parent`);
    const text = parts.join(" and ");
    return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The ruler above the rows. @param {TraceView} view */
export function ruler(view) {
    const [from, to] = view.window;
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => h("span", { class: "tick",
        style: { left: `${part * 100}%` } }, duration(from + part * (to - from))));
    return h("div", { class: "ruler", "aria-hidden": "true" }, ticks);
}

