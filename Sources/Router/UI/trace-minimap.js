/**
 * The whole trace in small, above the rows: drag to zoom in, drag the handles to change what is shown.
 */
import { colourOf, themeColour } from "./colours.js";
import { h } from "./dom.js";

/** @typedef {import("./trace-view.js").TraceView} TraceView */

const HEIGHT = 56;

export class Minimap {
    /** @param {TraceView} view */
    constructor(view) {
        this.view = view;
        this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { height: HEIGHT }));
        this.left = h("div", { class: "shade left" });
        this.right = h("div", { class: "shade right" });
        this.dragged = h("div", { class: "dragged", hidden: true });
        this.handles = [this.handle(0, "Start of the part that is shown"), this.handle(1, "End of the part shown")];
        this.element = h("div", { class: "minimap", "aria-label": "Overview of the trace", role: "group" },
            this.canvas, this.left, this.right, this.dragged, ...this.handles);
        this.listen();
        new ResizeObserver(() => this.draw()).observe(this.element);
    }

    /** @param {0 | 1} side @param {string} label */
    handle(side, label) {
        const grip = h("div", { class: "grip", role: "slider", tabindex: "0", "aria-label": label,
            "aria-valuemin": "0", "aria-valuemax": "100" });
        grip.addEventListener("pointerdown", (event) => this.drag(event, side));
        grip.addEventListener("keydown", (event) => {
            const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
            if (step === undefined) return;
            event.preventDefault();
            event.stopPropagation();
            this.moveEdge(side, this.view.window[side] + step * this.view.model.end / 50);
        });
        return grip;
    }

    listen() {
        const stopped = (/** @type {Event} */ event) =>
            this.handles.includes(/** @type {HTMLElement} */ (event.target));
        this.element.addEventListener("pointerdown", (event) => { if (!stopped(event)) this.drag(event, null); });
        this.element.addEventListener("dblclick", () => this.view.resetZoom());
    }

    /** µs under the pointer. @param {PointerEvent} event */
    at(event) {
        const box = this.element.getBoundingClientRect();
        return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * this.view.model.end;
    }

    /** @param {0 | 1} side @param {number} micros */
    moveEdge(side, micros) {
        const edges = /** @type {[number, number]} */ ([...this.view.window]);
        edges[side] = micros;
        if (edges[1] > edges[0]) this.view.zoom(Math.max(0, edges[0]), Math.min(this.view.model.end, edges[1]));
    }

    /** Follows the pointer until it is let go. @param {PointerEvent} event @param {0 | 1 | null} side */
    drag(event, side) {
        if (event.button !== 0) return;
        event.preventDefault();
        const from = this.at(event);
        const move = (/** @type {PointerEvent} */ moved) => {
            if (side !== null) this.moveEdge(side, this.at(moved));
            else this.mark(from, this.at(moved));
        };
        const stop = (/** @type {PointerEvent} */ moved) => {
            window.removeEventListener("pointermove", move);
            window.removeEventListener("pointerup", stop);
            this.dragged.hidden = true;
            const to = this.at(moved);
            if (side === null && Math.abs(to - from) > this.view.model.end / 200) {
                this.view.zoom(Math.min(from, to), Math.max(from, to));
            }
        };
        window.addEventListener("pointermove", move);
        window.addEventListener("pointerup", stop);
    }

    /** @param {number} from @param {number} to */
    mark(from, to) {
        const end = this.view.model.end;
        this.dragged.hidden = false;
        this.dragged.style.left = `${Math.min(from, to) / end * 100}%`;
        this.dragged.style.width = `${Math.abs(to - from) / end * 100}%`;
    }

    /** Shows which stretch the rows show. */
    place() {
        const end = this.view.model.end;
        const [from, to] = this.view.window.map((micros) => micros / end * 100);
        this.left.style.width = `${from}%`;
        this.right.style.width = `${100 - to}%`;
        [from, to].forEach((value, side) => {
            this.handles[side].style.left = `${value}%`;
            this.handles[side].setAttribute("aria-valuenow", String(Math.round(value)));
        });
    }

    /** One line a span, as thin as their number asks. */
    draw() {
        const ratio = window.devicePixelRatio || 1;
        const width = Math.max(1, this.element.clientWidth);
        this.canvas.width = width * ratio;
        this.canvas.height = HEIGHT * ratio;
        const pen = this.canvas.getContext("2d");
        if (!pen) return;
        pen.scale(ratio, ratio);
        const { nodes, end } = this.view.model;
        const pitch = Math.min(6, (HEIGHT - 8) / Math.max(1, nodes.length));
        const error = themeColour("--error");
        nodes.forEach((node, index) => {
            const start = this.view.startOf(node);
            pen.fillStyle = node.isError ? error : colourOf(node.service);
            pen.globalAlpha = this.view.lit && this.view.lit !== node.service ? 0.15 : 1;
            pen.fillRect(start / end * width, 4 + index * pitch,
                Math.max(1, (node.end - node.start) / end * width), Math.max(0.6, pitch * 0.7));
        });
        this.place();
    }
}
