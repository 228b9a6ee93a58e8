/**
 * Duration over time of the found traces. A click opens a trace; dragging a box selects traces for the list.
 */
import { h, replace, s } from "./dom.js";
import { duration, moment, plural } from "./format.js";
import { go, traceLink } from "./router.js";

/** @typedef {import("./search-results.js").Item} Item */

const HEIGHT = 170;
const EDGE = { left: 58, right: 12, top: 10, bottom: 24 };

export class Scatter {
    /** @param {Item[]} items @param {(ids: Set<string> | null) => void} selected */
    constructor(items, selected) {
        this.items = [...items].sort((one, other) => one.start - other.start);
        this.selected = selected;
        this.width = 800;
        /** @type {{x: number, y: number} | null} */
        this.from = null;
        /** @type {Set<string> | null} ids inside of the box that was drawn */
        this.chosen = null;
        this.focused = 0;
        this.box = s("rect", { class: "select-box", width: 0, height: 0 });
        this.tip = h("div", { class: "tip", hidden: true });
        this.drawing = /** @type {SVGSVGElement} */ (s("svg", { class: "scatter-plot", height: HEIGHT, tabindex: "0",
            role: "application", "aria-label": `Duration over time of ${plural(items.length, "trace")}. `
                + "Arrow keys go from trace to trace, Enter opens one. The list below has the same traces." }));
        this.element = h("figure", { class: "card scatter" }, h("figcaption", null, h("span", null,
            "Duration over time"), h("span", { class: "quiet" }, "click to open, drag to select")), this.drawing,
        this.tip);
        this.listen();
        new ResizeObserver(() => this.draw()).observe(this.element);
    }

    listen() {
        const { drawing } = this;
        drawing.addEventListener("pointerdown", (event) => this.press(event));
        drawing.addEventListener("pointermove", (event) => this.move(event));
        drawing.addEventListener("pointerup", (event) => this.release(event));
        drawing.addEventListener("pointercancel", () => this.stop());
        drawing.addEventListener("pointerleave", () => { if (!this.from) this.tip.hidden = true; });
        drawing.addEventListener("keydown", (event) => this.key(event));
        drawing.addEventListener("blur", () => this.point(null));
    }

    /** Scales: time is linear, duration logarithmic when it spans more than a factor of 50. */
    scale() {
        const durations = this.items.map((item) => Math.max(1, item.duration));
        const [least, most] = [Math.min(...durations), Math.max(...durations)];
        this.logarithmic = most / least > 50;
        this.bottom = this.logarithmic ? Math.log10(least) - 0.1 : 0;
        this.top = this.logarithmic ? Math.log10(most) + 0.1 : most * 1.08;
        this.first = this.items[0].start;
        this.span = Math.max(1, this.items[this.items.length - 1].start - this.first);
    }

    /** @param {Item} item */
    place(item) {
        const value = this.logarithmic ? Math.log10(Math.max(1, item.duration)) : item.duration;
        const part = (value - this.bottom) / (this.top - this.bottom || 1);
        return {
            x: EDGE.left + (item.start - this.first) / this.span * (this.width - EDGE.left - EDGE.right),
            y: HEIGHT - EDGE.bottom - part * (HEIGHT - EDGE.top - EDGE.bottom),
        };
    }

    draw() {
        this.width = Math.max(260, this.drawing.getBoundingClientRect().width);
        this.drawing.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
        this.scale();
        const most = Math.max(1, ...this.items.map((item) => item.spans));
        this.dots = this.items.map((item) => {
            const { x, y } = this.place(item);
            return s("circle", { class: item.errors > 0 ? "point bad" : "point", cx: x, cy: y, "data-trace": item.id,
                r: 3.5 + 5 * Math.sqrt(item.spans / most) });
        });
        this.fade();
        replace(this.drawing, this.axes(), this.dots, this.box);
    }

    axes() {
        const right = this.width - EDGE.right;
        const ticks = [0, 0.5, 1].flatMap((part) => {
            const value = this.bottom + part * (this.top - this.bottom);
            const micros = this.logarithmic ? 10 ** value : value;
            const y = HEIGHT - EDGE.bottom - part * (HEIGHT - EDGE.top - EDGE.bottom);
            return [s("line", { class: "grid", x1: EDGE.left, x2: right, y1: y, y2: y }),
                s("text", { x: EDGE.left - 6, y: y + 4, "text-anchor": "end" }, duration(rounded(micros)))];
        });
        const time = (/** @type {number} */ micros) => moment(micros).slice(5, 19);
        return [...ticks, s("text", { x: EDGE.left, y: HEIGHT - 6 }, time(this.first)),
            s("text", { x: right, y: HEIGHT - 6, "text-anchor": "end" }, time(this.first + this.span))];
    }

