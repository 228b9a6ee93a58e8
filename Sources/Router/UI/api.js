/**
 * Asks the router. Every answer is JSON; every failure becomes an ApiError with a sentence for people.
 */

/**
 * @typedef {{name: string, operations: string[], spans: number, errors: number}} Service
 * @typedef {{id: string, parent: string | null, resource: number, name: string, kind: string, start: number,
 *   duration: number | null, status: string, statusMessage?: string, evidence: string | null,
 *   application?: boolean, flags?: string[], attributes: Record<string, any>, events?: SpanEvent[],
 *   links?: SpanLink[], traceState?: string, droppedAttributes?: number, droppedEvents?: number,
 *   droppedLinks?: number}} Span
 * @typedef {{time: number, name: string, attributes?: Record<string, any>}} SpanEvent `time` as a span's start
 * @typedef {{traceID: string, spanID: string, traceState?: string, attributes?: Record<string, any>}} SpanLink
 * @typedef {{traceID: string, start: number, duration: number, resources: Record<string, any>[], spans: Span[]}} Trace
 * @typedef {{spanID: string, name?: string, startTimeUnixNano?: string, durationNanos?: string}} MatchedSpan
 * @typedef {{traceID: string, rootServiceName?: string, rootTraceName?: string, startTimeUnixNano: string,
 *   durationMs?: number, durationMicros?: number, spanCount?: number, errorCount?: number,
 *   spanSets?: {spans: MatchedSpan[], matched: number}[],
 *   serviceStats?: Record<string, {spanCount?: number, errorCount?: number}>}} FoundTrace
 * @typedef {{name: string, type: string, requests: number, errors: number}} GraphNode
 * @typedef {{client: string, server: string, requests: number, errors: number, rate: number,
 *   p50: number, p95: number, p99: number}} GraphEdge
 * @typedef {{nodes: GraphNode[], edges: GraphEdge[], unpaired: {service: string, side: string, spans: number}[],
 *   uncounted?: number}} Graph
 * @typedef {{id: string, traceID: string, service: string, name: string}} SpanBrief
 * @typedef {{what: string, child: any, parent: any}} Match
 * @typedef {{span: SpanBrief, parent: SpanBrief | null, evidence: string | null, rule: string | null,
 *   sentence: string, matched: Match[],
 *   candidates: {span: SpanBrief, rule: string, matched: Match[], failed: string[]}[], notes: string[]}} Explanation
 * @typedef {{time: number, accepted: number, exported: Record<string, number>, dropped: Record<string, number>,
 *   held: number, openSpans: number, lagSeconds: number, cpuSeconds: number, memoryBytes: number}} HistoryPoint
 * @typedef {{stepSeconds: number, points: HistoryPoint[]}} History
 */

/** What went wrong, in a sentence. */
export class ApiError extends Error {
    /** @param {string} message @param {number} status HTTP status; 0 when the router did not answer */
    constructor(message, status) {
        super(message);
        this.status = status;
    }
}

/**
 * @param {string} path
 * @param {Record<string, string | number | null | undefined>} [query] empty values are left out
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
async function get(path, query = {}, signal) {
    const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
    const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
    const response = await fetched(text ? `${path}?${text}` : path, signal);
    const body = await response.text();
    const value = parsed(body);
    if (response.ok && value !== undefined) return value;
    const sentence = value?.error?.message ?? value?.error ?? value?.message;
    if (typeof sentence === "string") throw new ApiError(sentence, response.status);
    if (response.ok) throw new ApiError(`${path} did not answer with JSON`, response.status);
    throw new ApiError(`${path} answered with status ${response.status}`, response.status);
}

/** @param {string} url @param {AbortSignal} [signal] */
async function fetched(url, signal) {
    try {
        return await fetch(url, { signal, headers: { accept: "application/json" } });
    } catch (error) {
        if (signal?.aborted) throw error;
        throw new ApiError("The router does not answer. Is it still running?", 0);
    }
}

const STRING_OR_LONG_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;

/**
 * Integers that a JavaScript number cannot hold (thread keys have 64 bits) become strings, as in OTLP's JSON.
 * @param {string} body JSON @returns {string}
 */
export function withLongIntegersAsText(body) {
    if (!/[:,[]\s*-?\d{16,}/.test(body)) return body;
    return body.replace(STRING_OR_LONG_NUMBER, (token) =>
        token.startsWith('"') || Number.isSafeInteger(Number(token)) ? token : `"${token}"`);
}

/** @param {string} body @returns {any} undefined when it is no JSON */
function parsed(body) {
    try {
        return JSON.parse(withLongIntegersAsText(body));
    } catch {
        return undefined;
    }
}

export const api = {
    /** @param {AbortSignal} [signal] @returns {Promise<any>} */
    status: (signal) => get("/status", {}, signal),
    /** @param {AbortSignal} [signal] @returns {Promise<History>} */
    history: (signal) => get("/api/history", {}, signal),
    /** @param {AbortSignal} [signal] @returns {Promise<Service[]>} */
    services: async (signal) => (await get("/api/services", {}, signal)).services ?? [],
    /** @param {Record<string, any>} query @param {AbortSignal} [signal] @returns {Promise<FoundTrace[]>} */
    search: async (query, signal) => (await get("/api/search", query, signal)).traces ?? [],
    /** @param {AbortSignal} [signal] @returns {Promise<string[]>} */
    tagNames: async (signal) => {
        const { tagNames, scopes } = await get("/api/search/tags", {}, signal);
        return tagNames ?? (scopes ?? []).flatMap((/** @type {any} */ scope) => scope.tags ?? []);
    },
    /** @param {string} id @param {AbortSignal} [signal] @returns {Promise<Trace>} */
    trace: (id, signal) => get(`/api/trace/${encodeURIComponent(id)}`, {}, signal),
    /** @param {string} span @param {string} trace @param {AbortSignal} [signal] @returns {Promise<Explanation>} */
    explain: (span, trace, signal) => get(`/api/explain/${encodeURIComponent(span)}`, { trace }, signal),
    /** @param {Record<string, any>} query @param {AbortSignal} [signal] @returns {Promise<Graph>} */
    graph: (query, signal) => get("/api/graph", query, signal),
};
