/**
 * What evidence and marks are called, everywhere in the console.
 */

/**
 * @typedef {{icon: string, name: string, short: string, text: string}} Evidence
 * @type {Record<string, Evidence>}
 */
const EVIDENCE = {
    net: { icon: "net", name: "net", short: "network", text: "Both ends of one request: equal TCP sequence numbers on "
        + "a connection whose addresses mirror each other." },
    net_key: { icon: "net", name: "net_key", short: "network, addresses differ", text: "Both ends of one request: "
        + "equal TCP sequence numbers; the addresses differ, as behind a Kubernetes Service or other NAT." },
    net_weak: { icon: "net", name: "net_weak", short: "network, request only", text: "Equal sequence number of the "
        + "request and the same connection; one side did not see the response." },
    thread: { icon: "thread", name: "thread", short: "thread", text: "The call was made by the thread that handled "
        + "the request: equal thread keys." },
    process: { icon: "process", name: "process", short: "process", text: "The call was made in the same process while "
        + "exactly one request was open on that thread." },
    application: { icon: "application", name: "application", short: "application", text: "The application's own "
        + "tracing says so: its span names its parent." },
};

const ROOT = { icon: "root", name: "root", short: "root", text: "The first span of the trace: nothing called it that "
    + "was seen." };
const ORPHAN = { icon: "orphan", name: "root missing", short: "root missing", text: "Calls of one thread belong "
    + "together, but the request that they were made for was not seen." };

/** @param {import("./api.js").Span} span @returns {Evidence} */
export function evidenceOf(span) {
    if (span.evidence && EVIDENCE[span.evidence]) return EVIDENCE[span.evidence];
    if (span.evidence) return { icon: "net", name: span.evidence, short: span.evidence, text: "" };
    if (span.parent) return EVIDENCE.application;
    return (span.flags ?? []).includes("root_missing") ? ORPHAN : ROOT;
}

/** @type {Record<string, {icon: string, short: string, text: string}>} */
export const MARKS = {
    late: { icon: "late", short: "late", text: "Arrived after its trace had been closed, and was joined to it then." },
    truncated: { icon: "truncated", short: "truncated", text: "A limit on the size or depth of a trace was reached "
        + "here: a link was left out." },
    open: { icon: "open", short: "open", text: "No response was seen: its end is not known." },
    root_missing: { icon: "orphan", short: "root missing", text: ORPHAN.text },
};
