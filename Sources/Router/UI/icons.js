/**
 * Small line drawings, 16 by 16; they take the colour of the text.
 */
import { s } from "./dom.js";

/** @type {Record<string, string>} */
const PATHS = {
    // Evidence of an edge.
    net: "M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3M6 7.5l-3 3 3 3",
    thread: "M4 2v3c0 3 8 3 8 6v3M12 2v3c0 3-8 3-8 6v3",
    process: "M4.5 4.5h7v7h-7zM6.5 2v2.5M9.5 2v2.5M6.5 11.5V14M9.5 11.5V14M2 6.5h2.5M2 9.5h2.5M11.5 6.5H14M11.5 9.5H14",
    application: "M5.5 4L2 8l3.5 4M10.5 4L14 8l-3.5 4",
    root: "M8 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9z",
    orphan: "M5.6 6.2a2.4 2.4 0 1 1 3.6 2.1c-.8.5-1.2.9-1.2 1.8M8 12.6v.4",
    // Marks of a span.
    error: "M8 2.5L14.2 13.5H1.8zM8 6.5v3.2M8 11.4v.4",
    late: "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM8 4.8V8l2.4 1.6",
    truncated: "M2.5 4h11M2.5 8h6M2.5 12h3M11 9.5l3 3M14 9.5l-3 3",
    open: "M3 8h7M12.5 8h.01M14.8 8h.01",
    skew: "M2 4.5h7M7 2.5l2 2-2 2M14 11.5H7M9 9.5l-2 2 2 2",
    // Acts.
    close: "M4 4l8 8M12 4l-8 8",
    sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1"
        + "M11.5 11.5l1.1 1.1M12.6 3.4l-1.1 1.1M4.5 11.5l-1.1 1.1",
    moon: "M13.2 9.6A5.7 5.7 0 0 1 6.4 2.8a5.7 5.7 0 1 0 6.8 6.8z",
    system: "M2 3h12v8H2zM6 14h4M8 11v3",
};

/**
 * @param {string} name
 * @param {string} [title] said by screen readers and shown on hovering; without it the icon is decoration
 */
export function icon(name, title) {
    const drawing = s("svg", { viewBox: "0 0 16 16", class: `icon icon-${name}`, "aria-hidden": title ? null : "true",
        role: title ? "img" : null, "aria-label": title });
    if (title) drawing.append(s("title", null, title));
    drawing.append(s("path", { d: PATHS[name] ?? PATHS.root }));
    return drawing;
}