    /** @param {PointerEvent} event */
    at(event) {
        const box = this.drawing.getBoundingClientRect();
        return { x: event.clientX - box.left, y: event.clientY - box.top };
    }

    /** The nearest trace within reach of a finger. @param {{x: number, y: number}} spot */
    nearest(spot) {
        let best = null;
        let least = 18 ** 2;
        for (const item of this.items) {
            const { x, y } = this.place(item);
            const far = (x - spot.x) ** 2 + (y - spot.y) ** 2;
            if (far < least) { best = item; least = far; }
        }
        return best;
    }

    /** @param {PointerEvent} event */
    press(event) {
        if (event.button !== 0) return;
        this.from = this.at(event);
        this.drawing.setPointerCapture(event.pointerId);
    }

    /** @param {PointerEvent} event */
    move(event) {
        const spot = this.at(event);
        if (!this.from) { this.point(this.nearest(spot)); return; }
        const { x, y, width, height } = boxOf(this.from, spot);
        for (const [name, value] of Object.entries({ x, y, width, height })) this.box.setAttribute(name, String(value));
    }

    /** @param {PointerEvent} event */
    release(event) {
        const { from } = this;
        if (!from) return;
        const spot = this.at(event);
        this.stop();
        const { x, y, width, height } = boxOf(from, spot);
        if (width < 5 && height < 5) {
            const item = this.nearest(spot);
            if (item) go(traceLink(item.id)); else this.clear();
            return;
        }
        const inside = this.items.filter((item) => {
            const at = this.place(item);
            return at.x >= x && at.x <= x + width && at.y >= y && at.y <= y + height;
        });
        this.choose(inside.length > 0 ? new Set(inside.map((item) => item.id)) : null);
    }

    stop() {
        this.from = null;
        this.box.setAttribute("width", "0");
        this.box.setAttribute("height", "0");
    }

    clear() { this.choose(null); }

    /** @param {Set<string> | null} ids */
    choose(ids) {
        this.chosen = ids;
        this.fade();
        this.selected(ids);
    }

    /** Marks the dots that are not chosen; they are drawn anew when the width changes. */
    fade() {
        const { chosen } = this;
        for (const circle of this.dots ?? []) {
            circle.classList.toggle("faded", chosen !== null && !chosen.has(circle.getAttribute("data-trace") ?? ""));
        }
    }

    /** @param {Item | null} item */
    point(item) {
        this.tip.hidden = item === null;
        for (const circle of this.dots ?? []) {
            circle.classList.toggle("pointed", item !== null && circle.getAttribute("data-trace") === item.id);
        }
        this.drawing.classList.toggle("on-point", item !== null);
        if (!item) return;
        const { x, y } = this.place(item);
        replace(this.tip, h("b", null, `${item.service}: ${item.name}`), h("br", null),
            `${duration(item.duration)} · ${plural(item.spans, "span")}`
            + (item.errors > 0 ? ` · ${plural(item.errors, "error")}` : ""));
        const right = x > this.width / 2;
        this.tip.style.left = right ? "auto" : `${x + 20}px`;
        this.tip.style.right = right ? `${this.width - x + 28}px` : "auto";
        this.tip.style.top = `${y + 18}px`;
    }

    /** @param {KeyboardEvent} event */
    key(event) {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step !== undefined) {
            this.focused = Math.max(0, Math.min(this.items.length - 1, this.focused + step));
            this.point(this.items[this.focused]);
            event.preventDefault();
        } else if (event.key === "Enter") {
            go(traceLink(this.items[this.focused].id));
        } else if (event.key === "Escape") {
            this.clear();
        }
    }
}

/** Two digits are enough on an axis. @param {number} value */
function rounded(value) {
    return value === 0 ? 0 : Number(value.toPrecision(2));
}

/** @param {{x: number, y: number}} one @param {{x: number, y: number}} other */
function boxOf(one, other) {
    return { x: Math.min(one.x, other.x), y: Math.min(one.y, other.y), width: Math.abs(one.x - other.x),
        height: Math.abs(one.y - other.y) };
}
