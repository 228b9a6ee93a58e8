/**
 * The top of a trace page: name, figures, services, tools.
 */
import { dot } from "./colours.js";
import { copyText, h, replace } from "./dom.js";
import { ago, count, duration, moment, percent, plural } from "./format.js";
import { icon } from "./icons.js";
import { link, traceLink } from "./router.js";

/** @typedef {import("./trace-view.js").TraceView} TraceView */

/** @param {TraceView} view */
export function headline(view) {
    const { model } = view;
    const { trace, root } = model;
    const flagged = model.nodes.filter((node) => node.flags.has("late")).length;
    const open = model.nodes.filter((node) => node.isOpen).length;
    const address = new URL(traceLink(trace.traceID), location.href).href;
    return h("div", { class: "headline" },
        h("div", { class: "heading" },
            h("h1", null, root ? [dot(root.service), root.service, h("span", { class: "quiet" }, " "),
                h("span", { class: "operation" }, root.span.name)] : "Trace"),
            h("div", { class: "acts" },
                h("a", { class: "small", href: link("compare", trace.traceID),
                    title: "Compare it with another trace" }, "Compare"),
                h("button", { type: "button", class: "small",
                    onclick: () => copyText(address, "Link to the trace") }, "Copy link"),
                h("button", { type: "button", class: "small",
                    onclick: () => copyText(JSON.stringify(trace, null, 2), "Trace as JSON") }, "Copy JSON"),
                h("a", { class: "small", href: `/api/trace/${encodeURIComponent(trace.traceID)}`, target: "_blank",
                    rel: "noopener" }, "Raw JSON"))),
        h("ul", { class: "figures" },
            h("li", null, h("code", { class: "id" }, trace.traceID), h("button", { type: "button", class: "tiny",
                "aria-label": "Copy the trace ID", onclick: () => copyText(trace.traceID, "Trace ID") }, "copy")),
            h("li", { title: moment(trace.start) }, `${moment(trace.start)} (${ago(trace.start)})`),
            h("li", null, h("b", null, duration(trace.duration))),
            h("li", null, plural(model.nodes.length, "span")),
            h("li", null, plural(model.services.length, "service")),
            h("li", null, `depth ${model.depth}`),
            model.roots.length > 1 ? h("li", null, plural(model.roots.length, "root")) : null,
            model.errors > 0 ? h("li", { class: "error" }, icon("error"), plural(model.errors, "error")) : null,
            flagged > 0 ? h("li", null, icon("late"), `${count(flagged)} late`) : null,
            open > 0 ? h("li", null, icon("open"), `${count(open)} open`) : null,
            model.skewed > 0 ? h("li", null, icon("skew"), `${count(model.skewed)} skewed`) : null));
}

/** Services as chips: pressing one lights its spans alone. @param {TraceView} view */
export function serviceChips(view) {
    const list = h("ul", { class: "chips", "aria-label": "Services of the trace" });
    const all = view.model.services.reduce((sum, service) => sum + service.self, 0) || 1;
    const draw = () => replace(list, view.model.services.map((service) => h("li", null,
        h("button", { type: "button", class: "chip", "aria-pressed": String(view.lit === service.name),
            title: `${plural(service.spans, "span")}, ${percent(service.self / all)} of the self time. `
                + "Press to light its spans alone.",
            onclick: () => view.light(service.name) }, dot(service.name), service.name,
        h("span", { class: "quiet" }, ` ${count(service.spans)}`),
        service.errors > 0 ? h("span", { class: "error" }, icon("error", plural(service.errors, "error"))) : null))));
    view.listeners.push((what) => { if (what === "look") draw(); });
    draw();
    return list;
}

/**
 * @param {TraceView} view
 * @param {{help: () => void, focusRows: () => void, choosePage: (page: string) => void}} acts
 */
