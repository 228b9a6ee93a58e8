/**
 * The tables of the status page.
 */
import { h } from "./dom.js";
import { ago, bytes, count, duration, percent, plural, uptime } from "./format.js";

/** What the reasons of drops mean; a reason that is not here is shown by its name. */
const REASONS = /** @type {Record<string, string>} */ ({
    sampled: "the sampling rate left its trace out",
    duplicate: "the same span came twice",
    limit: "a limit was reached",
    queue_full: "a target was too slow for too long",
    rejected: "a target refused it",
    unreachable: "a target could not be reached",
    invalid: "the point lacks what a span needs",
});

const EVIDENCE = /** @type {Record<string, string>} */ ({
    net: "same sequence numbers, mirrored connection",
    net_key: "same sequence numbers, addresses differ (NAT)",
    net_weak: "same request sequence number only",
    thread: "same thread key",
    process: "same process, open at that time",
});

/**
 * @param {string[]} heads
 * @param {(any[])[]} rows cells that are numbers stand right
 */
export function table(heads, rows) {
    const right = heads.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"
        || /^[\d,.<]/.test(String(row[column]))));
    const cell = (/** @type {string} */ name, /** @type {any} */ value, /** @type {number} */ column) =>
        h(name, { class: right[column] ? "number" : null, scope: name === "th" ? "col" : null },
            typeof value === "number" ? count(value) : value);
    return h("div", { class: "table", tabindex: "0" }, h("table", null,
        h("thead", null, h("tr", null, heads.map((text, column) => cell("th", text, column)))),
        h("tbody", null, rows.map((row) => h("tr", null, row.map((value, column) => cell("td", value, column)))))));
}

/** @param {string} text */
const none = (text) => h("p", { class: "quiet" }, text);

/** @param {Record<string, number>} parts largest first */
const sorted = (parts) => Object.entries(parts ?? {}).sort(([, one], [, other]) => other - one);

/** @param {any} status */
export function dropTable(status) {
    const rows = sorted(status.spansDropped).filter(([, spans]) => spans > 0);
    if (rows.length === 0) return none("Nothing has been dropped.");
    const all = Math.max(1, status.spansAccepted);
    return table(["Reason", "Spans", "Of all", "What it means"], rows.map(([reason, spans]) =>
        [h("code", null, reason), spans, percent(spans / all), REASONS[reason] ?? reason.replaceAll("_", " ")]));
}

/** @param {any} status */
export function targetTable(status) {
    const rows = sorted(status.spansExported);
    if (rows.length === 0) return none("No target has taken a span yet.");
    return table(["Target", "Spans"], rows.map(([target, spans]) => [h("code", null, target), spans]));
}

/** @param {any} status */
export function linkTable(status) {
    const { keep = 0, drop = 0 } = status.traces ?? {};
    const edges = sorted(status.edges);
    const all = Math.max(1, edges.reduce((sum, [, number]) => sum + number, 0));
    return h("div", null,
        h("p", null, `${count(keep)} traces kept, ${count(drop)} dropped by sampling.`),
        edges.length === 0 ? none("No links yet.")
            : table(["Evidence", "Links", "Share", "What matched"], edges.map(([name, number]) =>
                [h("code", null, name), number, percent(number / all), EVIDENCE[name] ?? ""])));
}

/** @param {any} status */
export function epochTable(status) {
    const newest = status.newestMark ?? null;
    const behind = newest === null || !status.watermark ? "–" : count(Math.max(0, newest - status.watermark));
    return h("dl", { class: "pairs" },
        h("dt", null, "Watermark"), h("dd", null, status.watermark ? String(status.watermark) : "none yet"),
        h("dt", null, "Newest mark in the log"), h("dd", null, newest === null ? "none yet" : String(newest)),
        h("dt", null, "Epochs behind"), h("dd", null, behind),
        h("dt", null, "Epochs that wait for a worker"), h("dd", null, count(status.waitingEpochs)),
        h("dt", null, "Open spans in the merge"), h("dd", null, count(status.openSpans)));
}

/** Seconds that spans may wait for the store before it counts as behind. */
const BEHIND = 5;

/** @param {any} status */
export function storeTable(status) {
    const store = status.store;
    if (!store?.on) return none("The store is off: traces cannot be searched here. Switch it on with store = on.");
    const parts = (/** @type {Record<string, number>} */ counts) => sorted(counts).map(([reason, spans]) =>
        `${reason} ${count(spans)}`).join(", ") || "none";
    const refused = sorted(store.refused).length > 0;
    return h("dl", { class: "pairs", id: "store" },
        h("dt", null, "Spans"), h("dd", null, `${count(store.spans)} in ${plural(store.segments, "segment")}`),
        h("dt", null, "On disk"), h("dd", null, `${bytes(store.bytes)} of ${bytes(store.bytesMax)} (${
            percent(store.bytes / Math.max(1, store.bytesMax))})`),
        h("dt", null, "Oldest"), h("dd", null, store.oldest ? `written ${ago(store.oldest * 1e6)}, kept for ${
            uptime(store.ageMaxSeconds)}` : "nothing yet"),
        h("dt", null, "Written"), h("dd", null, `${count(store.written)} spans since the start`),
        h("dt", null, "Refused"), h("dd", { class: refused ? "bad" : null }, parts(store.refused)),
        h("dt", null, "Expired"), h("dd", null, parts(store.expired)),
        h("dt", null, "Waiting"), h("dd", { class: store.behindSeconds > BEHIND ? "bad" : null },
            `${count(store.waiting)} spans, ${duration(store.behindSeconds * 1e6)} behind`));
}

/** @param {any} status */
export function partitionBar(status) {
    const parts = status.partitions ?? [];
    const all = Math.max(1, ...parts.map((/** @type {any} */ part) => part.end));
    return h("div", { class: "partitions", role: "img",
        "aria-label": `${all} partitions over ${parts.length} workers` },
        parts.map((/** @type {any} */ part) => h("span", {
            class: `c${part.worker % 8}`, style: { width: `${(part.end - part.first) / all * 100}%` },
            title: `Worker ${part.worker}: partitions ${part.first} to ${part.end - 1}`,
        }, parts.length <= 12 ? `${part.first}–${part.end - 1}` : "")));
}

/** @param {any} status */
export function workerTable(status) {
    const owned = new Map((status.partitions ?? []).map((/** @type {any} */ part) =>
        [part.worker, `${part.first}–${part.end - 1}`]));
    return table(["Worker", "State", "Process", "Up", "Restarts", "Partitions", "Last end"],
        status.workers.map((/** @type {any} */ worker) => [
            String(worker.ordinal),
            h("span", { class: worker.state === "running" ? "state good" : "state poor" }, worker.state),
            worker.pid ? String(worker.pid) : "–", worker.upSeconds ? uptime(worker.upSeconds) : "–",
            worker.restarts, owned.get(worker.ordinal) ?? "–", worker.lastExit ?? "–"]));
}
