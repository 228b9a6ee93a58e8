/**
 * One colour a service, the same on every page.
 * The colours have a contrast of at least 3 to 1 with the light and the dark background; none of them is near the red
 * that means an error.
 */
import { h } from "./dom.js";

const PALETTE = [
    "#4682cc", "#ad7300", "#3b9555", "#926abe", "#0f9293", "#b55d92", "#778b20", "#bc662f", "#6a78cd", "#339377",
    "#a763ab", "#008dbe", "#8a6a3c", "#52729b", "#4f7d59", "#905e7a", "#307e7e", "#7a6593", "#6a7743", "#3d7893",
];

/** @type {Map<string, number>} */
const slots = new Map();

/** The colour of a service: the next of the palette for a new name. @param {string} name */
export function colourOf(name) {
    let slot = slots.get(name);
    if (slot === undefined) {
        slot = slots.size % PALETTE.length;
        slots.set(name, slot);
    }
    return PALETTE[slot];
}

/** Gives out colours in the order of the names, so that they do not depend on what was seen first. */
export function reserveColours(/** @type {string[]} */ names) {
    for (const name of [...names].sort()) colourOf(name);
}

/**
 * Makes sure that services that are seen together differ, as long as the palette lasts: one that has the colour of an
 * earlier one takes a free colour.
 * @param {string[]} names the most important first
 */
export function distinguish(names) {
    const used = new Set();
    for (const name of names) {
        colourOf(name);
        const free = PALETTE.findIndex((_, slot) => !used.has(slot));
        if (used.has(slots.get(name)) && free >= 0) slots.set(name, free);
        used.add(slots.get(name));
    }
}

/** A dot of the service's colour. @param {string} service */
export function dot(service) {
    return h("span", { class: "dot", style: { background: colourOf(service) }, "aria-hidden": "true" });
}

/** The value of a colour of the theme. @param {string} name such as "--text" */
export function themeColour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