export function toolbar(view, acts) {
    const hits = h("span", { class: "quiet hits", role: "status" });
    const box = /** @type {HTMLInputElement} */ (h("input", { type: "search", id: "find", placeholder: "Find in trace",
        "aria-label": "Find in the trace: service, operation, attribute", autocomplete: "off", spellcheck: "false" }));
    const say = () => {
        const number = view.matchList.length;
        const at = view.selected ? view.matchList.indexOf(view.selected) : -1;
        hits.textContent = box.value.trim() === "" ? "" : at >= 0 ? `${at + 1} of ${count(number)}`
            : number === 0 ? "not found" : `${count(number)} found`;
    };
    const step = (/** @type {number} */ by) => {
        const node = view.next(view.matchList, by);
        if (node) view.select(node);
    };
    box.addEventListener("input", () => { view.find(box.value); say(); });
    box.addEventListener("keydown", (event) => {
        if (event.key === "Enter") { event.preventDefault(); step(event.shiftKey ? -1 : 1); }
        if (event.key === "Escape") {
            box.value = "";
            view.find("");
            acts.focusRows();
            event.stopPropagation();
        }
    });
    view.listeners.push((what) => { if (what === "selection" || what === "look") say(); });
    const button = (/** @type {string} */ label, /** @type {string} */ title, /** @type {() => void} */ act) =>
        h("button", { type: "button", class: "small", title, onclick: act }, label);
    return h("div", { class: "toolbar", role: "group", "aria-label": "Tools" },
        pageSwitch(acts.choosePage),
        h("span", { class: "find" }, box, hits, button("↑", "The match before (N)", () => step(-1)),
            button("↓", "The next match (n)", () => step(1))),
        h("span", { class: "set" }, button("Collapse", "Show the roots and what they call (c)",
            () => view.collapseFrom(1)),
        button("Expand", "Show every span (x)", () => view.expandAll())),
        h("span", { class: "set" }, button("−", "Show a longer stretch of time (-)", () => view.zoomBy(2)),
            button("+", "Show a shorter stretch of time (+)", () => view.zoomBy(0.5)),
            button("All", "Show the whole trace (0)", () => view.resetZoom())),
        h("span", { class: "set" }, toggle(view, "hasPath", "Critical path",
            "Mark what the end of the trace waited for (p)"),
        view.model.skewed > 0 ? toggle(view, "isAligned", "Correct skew",
            "Move spans that stick out of their parent into it (s)") : null),
        button("Keys", "What the keys do (?)", acts.help),
        errorStep(view));
}

/** @param {TraceView} view */
function errorStep(view) {
    if (view.model.errors === 0) return null;
    const failed = view.model.nodes.filter((node) => node.isError);
    return h("button", { type: "button", class: "small error", title: "Go to the next error (e)", onclick: () => {
        const node = view.next(failed);
        if (node) view.select(node);
    } }, icon("error"), "Next error");
}

/** @param {TraceView} view @param {"isAligned" | "hasPath"} what @param {string} label @param {string} title */
function toggle(view, what, label, title) {
    const button = h("button", { type: "button", class: "small", title, onclick: () => view.flip(what) }, label);
    const draw = () => button.setAttribute("aria-pressed", String(view[what]));
    view.listeners.push(draw);
    draw();
    return button;
}

/** Waterfall or statistics. @param {(page: string) => void} choose */
function pageSwitch(choose) {
    const names = [["timeline", "Timeline"], ["statistics", "Statistics"]];
    const buttons = names.map(([name, label]) => h("button", { type: "button", class: "small",
        "aria-pressed": String(name === "timeline"), onclick: () => {
            buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(names[index][0] === name)));
            choose(name);
        } }, label));
    return h("span", { class: "set" }, buttons);
}

/** Links of a trace that is not there. @param {string} id */
export function lostTrace(id) {
    return h("section", { class: "notice" }, h("h1", null, "No such trace"),
        h("p", null, "There is no trace ", h("code", null, id), " in the store."),
        h("ul", null,
            h("li", null, "It may have been dropped by sampling: see ", h("a", { href: "#/" }, "the status"), "."),
            h("li", null, "It may be older than the store keeps traces (", h("code", null, "store_age"), ", ",
                h("code", null, "store_bytes"), ")."),
            h("li", null, "It may still be open: a trace shows up about 30 seconds after its last span.")),
        h("p", null, h("a", { href: link("search") }, "Search traces")));
}
