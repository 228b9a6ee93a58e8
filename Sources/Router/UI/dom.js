/**
 * Makes elements. Text is always set as text, so nothing from a span can become markup.
 */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined | false} Child
/** @typedef {Child | any[]} Children lists may be nested */

/**
 * An HTML element with properties and children.
 * Names starting with "on" are event listeners, `style` is a map of CSS properties, the rest are attributes;
 * `true` is an empty attribute, and null, undefined or false leave it out.
 * @param {string} name
 * @param {Record<string, any> | null} [properties]
 * @param {...Children} children
 * @returns {HTMLElement}
 */
export function h(name, properties, ...children) {
    return /** @type {HTMLElement} */ (fill(document.createElement(name), properties, children));
}

/**
 * The same for an SVG element.
 * @param {string} name
 * @param {Record<string, any> | null} [properties]
 * @param {...Children} children
 * @returns {SVGElement}
 */
export function s(name, properties, ...children) {
    return /** @type {SVGElement} */ (fill(document.createElementNS(SVG, name), properties, children));
}

/**
 * @param {Element} element
 * @param {Record<string, any> | null | undefined} properties
 * @param {Children[]} children
 */
function fill(element, properties, children) {
    for (const [name, value] of Object.entries(properties ?? {})) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else if (name === "style") setStyle(/** @type {HTMLElement} */ (element), value);
        else element.setAttribute(name, value === true ? "" : String(value));
    }
    append(element, children);
    return element;
}

/** @param {HTMLElement | SVGElement} element @param {Record<string, string>} style */
function setStyle(element, style) {
    for (const [name, value] of Object.entries(style)) element.style.setProperty(name, value);
}

/** @param {Element} element @param {Children[]} children */
export function append(element, children) {
    for (const child of children.flat(Infinity)) {
        if (child === null || child === undefined || child === false) continue;
        element.append(child instanceof Node ? child : String(child));
    }
}

/** Replaces what is inside an element. @param {Element} element @param {...Children} children */
export function replace(element, ...children) {
    element.replaceChildren();
    append(element, children);
}

/** Tells users of screen readers. @param {string} text */
export function announce(text) {
    const place = document.getElementById("announce");
    if (place) place.textContent = text;
}

/**
 * A short message at the bottom that goes by itself.
 * @param {string} text
 */
export function toast(text) {
    document.querySelector(".toast")?.remove();
    const message = h("div", { class: "toast", "aria-hidden": "true" }, text);
    document.body.append(message);
    announce(text);
    setTimeout(() => message.remove(), 2500);
}

/**
 * Copies text; falls back to a selection where the page has no clipboard (plain HTTP on another host).
 * @param {string} text
 * @param {string} what for the message ("Trace as JSON")
 */
export async function copyText(text, what) {
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        const area = h("textarea", { class: "unseen", "aria-hidden": "true" });
        /** @type {HTMLTextAreaElement} */ (area).value = text;
        document.body.append(area);
        /** @type {HTMLTextAreaElement} */ (area).select();
        document.execCommand("copy");
        area.remove();
    }
    toast(`${what} copied`);
}

/**
 * A button that copies.
 * @param {string} text @param {string} what @param {Child} [label]
 */
export function copyButton(text, what, label = "Copy") {
    return h("button", { type: "button", class: "small", title: `Copy ${what}`, onclick: () => copyText(text, what) },
        label);
}
