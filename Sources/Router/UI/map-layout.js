/**
 * Where the services stand: in layers from callers to called, with few crossings. Pure, without recursion.
 * An edge over several layers gets a bend in each layer between, which takes part in the ordering as a thin node.
 */

/**
 * @typedef {{x: number, y: number}} Point
 * @typedef {{name: string, layer: number, x: number, y: number}} Placed the upper left corner
 * @typedef {{from: string, to: string}} Arc
 * @typedef {{width: number, height: number, columnGap: number, rowGap: number}} Size of a node, and space between
 */

const SWEEPS = 12;
/** Space after a bend, where a node would have its row gap. */
const BEND_GAP = 10;
/** Names of bends; no service is called so. */
const BEND = "\u0000bend ";

/** @param {string} name */
const isBend = (name) => name.startsWith(BEND);

/** @param {Arc} arc */
export const arcKey = ({ from, to }) => `${from}\u0000${to}`;

/**
 * @param {string[]} names @param {Arc[]} arcs @param {Size} size
 * @returns {{places: Map<string, Placed>, bends: Map<string, Point[]>, width: number, height: number}}
 *   `bends`: by arc, the points that an edge over several layers passes
 */
export function layout(names, arcs, size) {
    const forward = withoutCycles(names, arcs);
    const layers = layersOf(names, forward);
    const { short, routes } = bent(layers, forward);
    ordered(layers, short);
    const all = placed(layers, size);
    const bends = new Map([...routes].map(([key, route]) => [key, route.map((name) => {
        const { x, y } = /** @type {Placed} */ (all.places.get(name));
        return { x: x + size.width / 2, y: y + bendHeight(size) / 2 };
    })]));
    const places = new Map([...all.places].filter(([name]) => !isBend(name)));
    return { places, bends, width: layers.length * (size.width + size.columnGap) - size.columnGap, height: all.height };
}

/** @param {Size} size */
const bendHeight = (size) => size.height / 3;

/** @param {string[][]} layers @param {Size} size */
function placed(layers, size) {
    const high = (/** @type {string} */ name) => isBend(name) ? bendHeight(size) : size.height;
    const gap = (/** @type {string} */ name) => isBend(name) ? BEND_GAP : size.rowGap;
    const heights = layers.map((layer) => layer.reduce((sum, name) => sum + high(name) + gap(name), 0));
    const height = Math.max(1, ...heights);
    /** @type {Map<string, Placed>} */
    const places = new Map();
    layers.forEach((layer, column) => {
        let y = (height - heights[column]) / 2;
        for (const name of layer) {
            places.set(name, { name, layer: column, x: column * (size.width + size.columnGap), y });
            y += high(name) + gap(name);
        }
    });
    return { places, height };
}

/** Leaves out arcs that lead back to where a walk came from, and those to oneself. */
function withoutCycles(/** @type {string[]} */ names, /** @type {Arc[]} */ arcs) {
    const out = new Map(names.map((name) => [name, /** @type {Arc[]} */ ([])]));
    const called = new Map(names.map((name) => [name, 0]));
    for (const arc of arcs) {
        if (arc.from === arc.to) continue;
        out.get(arc.from)?.push(arc);
        called.set(arc.to, (called.get(arc.to) ?? 0) + 1);
    }
    const starts = [...names].sort((one, other) => (called.get(one) ?? 0) - (called.get(other) ?? 0)
        || (one < other ? -1 : 1));
    const state = new Map();
    const kept = /** @type {Arc[]} */ ([]);
    for (const start of starts) {
        if (state.has(start)) continue;
        state.set(start, "open");
        const stack = [{ name: start, next: 0 }];
        while (stack.length > 0) {
            const frame = stack[stack.length - 1];
            const arc = out.get(frame.name)?.[frame.next];
            frame.next += 1;
            if (!arc) { state.set(frame.name, "done"); stack.pop(); continue; }
            if (state.get(arc.to) === "open") continue;
            kept.push(arc);
            if (!state.has(arc.to)) { state.set(arc.to, "open"); stack.push({ name: arc.to, next: 0 }); }
        }
    }
    return kept;
}

/** The layer of a node is the length of the longest way to it; one that only calls stands just before what it calls. */
function layersOf(/** @type {string[]} */ names, /** @type {Arc[]} */ arcs) {
    const layer = new Map(names.map((name) => [name, 0]));
    const waits = new Map(names.map((name) => [name, 0]));
    const out = new Map(names.map((name) => [name, /** @type {string[]} */ ([])]));
    for (const { from, to } of arcs) {
        waits.set(to, (waits.get(to) ?? 0) + 1);
        out.get(from)?.push(to);
    }
    const callers = names.filter((name) => waits.get(name) === 0);
    const ready = [...callers];
    for (let name = ready.shift(); name !== undefined; name = ready.shift()) {
        for (const next of out.get(name) ?? []) {
            layer.set(next, Math.max(layer.get(next) ?? 0, (layer.get(name) ?? 0) + 1));
            waits.set(next, (waits.get(next) ?? 0) - 1);
            if (waits.get(next) === 0) ready.push(next);
        }
    }
    for (const name of callers) {
        const nearest = Math.min(...(out.get(name) ?? []).map((next) => layer.get(next) ?? 1));
        if (Number.isFinite(nearest)) layer.set(name, nearest - 1);
    }
    const layers = /** @type {string[][]} */ ([]);
    for (const name of [...names].sort()) (layers[layer.get(name) ?? 0] ??= []).push(name);
    return Array.from(layers, (one) => one ?? []);
}

/** Puts bends into the layers that an arc passes; `short`: arcs from each layer to the next. */
function bent(/** @type {string[][]} */ layers, /** @type {Arc[]} */ arcs) {
    const layer = new Map(layers.flatMap((names, column) => names.map((name) => [name, column])));
    const short = /** @type {Arc[]} */ ([]);
    /** @type {Map<string, string[]>} */
    const routes = new Map();
    for (const arc of arcs) {
        const route = [];
        let before = arc.from;
        const last = layer.get(arc.to) ?? 0;
        for (let column = (layer.get(arc.from) ?? 0) + 1; column < last; column += 1) {
            const name = `${BEND}${column} ${arcKey(arc)}`;
            layers[column].push(name);
            route.push(name);
            short.push({ from: before, to: name });
            before = name;
        }
        short.push({ from: before, to: arc.to });
        if (route.length > 0) routes.set(arcKey(arc), route);
    }
    return { short, routes };
}

/** Sorts each layer by the mean place of its neighbours, to and fro, which takes out most crossings. */
function ordered(/** @type {string[][]} */ layers, /** @type {Arc[]} */ arcs) {
    const before = new Map();
    const after = new Map();
    for (const { from, to } of arcs) {
        after.set(from, [...(after.get(from) ?? []), to]);
        before.set(to, [...(before.get(to) ?? []), from]);
    }
    const place = new Map();
    const note = (/** @type {string[]} */ layer) => layer.forEach((name, row) =>
        place.set(name, (row + 0.5) / layer.length));
    layers.forEach(note);
    for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
        const down = sweep % 2 === 0;
        const neighbours = down ? before : after;
        for (const layer of down ? layers : [...layers].reverse()) {
            const centre = new Map(layer.map((name) => {
                const near = neighbours.get(name) ?? [];
                const sum = near.reduce((/** @type {number} */ all, /** @type {string} */ one) =>
                    all + place.get(one), 0);
                return [name, near.length === 0 ? place.get(name) : sum / near.length];
            }));
            layer.sort((one, other) => centre.get(one) - centre.get(other) || (one < other ? -1 : 1));
            note(layer);
        }
    }
}
