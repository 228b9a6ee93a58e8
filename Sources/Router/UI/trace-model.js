/**
 * A trace as a tree: order of rows, depth, marks, self time. Pure; never recursive, chains may be thousands deep.
 */

/** @typedef {import("./api.js").Trace} Trace */
/** @typedef {import("./api.js").Span} Span */

/**
 * @typedef {{span: Span, index: number, parent: Node | null, children: Node[], depth: number, service: string,
 *   start: number, end: number, isOpen: boolean, isError: boolean, flags: Set<string>, before: number, after: number,
 *   below: number, errorsBelow: number, self: number, shift: number}} Node
 *   times in µs from the start of the trace; `before`, `after`: how far the span sticks out of its parent;
 *   `below`: number of descendants; `shift`: what correcting the skew adds to the start
 */

/** Stamps differ by some µs even on one node; what sticks out less than this is no skew. */
export const SKEW_TOLERANCE = 100;

export class TraceModel {
    /** @param {Trace} trace */
    constructor(trace) {
        this.trace = trace;
        this.end = Math.max(1, trace.duration, ...chunkedMaxima(trace.spans));
        /** @type {Map<string, Node>} */
        this.byID = new Map();
        const nodes = trace.spans.map((span) => this.makeNode(span));
        this.roots = joined(nodes, this.byID);
        /** Every node, parents before children: the order of the rows. */
        this.nodes = inOrder(this.roots, nodes);
        for (const node of this.nodes) noteSkew(node);
        sumUp(this.nodes);
        this.services = servicesOf(this.nodes);
        this.errors = this.nodes.filter((node) => node.isError).length;
        this.depth = this.nodes.reduce((most, node) => Math.max(most, node.depth + 1), 0);
        this.skewed = this.nodes.filter((node) => node.before > 0 || node.after > 0).length;
    }

    /** @param {Span} span @returns {Node} */
    makeNode(span) {
        const flags = new Set(span.flags ?? []);
        const isOpen = span.duration === null || span.duration === undefined || flags.has("open");
        if (isOpen) flags.add("open");
        const resource = this.trace.resources[span.resource] ?? {};
        const node = {
            span, index: 0, parent: null, children: [], depth: 0, flags, isOpen, isError: span.status === "error",
            service: String(resource["service.name"] ?? "unknown"), start: span.start,
            end: isOpen ? this.end : span.start + (span.duration ?? 0),
            before: 0, after: 0, below: 0, errorsBelow: 0, self: 0, shift: 0,
        };
        if (!this.byID.has(span.id)) this.byID.set(span.id, node);
        return node;
    }

    /** Root whose name stands for the trace: the earliest. */
    get root() { return this.roots[0] ?? null; }

    /** Rows in view when these are collapsed. @param {Set<string>} collapsed span ids */
    rows(collapsed) {
        const rows = [];
        for (let index = 0; index < this.nodes.length;) {
            const node = this.nodes[index];
            rows.push(node);
            index += collapsed.has(node.span.id) ? node.below + 1 : 1;
        }
        return rows;
    }
}

/** Ends of the spans; in one array, because a call takes only so many arguments. @param {Span[]} spans */
function chunkedMaxima(spans) {
    return [spans.reduce((most, span) => Math.max(most, span.start + (span.duration ?? 0)), 0)];
}

/** Ties children to parents; gives the roots. @param {Node[]} nodes @param {Map<string, Node>} byID */
function joined(nodes, byID) {
    const roots = [];
    for (const node of nodes) {
        const parent = node.span.parent ? byID.get(node.span.parent) : undefined;
        if (parent && parent !== node) {
            node.parent = parent;
            parent.children.push(node);
        } else {
            roots.push(node);
        }
    }
    const byStart = (/** @type {Node} */ one, /** @type {Node} */ other) => one.start - other.start
        || (one.span.id < other.span.id ? -1 : 1);
    for (const node of nodes) node.children.sort(byStart);
    return roots.sort(byStart);
}

/** Depth first with an own stack. What no root leads to (a cycle in bad data) is left out of the tree's edges. */
function inOrder(/** @type {Node[]} */ roots, /** @type {Node[]} */ all) {
    const order = /** @type {Node[]} */ ([]);
    const seen = new Set();
    const walk = (/** @type {Node} */ root) => {
        const stack = [root];
        while (stack.length > 0) {
            const node = /** @type {Node} */ (stack.pop());
            if (seen.has(node)) continue;
            seen.add(node);
            node.index = order.length;
            node.depth = node.parent ? node.parent.depth + 1 : 0;
            order.push(node);
            for (let child = node.children.length - 1; child >= 0; child -= 1) stack.push(node.children[child]);
        }
    };
    roots.forEach(walk);
    for (const node of all) {
        if (seen.has(node)) continue;
        if (node.parent) node.parent.children = node.parent.children.filter((child) => child !== node);
        node.parent = null;
        roots.push(node);
        walk(node);
    }
    return order;
}

