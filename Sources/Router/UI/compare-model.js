/**
 * Two traces side by side: spans that are called in the same way are one row. Pure; no recursion over data.
 */

/** @typedef {import("./trace-model.js").Node} Node */
/** @typedef {import("./trace-model.js").TraceModel} TraceModel */

/**
 * @typedef {{spans: number, errors: number, ended: number, total: number, first: Node | null}} Side
 *   `ended`: spans whose end was seen; `total`: their durations, µs; `first`: the earliest span
 * @typedef {{service: string, name: string, kind: string, depth: number, parent: Row | null, before: Side, after: Side,
 *   differs: boolean, below: boolean}} Row
 *   `differs`: in number of spans or errors, or by much in time; `below`: a row below it does
 */

/** A difference in time counts from this share of the longer trace. */
export const NOTABLE = 0.05;

/** Parts of a path that are ids: numbers, long hexadecimal ones, UUIDs. */
const IDS = /\/(?:\d+|[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=[/?#\s]|$)/gi;

/** An operation without the ids in its path: two requests for different orders do the same. @param {string} name */
export const general = (name) => name.replace(IDS, "/{id}");

/** @param {Node[]} nodes @returns {Side} */
function sideOf(nodes) {
    /** @type {Side} */
    const side = { spans: nodes.length, errors: 0, ended: 0, total: 0, first: null };
    for (const node of nodes) {
        if (node.isError) side.errors += 1;
        if (!side.first || node.start < side.first.start) side.first = node;
        if (node.isOpen) continue;
        side.ended += 1;
        side.total += node.end - node.start;
    }
    return side;
}

/** Mean duration, µs; null when no end was seen. @param {Side} side */
export const mean = (side) => side.ended > 0 ? side.total / side.ended : null;

/**
 * The rows of both trees, parents before children: spans of one service, operation (but for ids in it) and kind below
 * one row are one.
 * O(n log n) of the spans of both.
 * @param {TraceModel} before @param {TraceModel} after @returns {Row[]}
 */
export function compare(before, after) {
    const notable = NOTABLE * Math.max(before.end, after.end);
    /** @type {Row[]} */
    const rows = [];
    const stack = groups(before.roots, after.roots, null);
    while (stack.length > 0) {
        const { row, left, right } = /** @type {Group} */ (stack.pop());
        row.before = sideOf(left);
        row.after = sideOf(right);
        row.differs = row.before.spans !== row.after.spans || row.before.errors !== row.after.errors
            || Math.abs(row.before.total - row.after.total) >= notable;
        rows.push(row);
        stack.push(...groups(left.flatMap((node) => node.children), right.flatMap((node) => node.children), row));
    }
    for (let place = rows.length - 1; place >= 0; place -= 1) {
        const { parent, differs, below } = rows[place];
        if (parent && (differs || below)) parent.below = true;
    }
    return rows;
}

/** @typedef {{row: Row, left: Node[], right: Node[], at: number}} Group */

/** Children by what they are; the last of the list is the one that comes first. @returns {Group[]} */
function groups(/** @type {Node[]} */ left, /** @type {Node[]} */ right, /** @type {Row | null} */ parent) {
    /** @type {Map<string, Group>} */
    const found = new Map();
    const take = (/** @type {Node} */ node, /** @type {"left" | "right"} */ side) => {
        const name = general(node.span.name);
        const key = JSON.stringify([node.service, name, node.span.kind]);
        const start = node.start - (node.parent?.start ?? 0);
        let group = found.get(key);
        if (!group) {
            const none = sideOf([]);
            group = { left: [], right: [], at: start, row: { service: node.service, name: node.span.name,
                kind: node.span.kind, depth: parent ? parent.depth + 1 : 0, parent, before: none, after: none,
                differs: false, below: false } };
            found.set(key, group);
        }
        group[side].push(node);
        if (group.row.name !== node.span.name) group.row.name = name;
        group.at = Math.min(group.at, start);
    };
    for (const node of left) take(node, "left");
    for (const node of right) take(node, "right");
    return [...found.values()].sort((one, other) => other.at - one.at
        || (one.row.service + one.row.name < other.row.service + other.row.name ? 1 : -1));
}
