/**
 * The keys of the trace page.
 */
import { h } from "./dom.js";

/** @typedef {import("./trace-view.js").TraceView} TraceView */

/** @type {[string, string][]} */
const KEYS = [
    ["j ↓, k ↑", "next span, span before"],
    ["→, ←", "expand or go to the first child; collapse or go to the parent"],
    ["Enter", "details of the span"],
    ["w", "why does the span hang here?"],
    ["e, E", "next error, error before"],
    ["/", "find in the trace"],
    ["n, N", "next match, match before"],
    ["+, −, 0", "zoom in, zoom out, whole trace"],
    ["h, l", "move the shown stretch back, forth"],
    ["f", "zoom to the span"],
    ["c, x", "collapse all, expand all"],
    ["p, s", "critical path, correct skew"],
    ["Home, End", "first span, last span"],
    ["Esc", "close the details"],
    ["?", "this list"],
];

/** A dialog with all keys. */
export function showKeys() {
    const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { class: "keys", "aria-label": "Keys" },
        h("h2", null, "Keys"),
        h("dl", { class: "pairs" }, KEYS.flatMap(([keys, text]) =>
            [h("dt", null, keys.split(" ").map((key) => h("kbd", null, key.replace(",", "")))), h("dd", null, text)])),
        h("button", { type: "button", onclick: () => dialog.close() }, "Close")));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
}

/** Up or down by rows in view. @param {TraceView} view @param {number} step */
function step(view, step) {
    const { rows } = view;
    const at = view.selected ? rows.indexOf(view.selected) : -1;
    const node = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))];
    if (node) view.select(node);
}

/** @param {TraceView} view */
function inwards(view) {
    const node = view.selected;
    if (!node || node.children.length === 0) return;
    if (view.collapsed.has(node.span.id)) view.toggle(node);
    else view.select(node.children[0]);
}

/** @param {TraceView} view */
function outwards(view) {
    const node = view.selected;
    if (!node) return;
    if (node.children.length > 0 && !view.collapsed.has(node.span.id)) view.toggle(node);
    else if (node.parent) view.select(node.parent);
}

/** @param {TraceView} view @param {(node: any) => boolean} which @param {number} by */
function jump(view, which, by) {
    const node = view.next(view.model.nodes.filter(which), by);
    if (node) view.select(node);
}

/**
 * What keys do, by their name.
 * @param {TraceView} view @param {{find: () => void, focusDetail: () => void}} acts
 * @returns {Record<string, () => void>}
 */
function actions(view, acts) {
    const isError = (/** @type {any} */ node) => node.isError;
    const isMatch = (/** @type {any} */ node) => view.matches.has(node);
    const down = () => step(view, 1);
    const up = () => step(view, -1);
    return {
        j: down, ArrowDown: down, k: up, ArrowUp: up, PageDown: () => step(view, 15), PageUp: () => step(view, -15),
        ArrowRight: () => inwards(view), ArrowLeft: () => outwards(view),
        Home: () => view.select(view.rows[0] ?? null), End: () => view.select(view.rows[view.rows.length - 1] ?? null),
        Enter: () => { view.select(view.selected ?? view.rows[0] ?? null, "span"); acts.focusDetail(); },
        w: () => view.select(view.selected ?? view.rows[0] ?? null, "why"),
        e: () => jump(view, isError, 1), E: () => jump(view, isError, -1),
        n: () => jump(view, isMatch, 1), N: () => jump(view, isMatch, -1),
        "/": acts.find, "?": showKeys, "+": () => view.zoomBy(0.5), "=": () => view.zoomBy(0.5),
        "-": () => view.zoomBy(2), 0: () => view.resetZoom(), h: () => view.pan(-0.25), l: () => view.pan(0.25),
        f: () => { if (view.selected) view.zoomTo(view.selected); },
        c: () => view.collapseFrom(1), x: () => view.expandAll(), p: () => view.flip("hasPath"),
        s: () => { if (view.model.skewed > 0) view.flip("isAligned"); },
        Escape: () => view.select(null),
    };
}

/**
 * Listens to keys while the page is shown. Fields and buttons keep the keys that they use themselves.
 * @param {TraceView} view
 * @param {{find: () => void, focusDetail: () => void}} acts
 * @param {AbortSignal} signal
 */
export function listenToKeys(view, acts, signal) {
    const all = actions(view, acts);
    document.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
        const target = /** @type {Element} */ (event.target);
        if (target.closest("input, select, textarea, dialog")) return;
        const inside = target.closest(".rows") !== null || target === document.body || target.id === "page";
        const isPlain = event.key.length === 1;
        if (!inside && !isPlain && event.key !== "Escape") return;
        const action = all[event.key];
        if (!action) return;
        event.preventDefault();
        action();
    }, { signal });
}
