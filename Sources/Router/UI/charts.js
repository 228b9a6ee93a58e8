/**
 * Line charts over time, drawn as SVG.
 */
import { h, replace, s } from "./dom.js";
import { timeOfDay } from "./format.js";

const WIDTH = 480;
const HEIGHT = 132;
const LEFT = 46;
const BOTTOM = 20;
const TOP = 6;

/**
 * @typedef {{name: string, values: (number | null)[], bad?: boolean}} Series a null value leaves a gap
 * @typedef {{title: string, unit: string, format: (value: number) => string, least?: number, binary?: boolean
 *   }} ChartOptions
 *   `least`: the axis reaches at least to here, so that noise around nothing does not look like a mountain;
 *   `binary`: the axis ends at a power of two
 */

/**
 * The next round number at or above a value: 1, 2 or 5 times a power of ten.
 * @param {number} value above 0
 */
export function roundUp(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    for (const factor of [1, 2, 5, 10]) if (value <= factor * power * 1.0001) return factor * power;
    return 10 * power;
}

/**
 * What became of a counter, a second: differences over the time between points; a gap where the counter went back
 * (the router was started again).
 * @param {number[]} times seconds @param {number[]} values
 * @returns {(number | null)[]}
 */
export function rates(times, values) {
    return values.map((value, index) => {
        if (index === 0) return null;
        const passed = times[index] - times[index - 1];
        const grown = value - values[index - 1];
        return passed > 0 && grown >= 0 ? grown / passed : null;
    });
}

/** Runs of points that are not null, as an SVG path. */
function path(/** @type {(number | null)[]} */ values, /** @type {(index: number) => number} */ x,
    /** @type {(value: number) => number} */ y) {
    let text = "";
    let pen = "M";
    values.forEach((value, index) => {
        if (value === null) { pen = "M"; return; }
        text += `${pen}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = "L";
    });
    return text;
}

/** A chart that is drawn anew with each update; the reader's pointer keeps its place. */
export class Chart {
    /** @param {ChartOptions} options */
    constructor(options) {
        this.options = options;
        /** @type {number[]} */
        this.times = [];
        /** @type {Series[]} */
        this.series = [];
        /** @type {number | null} */
        this.pointed = null;
        this.legend = h("ul", { class: "legend" });
        this.drawing = /** @type {SVGSVGElement} */ (s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" }));
        this.drawing.addEventListener("pointermove", (event) => this.point(event));
        this.drawing.addEventListener("pointerleave", () => { this.pointed = null; this.draw(); });
        this.when = h("span", { class: "when" });
        this.element = h("figure", { class: "chart" },
            h("figcaption", null, h("span", null, options.title), h("span", { class: "unit" }, options.unit),
                this.when),
            this.drawing, this.legend);
    }

    /** @param {number[]} times seconds since 1970 @param {Series[]} series */
    update(times, series) {
        this.times = times;
        this.series = series;
        this.draw();
    }

    /** @param {PointerEvent} event */
    point(event) {
        const box = this.drawing.getBoundingClientRect();
        const at = ((event.clientX - box.left) / box.width * WIDTH - LEFT) / (WIDTH - LEFT);
        const index = Math.round(at * (this.times.length - 1));
        this.pointed = index >= 0 && index < this.times.length ? index : null;
        this.draw();
    }

    draw() {
        const { format, least = 1, binary = false } = this.options;
        const known = this.series.flatMap((one) => one.values.filter((value) => value !== null));
        const most = Math.max(least, ...known);
        const top = binary ? 2 ** Math.ceil(Math.log2(most)) : roundUp(most);
        const span = Math.max(1, this.times.length - 1);
        const x = (/** @type {number} */ index) => LEFT + index / span * (WIDTH - LEFT - 4);
        const y = (/** @type {number} */ value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
        const marks = [0, top / 2, top].map((value) => [
            s("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value) }),
            s("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)),
        ]).flat();
        const lines = this.series.map((one, index) =>
            s("path", { class: `line c${index % 8}${one.bad ? " bad" : ""}`, d: path(one.values, x, y) }));
        replace(this.drawing, ...marks, ...this.clock(x), ...lines, this.cursor(x, y));
        this.drawing.setAttribute("aria-label", `${this.options.title}: ${this.words()}`);
        this.describe();
    }

    /** First and last time under the axis. @param {(index: number) => number} x */
    clock(x) {
        const last = this.times.length - 1;
        if (last < 1) return [];
        const text = (/** @type {number} */ index) => timeOfDay(new Date(this.times[index] * 1000)).slice(0, 8);
        return [
            s("text", { x: LEFT, y: HEIGHT - 5 }, text(0)),
            s("text", { x: x(last), y: HEIGHT - 5, "text-anchor": "end" }, text(last)),
        ];
    }

    /** @param {(index: number) => number} x @param {(value: number) => number} y */
    cursor(x, y) {
        if (this.pointed === null) return null;
        const at = this.pointed;
        const dots = this.series.map((one, index) => {
            const value = one.values[at];
            return value === null || value === undefined ? null
                : s("circle", { class: `c${index % 8}${one.bad ? " bad" : ""}`, cx: x(at), cy: y(value), r: 3.5 });
        });
        return s("g", null, s("line", { class: "cursor", x1: x(at), x2: x(at), y1: TOP, y2: HEIGHT - BOTTOM }), dots);
    }

    /** The value under the pointer, else the last that is known. @param {Series} one */
    shown(one) {
        if (this.pointed !== null) return one.values[this.pointed] ?? null;
        return one.values.findLast((value) => value !== null) ?? null;
    }

    words() {
        return this.series.map((one) => {
            const value = this.shown(one);
            return `${one.name} ${value === null ? "unknown" : this.options.format(value)}`;
        }).join(", ");
    }

    describe() {
        this.when.textContent = this.pointed === null ? ""
            : timeOfDay(new Date(this.times[this.pointed] * 1000)).slice(0, 8);
        replace(this.legend, this.series.map((one, index) => {
            const value = this.shown(one);
            return h("li", null, h("span", { class: `key c${index % 8}${one.bad ? " bad" : ""}` }), one.name,
                h("b", null, value === null ? "–" : this.options.format(value)));
        }));
    }
}
