/**
 * What the parts of a trace page share: which span is selected, what is collapsed, which stretch of time is shown.
 */
import { announce } from "./dom.js";
import { duration } from "./format.js";
import { criticalPath, find } from "./trace-model.js";

/** @typedef {import("./trace-model.js").Node} Node */
/** @typedef {import("./trace-model.js").TraceModel} TraceModel */

/** A stretch shorter than this (µs) cannot be zoomed into. */
const LEAST = 2;

export class TraceView {
    /** @param {TraceModel} model */
    constructor(model) {
        this.model = model;
        /** @type {Node | null} */
        this.selected = null;
        /** @type {"span" | "why"} */
        this.tab = "span";
        /** @type {Set<string>} ids of collapsed spans */
        this.collapsed = new Set();
        /** @type {Set<Node>} what the search in the trace found */
        this.matches = new Set();
        /** @type {Node[]} */
        this.matchList = [];
        /** @type {string | null} the service that alone is lit */
        this.lit = null;
        this.isAligned = false;
        this.hasPath = true;
        this.path = criticalPath(model);
        /** @type {[number, number]} µs from the start of the trace */
        this.window = [0, model.end];
        /** @type {((what: "rows" | "look" | "window" | "selection") => void)[]} */
        this.listeners = [];
    }

    /** @param {"rows" | "look" | "window" | "selection"} what */
    changed(what) { for (const listener of this.listeners) listener(what); }

    /** Start of a span as shown. @param {Node} node */
    startOf(node) { return this.isAligned ? node.start + node.shift : node.start; }

    /**
     * Where a span's bar lies in the stretch that is shown, in per cent; a little beyond the edges at most.
     * @param {Node} node @returns {[number, number]}
     */
    extent(node) {
        const start = this.startOf(node);
        return [this.percent(start), this.percent(start + node.end - node.start)];
    }

    /** @param {number} micros */
    percent(micros) {
        const [from, to] = this.window;
        return Math.max(-5, Math.min(105, (micros - from) / (to - from) * 100));
    }

    /** Parts of a span on the critical path, in per cent. @param {Node} node */
    pathOf(node) {
        if (!this.hasPath || this.isAligned) return [];
        return (this.path.get(node.span.id) ?? []).map((part) => (
            { left: this.percent(part.start), right: this.percent(part.end) }));
    }

    get rows() { return this.model.rows(this.collapsed); }

    /** @param {Node} node */
    toggle(node) {
        if (node.children.length === 0) return;
        const { id } = node.span;
        if (!this.collapsed.delete(id)) this.collapsed.add(id);
        this.changed("rows");
    }

    /** Collapses everything at this depth and below it; 0 leaves the roots. @param {number} depth */
    collapseFrom(depth) {
        this.collapsed = new Set(this.model.nodes.filter((node) => node.depth >= depth && node.children.length > 0)
            .map((node) => node.span.id));
        this.changed("rows");
    }

    expandAll() {
        this.collapsed.clear();
        this.changed("rows");
    }

    /** @param {Node | null} node @param {"span" | "why"} [tab] */
    select(node, tab) {
        if (tab) this.tab = tab;
        this.selected = node;
        let hidden = false;
        for (let parent = node?.parent ?? null; parent; parent = parent.parent) {
            hidden = this.collapsed.delete(parent.span.id) || hidden;
        }
        if (hidden) this.changed("rows");
        this.changed("selection");
        if (node) announce(`${node.service} ${node.span.name}, ${duration(node.span.duration)}`);
    }

    /** @param {number} from @param {number} to µs */
    zoom(from, to) {
        const end = this.model.end;
        const length = Math.max(LEAST, Math.min(end, to - from));
        const start = Math.max(0, Math.min(end - length, from));
        this.window = [start, start + length];
        this.changed("window");
    }

    /** In (below 1) or out around the middle, or the selected span. @param {number} factor */
    zoomBy(factor) {
        const [from, to] = this.window;
        let middle = (from + to) / 2;
        if (this.selected) {
            const centre = this.startOf(this.selected) + (this.selected.end - this.selected.start) / 2;
            if (centre >= from && centre <= to) middle = centre;
        }
        const half = (to - from) / 2 * factor;
        this.zoom(middle - half, middle + half);
    }

    /** @param {number} part of the stretch that is shown; negative goes back */
    pan(part) {
        const [from, to] = this.window;
        this.zoom(from + part * (to - from), to + part * (to - from));
    }

    resetZoom() { this.zoom(0, this.model.end); }

    /** A span and a little around it. @param {Node} node */
    zoomTo(node) {
        const start = this.startOf(node);
        const length = Math.max(LEAST, node.end - node.start);
        this.zoom(start - length * 0.05, start + length * 1.05);
    }

    /** @param {string} text */
    find(text) {
        this.matchList = find(this.model, text);
        this.matches = new Set(this.matchList);
        this.changed("look");
    }

    /** The next or (step -1) the one before, of some nodes in the order of rows. @param {Node[]} nodes */
    next(nodes, step = 1) {
        if (nodes.length === 0) return null;
        const at = this.selected?.index ?? -1;
        if (step > 0) return nodes.find((node) => node.index > at) ?? nodes[0];
        return nodes.findLast((node) => node.index < at) ?? nodes[nodes.length - 1];
    }

    /** @param {string | null} service */
    light(service) {
        this.lit = this.lit === service ? null : service;
        this.changed("look");
    }

    /** @param {"isAligned" | "hasPath"} what */
    flip(what) {
        this[what] = !this[what];
        this.changed("look");
    }
}
