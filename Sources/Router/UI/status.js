/**
 * The status page: what comes in, what goes out, what is dropped and why; live.
 */
import { api } from "./api.js";
import { Chart, rates } from "./charts.js";
import { h, replace } from "./dom.js";
import { bytes, compact, count, duration, plural, uptime } from "./format.js";
import { failure, howToSend, sentence, waiting } from "./notices.js";
import {
    dropTable, epochTable, linkTable, partitionBar, storeTable, targetTable, workerTable,
} from "./status-tables.js";

const EVERY = 2000;
/** Figures of "now" are means over this many points, so that they can be read. */
const SMOOTHED = 5;

/** @typedef {{status: any, history: import("./api.js").History | null}} Figures */

/** Charts live as long as the page, so that the pointer keeps its place. */
function makeCharts() {
    const lag = (/** @type {number} */ value) => value === 0 ? "0" : duration(value * 1e6);
    return {
        flow: new Chart({ title: "Spans in and out", unit: "a second", format: compact, least: 10 }),
        dropped: new Chart({ title: "Dropped, by reason", unit: "spans a second", format: compact, least: 10 }),
        lag: new Chart({ title: "Lag of the merge", unit: "", format: lag, least: 1 }),
        waiting: new Chart({ title: "Spans held", unit: "spans", format: compact, least: 100 }),
        processor: new Chart({ title: "CPU", unit: "cores", format: compact, least: 0.1 }),
        memory: new Chart({ title: "Memory", unit: "", format: bytes, least: 64 * 1024 * 1024, binary: true }),
    };
}

/** @param {ReturnType<typeof makeCharts>} charts @param {import("./api.js").History} history */
function updateCharts(charts, history) {
    const points = history.points;
    const times = points.map((point) => point.time);
    const rate = (/** @type {(point: import("./api.js").HistoryPoint) => number} */ value) =>
        rates(times, points.map(value));
    const names = (/** @type {"exported" | "dropped"} */ field) =>
        [...new Set(points.flatMap((point) => Object.keys(point[field] ?? {})))].sort();
    charts.flow.update(times, [
        { name: "accepted", values: rate((point) => point.accepted) },
        ...names("exported").map((target) => (
            { name: `to ${target}`, values: rate((point) => point.exported[target] ?? 0) })),
    ]);
    charts.dropped.update(times, names("dropped").map((reason) => (
        { name: reason, values: rate((point) => point.dropped[reason] ?? 0) })));
    charts.lag.update(times, [{ name: "lag", values: points.map((point) => point.lagSeconds) }]);
    charts.waiting.update(times, [
        { name: "held", values: points.map((point) => point.held) },
        { name: "open", values: points.map((point) => point.openSpans) }]);
    charts.processor.update(times, [{ name: "all processes", values: rate((point) => point.cpuSeconds) }]);
    charts.memory.update(times, [{ name: "resident", values: points.map((point) => point.memoryBytes) }]);
}

/** Mean rate of a counter over the last points. */
function recent(/** @type {import("./api.js").History | null} */ history,
    /** @type {(point: import("./api.js").HistoryPoint) => number} */ value) {
    const points = history?.points.slice(-SMOOTHED - 1) ?? [];
    if (points.length < 2) return null;
    const [first, last] = [points[0], points[points.length - 1]];
    const passed = last.time - first.time;
    return passed > 0 ? Math.max(0, value(last) - value(first)) / passed : null;
}

/** @param {Record<string, number> | undefined} parts @param {(name: string) => boolean} [which] */
function sum(parts, which = () => true) {
    return Object.entries(parts ?? {}).reduce((total, [name, value]) => total + (which(name) ? value : 0), 0);
}

/** Dropped on purpose, or by the rules of the house; anything else is a loss. @param {string} reason */
const intended = (reason) => reason === "sampled" || reason === "duplicate";

/** @param {string} name @param {string} value @param {string} note @param {boolean} [bad] */
function tile(name, value, note, bad = false) {
    return h("div", { class: bad ? "tile bad" : "tile" },
        h("dt", null, name), h("dd", null, value), h("dd", { class: "note" }, note));
}

