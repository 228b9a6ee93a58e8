/**
 * The fields of the search form, and the TraceQL they stand for.
 */
import { parseDuration, queryDuration } from "./format.js";

/**
 * @typedef {{service: string, operation: string, status: string, min: string, max: string, tags: string,
 *   range: string, from: string, to: string, limit: string, q: string}} Fields all as text, as in the address
 */

export const FIELDS = /** @type {(keyof Fields)[]} */ (
    ["service", "operation", "status", "min", "max", "tags", "range", "from", "to", "limit", "q"]);

/** Seconds of a named range. */
export const RANGES = /** @type {Record<string, number>} */ (
    { "5m": 300, "15m": 900, "1h": 3600, "6h": 21600, "24h": 86400 });

/** @param {URLSearchParams} query @returns {Fields} */
export function fieldsOf(query) {
    return /** @type {Fields} */ (Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? ""])));
}

/** A sentence about a field that cannot be read. */
export class FieldError extends Error {
    /** @param {keyof Fields} field @param {string} message */
    constructor(field, message) {
        super(message);
        this.field = field;
    }
}

const OPERATORS = /^("[^"]+"|[^\s=!<>~"]+)\s*(=~|!~|!=|>=|<=|=|>|<)\s*("(?:[^"\\]|\\.)*"|[^\s"]+)\s*/;

/**
 * Reads `key=value other="two words" code>=500`.
 * @param {string} text
 * @returns {{key: string, operator: string, value: string}[]}
 */
export function parseTags(text) {
    const tags = [];
    let rest = text.trim();
    while (rest) {
        const found = rest.match(OPERATORS);
        if (!found) throw new FieldError("tags", `"${rest.slice(0, 30)}" is not key=value`);
        const [all, key, operator, value] = found;
        const unquoted = (/** @type {string} */ word) =>
            word.startsWith('"') ? word.slice(1, -1).replace(/\\(["\\])/g, "$1") : word;
        tags.push({ key: unquoted(key), operator, value: unquoted(value) });
        rest = rest.slice(all.length);
    }
    return tags;
}

/** A TraceQL string. @param {string} text */
export const quoted = (text) => `"${text.replace(/[\\"]/g, "\\$&")}"`;

/** Numbers and truth values stand bare, everything else in quotes. @param {string} value @param {string} operator */
function literal(value, operator) {
    const bare = /^-?\d{1,15}(\.\d+)?$/.test(value) || value === "true" || value === "false";
    return bare && !operator.endsWith("~") ? value : quoted(value);
}

const INTRINSIC = new Set(["name", "status", "kind", "duration", "traceDuration", "rootName", "rootServiceName"]);
const BARE_VALUES = new Set(["status", "kind", "duration", "traceDuration"]);

/** @param {{key: string, operator: string, value: string}} tag */
function condition({ key, operator, value }) {
    if (INTRINSIC.has(key)) {
        return `${key} ${operator} ${BARE_VALUES.has(key) ? value : quoted(value)}`;
    }
    const scoped = /^(resource|span)\./.test(key) || key.startsWith(".");
    const resource = /^(service\.name|host\.|k8s\.|container\.)/.test(key);
    return `${scoped ? key : resource ? `resource.${key}` : `.${key}`} ${operator} ${literal(value, operator)}`;
}

/**
 * The TraceQL of the form's fields; empty when none of them is filled in. All conditions are of one span.
 * @param {Fields} fields
 */
export function traceQL(fields) {
    if (fields.q.trim()) return fields.q.trim();
    const conditions = [];
    if (fields.service) conditions.push(`resource.service.name = ${quoted(fields.service)}`);
    if (fields.operation) conditions.push(`name = ${quoted(fields.operation)}`);
    if (fields.status) conditions.push(`status = ${fields.status}`);
    conditions.push(...parseTags(fields.tags).map(condition));
    return conditions.length > 0 ? `{ ${conditions.join(" && ")} }` : "";
}

/** @param {Fields} fields @param {"min" | "max"} field */
function bound(fields, field) {
    if (!fields[field].trim()) return "";
    const micros = parseDuration(fields[field]);
    if (micros === null) throw new FieldError(field, `"${fields[field]}" is no duration; write it like 100ms or 1.5s`);
    return queryDuration(micros);
}

/** @param {Fields} fields @param {number} now seconds since 1970 */
function times(fields, now) {
    const seconds = RANGES[fields.range];
    if (seconds) return { start: Math.floor(now - seconds), end: Math.ceil(now) };
    if (fields.range !== "custom") return {};
    const read = (/** @type {"from" | "to"} */ name) => {
        if (!fields[name]) return undefined;
        const date = new Date(fields[name]);
        if (Number.isNaN(date.getTime())) throw new FieldError(name, `"${fields[name]}" is no time`);
        return Math.floor(date.getTime() / 1000);
    };
    const [start, end] = [read("from"), read("to")];
    if (start !== undefined && end !== undefined && start >= end) {
        throw new FieldError("to", "The end of the time range is not after its start");
    }
    return { start, end };
}

/**
 * What the search API is asked. Durations are those of whole traces.
 * @param {Fields} fields @param {number} [now] seconds since 1970
 */
export function searchQuery(fields, now = Date.now() / 1000) {
    const query = traceQL(fields);
    return {
        // Asks for the names of the spans that matched; free queries are sent as they are.
        q: query && !fields.q.trim() ? `${query} | select(name)` : query,
        minDuration: bound(fields, "min"), maxDuration: bound(fields, "max"),
        ...times(fields, now), limit: fields.limit || "50", spss: 10,
    };
}
