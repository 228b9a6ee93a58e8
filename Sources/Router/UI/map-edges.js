/**
 * The lines of the service map, and room for their labels. Pure.
 */
import { arcKey } from "./map-layout.js";

/**
 * @typedef {import("./map-layout.js").Point} Point
 * @typedef {import("./map-layout.js").Placed} Placed
 * @typedef {import("./map-layout.js").Size} Size
 * @typedef {{x: number, y: number, width: number, height: number}} Box
 */

/** Room of a label; it stands above its spot. */
const LABEL = { width: 104, height: 30 };

/**
 * A line from the right side of one node to the left of the other, through the bends; backwards it goes below both.
 * @param {Placed} from @param {Placed} to @param {Point[]} bends @param {Size} size
 * @returns {{d: string, spots: Point[]}} the SVG path, and points on it where a label may stand, best first
 */
export function line(from, to, bends, size) {
    const { width, height } = size;
    if (to.layer <= from.layer) return backwards(from, to, size);
    const points = [{ x: from.x + width, y: from.y + height / 2 },
        ...bends.flatMap(({ x, y }) => [{ x: x - width / 2, y }, { x: x + width / 2, y }]),
        { x: to.x, y: to.y + height / 2 }];
    let d = `M${points[0].x} ${points[0].y}`;
    const level = [];
    const slanted = [];
    for (let index = 0; index + 1 < points.length; index += 1) {
        const [one, other] = [points[index], points[index + 1]];
        const isFlat = index % 2 === 1;
        const middle = (one.x + other.x) / 2;
        d += isFlat ? `L${other.x} ${other.y}` : `C${middle} ${one.y} ${middle} ${other.y} ${other.x} ${other.y}`;
        for (const part of isFlat ? [0.5, 0.25, 0.75] : [0.5, 0.3, 0.7, 0.18, 0.82]) {
            (isFlat ? level : slanted).push({ x: one.x + (other.x - one.x) * part,
                y: one.y + (other.y - one.y) * (isFlat ? part : eased(part)) });
        }
    }
    return { d, spots: [...level, ...slanted] };
}

/** Height of a curve with level ends. @param {number} part of its width */
function eased(part) {
    return part * part * (3 - 2 * part);
}

/** @param {Placed} from @param {Placed} to @param {Size} size */
function backwards(from, to, { width, height }) {
    const side = from === to ? 40 : 0;
    const x1 = from.x + width / 2 + side;
    const x2 = to.x + width / 2 - side;
    const low = Math.max(from.y, to.y) + height + 40;
    return { d: `M${x1} ${from.y + height}C${x1} ${low} ${x2} ${low} ${x2} ${to.y + height}`,
        spots: [{ x: (x1 + x2) / 2, y: low - 10 }] };
}

/**
 * Gives each edge a place for its label where nothing else is, the busiest first; no place where there is no room.
 * @param {{from: string, to: string, weight: number, spots: Point[]}[]} edges
 * @param {Box[]} nodes
 * @returns {Map<string, Point>} by arc
 */
export function labelPlaces(edges, nodes) {
    const taken = [...nodes];
    const places = new Map();
    for (const edge of [...edges].sort((one, other) => other.weight - one.weight)) {
        for (const spot of edge.spots) {
            const box = { x: spot.x - LABEL.width / 2, y: spot.y - LABEL.height, ...LABEL };
            if (taken.some((other) => overlap(box, other))) continue;
            taken.push(box);
            places.set(arcKey(edge), spot);
            break;
        }
    }
    return places;
}

/** @param {Box} one @param {Box} other */
function overlap(one, other) {
    return one.x < other.x + other.width && other.x < one.x + one.width
        && one.y < other.y + other.height && other.y < one.y + one.height;
}
