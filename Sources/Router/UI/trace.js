/**
 * The page of one trace: waterfall, overview, details of a span.
 */
import { api, ApiError } from "./api.js";
import { distinguish } from "./colours.js";
import { h, replace } from "./dom.js";
import { failure, waiting } from "./notices.js";
import { rewrite, traceLink } from "./router.js";
import { DetailPanel } from "./trace-detail.js";
import { headline, lostTrace, serviceChips, toolbar } from "./trace-head.js";
import { listenToKeys, showKeys } from "./trace-keys.js";
import { Minimap } from "./trace-minimap.js";
import { TraceModel } from "./trace-model.js";
import { ruler, TraceRows } from "./trace-rows.js";
import { statistics } from "./trace-statistics.js";
import { TraceView } from "./trace-view.js";

class TracePage {
    /** @param {HTMLElement} place @param {TraceModel} model @param {AbortSignal} signal */
    constructor(place, model, signal) {
        this.signal = signal;
        distinguish(model.services.map((service) => service.name));
        this.view = new TraceView(model);
        this.rows = new TraceRows(this.view);
        this.minimap = new Minimap(this.view);
        this.detail = new DetailPanel(this.view, signal);
        this.ruler = h("div", { class: "ruler-place" }, ruler(this.view));
        this.timeline = h("div", { class: "waterfall" }, h("div", { class: "waterfall-head" },
            h("div", { class: "name" }, "Service and operation"), this.splitter(), this.ruler), this.rows.element);
        this.statistics = h("div", { class: "statistics-place", hidden: true });
        const tools = toolbar(this.view, { help: showKeys, focusRows: () => this.rows.element.focus(),
            choosePage: (page) => this.choosePage(page) });
        replace(place, h("div", { class: "trace-page" },
            h("div", { class: "trace-top" }, headline(this.view), serviceChips(this.view), tools),
            this.minimap.element,
            h("div", { class: "trace-body" }, this.timeline, this.statistics, this.detail.element)),
        h("p", { id: "keys-hint", class: "unseen" },
            "Arrow keys move, Enter opens details, question mark lists keys."));
        this.view.listeners.push((what) => this.changed(what));
        this.rows.show(this.view.rows);
        this.minimap.draw();
        listenToKeys(this.view, { find: () => document.getElementById("find")?.focus(),
            focusDetail: () => document.getElementById("panel")?.focus() }, signal);
        document.addEventListener("themechange", () => this.minimap.draw(), { signal });
    }

    /** @param {"rows" | "look" | "window" | "selection"} what */
    changed(what) {
        const { view } = this;
        if (what === "rows") this.rows.show(view.rows);
        else this.rows.redraw();
        if (what === "window") { replace(this.ruler, ruler(view)); this.minimap.place(); }
        if (what === "look") this.minimap.draw();
        if (what === "selection") {
            this.detail.update();
            rewrite(traceLink(view.model.trace.traceID, view.selected?.span.id));
            if (view.selected) this.rows.reveal(view.selected);
        }
    }

    /** Selects the span that the address names. @param {string | null} id */
    follow(id) {
        const node = id ? this.view.model.byID.get(id.toLowerCase()) ?? null : null;
        if (node === this.view.selected) return;
        this.view.select(node);
        if (node) this.rows.reveal(node, true);
    }

    /** @param {string} page */
    choosePage(page) {
        const showing = page === "statistics";
        this.timeline.hidden = showing;
        this.statistics.hidden = !showing;
        this.minimap.element.hidden = showing;
        if (showing && !this.statistics.hasChildNodes()) {
            replace(this.statistics, statistics(this.view.model, (text) => this.findInTimeline(text)));
        }
        if (!showing) this.rows.redraw();
    }

    /** @param {string} text */
    findInTimeline(text) {
        const button = /** @type {HTMLElement | null} */ (document.querySelector(".toolbar .set button"));
        button?.click();
        const box = /** @type {HTMLInputElement} */ (document.getElementById("find"));
        box.value = text;
        box.dispatchEvent(new Event("input"));
        const first = this.view.matchList[0];
        if (first) this.view.select(first);
    }

    /** Between names and bars: drag it, or use the arrow keys. */
    splitter() {
        const grip = h("div", { class: "splitter", role: "separator", tabindex: "0", "aria-orientation": "vertical",
            "aria-label": "Width of the names", "aria-valuemin": "10", "aria-valuemax": "80", "aria-valuenow": "38" });
        const set = (/** @type {number} */ share) => {
            const value = Math.max(10, Math.min(80, share));
            this.timeline.style.setProperty("--names", `${value}%`);
            grip.setAttribute("aria-valuenow", String(Math.round(value)));
        };
        grip.addEventListener("pointerdown", (event) => {
            event.preventDefault();
            grip.setPointerCapture(event.pointerId);
            grip.onpointermove = (moved) => {
                const box = this.timeline.getBoundingClientRect();
                set((moved.clientX - box.left) / box.width * 100);
            };
            grip.onpointerup = () => { grip.onpointermove = null; };
        });
        grip.addEventListener("keydown", (event) => {
            const step = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
            if (step === undefined) return;
            event.preventDefault();
            set(Number(grip.getAttribute("aria-valuenow")) + step);
        });
        return grip;
    }
}

/** @type {TracePage | null} */
let page = null;

/** @param {import("./router.js").PageContext} context */
async function show(context) {
    const { place, route, signal } = context;
    page = null;
    replace(place, waiting("the trace"));
    try {
        const trace = await api.trace(route.argument, signal);
        if (signal.aborted) return;
        const model = new TraceModel(trace);
        const root = model.root;
        document.title = `${root ? `${root.service}: ${root.span.name}` : "Trace"} · ebpftrace`;
        page = new TracePage(place, model, signal);
        page.follow(route.query.get("span"));
        page.rows.element.focus({ preventScroll: true });
    } catch (error) {
        if (signal.aborted) return;
        const isLost = error instanceof ApiError && error.status === 404 && !/store.* off/.test(error.message);
        replace(place, isLost ? lostTrace(route.argument) : failure(error, () => show(context)));
    }
}

/** Another span of the same trace. @param {import("./router.js").Route} route */
function update(route) {
    if (!page || page.signal.aborted) return false;
    page.follow(route.query.get("span"));
    return true;
}

/** @type {import("./router.js").Page} */
export const tracePage = { title: "Trace", show, update };
