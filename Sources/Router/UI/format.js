/**
 * Numbers, times and durations as people read them.
 */

/** Thousands separated by commas. @param {number} value */
export function count(value) {
    return Math.round(value).toLocaleString("en-US");
}

/** Three significant digits with k, M, G: 1,234 → 1.23k. @param {number} value */
export function compact(value) {
    const size = Math.abs(value);
    if (size >= 1e9) return significant(value / 1e9) + "G";
    if (size >= 1e6) return significant(value / 1e6) + "M";
    if (size >= 1e4) return significant(value / 1e3) + "k";
    return size >= 100 ? count(value) : significant(value);
}

/** @param {number} value */
function significant(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
    return String(Number(value.toFixed(digits)));
}

/**
 * A duration with its unit: "85.4 ms".
 * @param {number | null | undefined} micros microseconds
 */
export function duration(micros) {
    if (micros === null || micros === undefined) return "open";
    const size = Math.abs(micros);
    if (size < 1000) return `${significant(micros)} µs`;
    if (size < 1e6) return `${significant(micros / 1e3)} ms`;
    if (size < 60e6) return `${significant(micros / 1e6)} s`;
    return `${Math.floor(size / 60e6)} min ${Math.round((size % 60e6) / 1e6)} s`;
}

/** How long a process runs: "3 h 20 min". @param {number} seconds */
export function uptime(seconds) {
    const minutes = Math.floor(seconds / 60);
    if (minutes < 1) return `${Math.floor(seconds)} s`;
    if (minutes < 60) return `${minutes} min`;
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return `${hours} h ${minutes % 60} min`;
    return `${Math.floor(hours / 24)} days ${hours % 24} h`;
}

/** @param {number} value */
export function bytes(value) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
    return `${significant(value)} ${units[unit]}`;
}

/** @param {number} part of 1 */
export function percent(part) {
    if (part === 0) return "0 %";
    if (part < 0.001) return "< 0.1 %";
    return `${significant(part * 100)} %`;
}

const two = (/** @type {number} */ value) => String(value).padStart(2, "0");

/** Date and time of day in the reader's zone. @param {number} micros since 1970 */
export function moment(micros) {
    const date = new Date(micros / 1000);
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(date)}`;
}

/** @param {Date} date */
export function timeOfDay(date) {
    const millis = String(date.getMilliseconds()).padStart(3, "0");
    return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
}

/** "3 min ago". @param {number} micros since 1970 @param {number} [now] ms since 1970 */
export function ago(micros, now = Date.now()) {
    const seconds = (now - micros / 1000) / 1000;
    const size = Math.abs(seconds);
    const text = size < 60 ? `${Math.round(size)} s`
        : size < 3600 ? `${Math.round(size / 60)} min`
        : size < 172800 ? `${Math.round(size / 3600)} h` : `${Math.round(size / 86400)} days`;
    return seconds < 0 ? `in ${text}` : `${text} ago`;
}

/** "1 span", "2 spans". @param {number} number @param {string} noun */
export function plural(number, noun) {
    return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

const UNITS = { ns: 0.001, us: 1, "µs": 1, ms: 1e3, s: 1e6, m: 6e7, min: 6e7, h: 3.6e9 };

/**
 * Reads "100ms", "1.5 s", "1m30s"; a number without a unit is milliseconds.
 * @param {string} text
 * @returns {number | null} microseconds; null when it is no duration
 */
export function parseDuration(text) {
    const plain = text.trim();
    if (/^\d+(\.\d+)?$/.test(plain)) return Number(plain) * 1000;
    if (!/^(\d+(\.\d+)?\s*(ns|us|µs|ms|min|m|s|h)\s*)+$/.test(plain)) return null;
    let sum = 0;
    for (const [, number, unit] of plain.matchAll(/(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|min|m|s|h)/g)) {
        sum += Number(number) * UNITS[/** @type {keyof typeof UNITS} */ (unit)];
    }
    return sum;
}

/** A duration as queries take it: "85400us". @param {number} micros */
export function queryDuration(micros) {
    if (micros % 1e6 === 0) return `${micros / 1e6}s`;
    if (micros % 1e3 === 0) return `${micros / 1e3}ms`;
    return micros >= 1 ? `${Math.round(micros)}us` : `${Math.round(micros * 1000)}ns`;
}
