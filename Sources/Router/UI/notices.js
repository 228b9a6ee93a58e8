/**
 * What a page says when it has nothing to show: what is the matter, and what to do.
 */
import { h } from "./dom.js";
import { ApiError } from "./api.js";

/** @param {string} code */
function command(code) {
    return h("pre", { class: "command", tabindex: "0" }, h("code", null, code));
}

/** How spans get here. Addresses are those of this page, with the default port of the agents' listener. */
export function howToSend() {
    const host = location.hostname || "127.0.0.1";
    const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
    return h("section", { class: "notice guide", "aria-label": "How to send spans" },
        h("h2", null, "No spans have arrived yet"),
        h("p", null, "Three ways to get the first trace:"),
        h("ol", null,
            h("li", null, h("b", null, "From a node agent. "), "In the ",
                h("code", null, "ebpf"), " input of DataKit, with the plug-in ",
            h("code", null, "ebpf-trace"), ", set:",
                command(`trace_server = "${bracketed}:9529"`)),
            h("li", null, h("b", null, "From a recording. "), "Replay a file or a folder of recorded bodies:",
                command(`ebpftrace-router replay --to http://${bracketed}:9529 FOLDER`)),
            h("li", null, h("b", null, "From an OpenTelemetry SDK. "), "Send OTLP over HTTP to this console:",
                command("export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
                    + `export OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin}`))),
        h("p", { class: "quiet" }, "A trace shows up about 30 seconds after its last span: it closes after the ",
            h("code", null, "window"), " (20 s). With ", h("code", null, "sampling_rate"),
            " 0.1 (the default) nine traces of ten are dropped."));
}

/**
 * A failure in the place of a page.
 * @param {unknown} error
 * @param {() => void} [again] shown as a button
 */
export function failure(error, again) {
    const text = error instanceof Error ? error.message : String(error);
    const storeOff = error instanceof ApiError && (error.status === 404 || error.status === 503)
        && /store/.test(text) && /off/.test(text);
    return h("section", { class: "notice failure", role: "alert" },
        h("h2", null, storeOff ? "The trace store is off" : "That did not work"),
        h("p", null, sentence(text)),
        storeOff ? h("p", null, "Start the router with ", h("code", null, "--store on"), " (or ",
            h("code", null, "EBPFTRACE_STORE=on"), ") to keep traces for this console. The status page works without.")
            : null,
        again ? h("button", { type: "button", onclick: again }, "Try again") : null);
}

/** With a capital and a full stop. @param {string} text */
export function sentence(text) {
    const first = text.charAt(0).toUpperCase() + text.slice(1);
    return /[.!?]$/.test(first) ? first : first + ".";
}

/** Shown while something is on its way; only after a moment, so that fast answers do not flicker. */
export function waiting(/** @type {string} */ what) {
    return h("p", { class: "waiting", role: "status" }, `Loading ${what}…`);
}