/** How far a span sticks out of its parent, and the shift that puts it in the parent's middle. */
function noteSkew(/** @type {Node} */ node) {
    const { parent } = node;
    if (!parent) return;
    const before = parent.start - node.start;
    const after = parent.isOpen || node.isOpen ? 0 : node.end - parent.end;
    node.before = before > SKEW_TOLERANCE ? before : 0;
    node.after = after > SKEW_TOLERANCE ? after : 0;
    node.shift = parent.shift;
    if (node.before === 0 && node.after === 0) return;
    const room = parent.end - parent.start - (node.end - node.start);
    node.shift = parent.start + parent.shift + Math.max(0, room / 2) - node.start;
}

/** Descendants, errors below, self time: from the leaves up. */
function sumUp(/** @type {Node[]} */ nodes) {
    for (let index = nodes.length - 1; index >= 0; index -= 1) {
        const node = nodes[index];
        node.self = selfTime(node);
        if (!node.parent) continue;
        node.parent.below += node.below + 1;
        node.parent.errorsBelow += node.errorsBelow + (node.isError ? 1 : 0);
    }
}

/** Time of a span that no child covers. Children are sorted by start. */
function selfTime(/** @type {Node} */ node) {
    let covered = 0;
    let until = node.start;
    for (const child of node.children) {
        const from = Math.max(until, child.start);
        const to = Math.min(node.end, child.end);
        if (to > from) { covered += to - from; until = to; }
    }
    return Math.max(0, node.end - node.start - covered);
}

/** @param {Node[]} nodes */
function servicesOf(nodes) {
    /** @type {Map<string, {name: string, spans: number, errors: number, self: number}>} */
    const services = new Map();
    for (const node of nodes) {
        const one = services.get(node.service) ?? { name: node.service, spans: 0, errors: 0, self: 0 };
        one.spans += 1;
        one.errors += node.isError ? 1 : 0;
        one.self += node.self;
        services.set(node.service, one);
    }
    return [...services.values()].sort((one, other) => other.spans - one.spans || (one.name < other.name ? -1 : 1));
}

/**
 * The critical path: the parts of spans that the end of the trace waited for. From the end of the longest root
 * backwards, always into the child that ended last.
 * @param {TraceModel} model
 * @returns {Map<string, {start: number, end: number}[]>} by span id; times in µs from the start of the trace
 */
export function criticalPath(model) {
    /** @type {Map<string, {start: number, end: number}[]>} */
    const path = new Map();
    const root = model.roots.reduce((/** @type {Node | null} */ best, node) =>
        best && best.end - best.start >= node.end - node.start ? best : node, null);
    if (!root) return path;
    const note = (/** @type {Node} */ node, /** @type {number} */ start, /** @type {number} */ end) => {
        if (end <= start) return;
        path.set(node.span.id, [...(path.get(node.span.id) ?? []), { start, end }]);
    };
    const byEnd = (/** @type {Node} */ node) => node.children.filter((child) => !child.isOpen)
        .sort((one, other) => one.end - other.end);
    const stack = [{ node: root, cursor: root.end, rest: byEnd(root), from: root.start, to: root.end }];
    while (stack.length > 0) {
        const frame = stack[stack.length - 1];
        const child = frame.rest.pop();
        if (!child || frame.cursor <= frame.from) {
            note(frame.node, frame.from, frame.cursor);
            stack.pop();
            continue;
        }
        const end = Math.min(child.end, frame.to);
        const start = Math.max(child.start, frame.from);
        if (end > frame.cursor || end <= start) continue;
        note(frame.node, end, frame.cursor);
        frame.cursor = start;
        stack.push({ node: child, cursor: end, rest: byEnd(child), from: start, to: end });
    }
    return path;
}

/**
 * Spans that a word is found in: service, name, id, attributes, events.
 * @param {TraceModel} model @param {string} text
 */
export function find(model, text) {
    const word = text.trim().toLowerCase();
    if (!word) return [];
    const within = (/** @type {any} */ value) => String(value).toLowerCase().includes(word);
    const hasAttribute = (/** @type {{attributes?: Record<string, any>}} */ holder) =>
        Object.entries(holder.attributes ?? {}).some(([key, value]) => within(value) || within(`${key}=${value}`));
    return model.nodes.filter((node) => within(node.service) || within(node.span.name) || within(node.span.id)
        || hasAttribute(node.span) || (node.span.events ?? []).some((event) =>
            within(event.name) || hasAttribute(event))
        || (node.span.statusMessage ? within(node.span.statusMessage) : false));
}