/** @param {Figures} figures */
function tiles({ status, history }) {
    const perSecond = (/** @type {number | null} */ value) => value === null ? "–" : `${compact(value)}/s`;
    const last = history?.points[history.points.length - 1];
    const lost = sum(status.spansDropped, (reason) => !intended(reason));
    const losing = recent(history, (point) => sum(point.dropped, (reason) => !intended(reason))) ?? 0;
    const running = status.workers.filter((/** @type {any} */ worker) => worker.state === "running").length;
    return [
        tile("In", perSecond(recent(history, (point) => point.accepted)), `${count(status.spansAccepted)} in all`),
        tile("Out", perSecond(recent(history, (point) => Math.max(0, ...Object.values(point.exported)))),
            `${count(Math.max(0, ...Object.values(status.spansExported)))} in all`),
        tile("Sampled away", perSecond(recent(history, (point) => point.dropped.sampled ?? 0)),
            `${count(status.spansDropped.sampled ?? 0)} in all`),
        tile("Lost", perSecond(losing), lost === 0 ? "nothing so far" : `${count(lost)} in all`, losing > 0),
        tile("Held", compact(status.spansHeld), `${compact(status.openSpans)} open`),
        tile("Lag", last ? duration(last.lagSeconds * 1e6) : "–", `${plural(status.waitingEpochs, "epoch")} waiting`),
        tile("Workers", `${running} of ${status.workers.length}`, "running", running < status.workers.length),
    ];
}

/** @param {any} status */
function problems(status) {
    if (status.problems.length === 0) return h("p", { class: "verdict good" }, "All is well: ready and taking spans.");
    return h("div", { class: "verdict poor", role: "alert" }, h("b", null, "Not ready"),
        h("ul", null, status.problems.map((/** @type {string} */ text) => h("li", null, sentence(text)))));
}

/** @param {any} status */
function tables(status) {
    return [
        h("section", { class: "card" }, h("h2", null, "Dropped, by reason"), dropTable(status)),
        h("section", { class: "card" }, h("h2", null, "Exported, by target"), targetTable(status)),
        h("section", { class: "card" }, h("h2", null, "Traces and links"), linkTable(status)),
        h("div", { class: "stack" },
            h("section", { class: "card" }, h("h2", null, "Epochs"), epochTable(status)),
            h("section", { class: "card" }, h("h2", null, "Store"), storeTable(status))),
        h("section", { class: "card wide" }, h("h2", null, "Workers and partitions"), partitionBar(status),
            workerTable(status)),
    ];
}

/**
 * New tables in the place of the old; not while the reader marks text in them, and the focus stays where it is.
 * @param {HTMLElement} place @param {HTMLElement[]} sections
 */
function refill(place, sections) {
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && place.contains(selection.anchorNode)) return;
    const stops = () => /** @type {HTMLElement[]} */ ([...place.querySelectorAll("[tabindex]")]);
    const at = stops().indexOf(/** @type {HTMLElement} */ (document.activeElement));
    replace(place, ...sections);
    if (at >= 0) stops()[at]?.focus({ preventScroll: true });
}

/** @param {import("./router.js").PageContext} context */
async function show({ place, signal }) {
    const charts = makeCharts();
    const verdict = h("div", null);
    const heading = h("p", { class: "quiet" });
    const figures = h("dl", { class: "tiles" });
    const guide = h("div", null);
    const details = h("div", { class: "cards" });
    const pause = /** @type {HTMLButtonElement} */ (h("button", { type: "button", "aria-pressed": "false" }, "Pause"));
    let paused = false;
    pause.addEventListener("click", () => {
        paused = !paused;
        pause.textContent = paused ? "Go on" : "Pause";
        pause.setAttribute("aria-pressed", String(paused));
    });
    replace(place, waiting("the status"));
    const page = [
        h("div", { class: "heading" }, h("h1", null, "Status"), heading, pause), verdict, guide, figures,
        h("div", { class: "charts" }, Object.values(charts).map((chart) => chart.element)), details];
    let shown = false;
    const refresh = async () => {
        try {
            const [status, history] = await Promise.all(
                [api.status(signal), api.history(signal).catch(() => null)]);
            if (signal.aborted) return;
            if (!shown) { replace(place, ...page); shown = true; }
            replace(verdict, problems(status));
            heading.textContent = `Version ${status.version}, up ${uptime(status.upSeconds)}`;
            if (status.spansAccepted > 0) replace(guide);
            else if (!guide.hasChildNodes()) replace(guide, howToSend());
            replace(figures, tiles({ status, history }));
            if (history && history.points.length > 0) updateCharts(charts, history);
            refill(details, tables(status));
        } catch (error) {
            if (signal.aborted) return;
            if (shown) replace(verdict, failure(error)); else replace(place, failure(error));
        }
    };
    while (!signal.aborted) {
        if (!(paused && shown) && !document.hidden) await refresh();
        await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
}

/** @type {import("./router.js").Page} */
export const statusPage = { title: "Status", show };
