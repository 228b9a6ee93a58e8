/**
 * Why a span hangs where it hangs: the rule, the values that matched; for a root what its parent could have been.
 */
import { api } from "./api.js";
import { h, replace } from "./dom.js";
import { evidenceOf } from "./evidence.js";
import { sentence, waiting } from "./notices.js";
import { traceLink } from "./router.js";
import { icon } from "./icons.js";

/**
 * @typedef {import("./trace-model.js").Node} Node
 * @typedef {import("./trace-view.js").TraceView} TraceView
 * @typedef {import("./api.js").Explanation} Explanation
 */

/** @type {Record<string, string>} */
const RULES = {
    R1a: "equal request and response sequence numbers, mirrored connection",
    R1b: "equal request and response sequence numbers, other addresses",
    R2: "equal request sequence number, same connection",
    R3: "equal thread key",
    R4: "same process key, request open at the time of the call",
    R5: "calls of one thread without their request",
    application: "the application's own tracing names its parent",
};

/**
 * @param {TraceView} view @param {Node} node @param {AbortSignal} signal
 * @returns {HTMLElement} filled when the answer is there
 */
export function why(view, node, signal) {
    const answer = h("div", { class: "why-answer" }, waiting("the explanation"));
    api.explain(node.span.id, view.model.trace.traceID, signal).then(
        (explanation) => { if (!signal.aborted) replace(answer, explained(view, node, explanation)); },
        (error) => { if (!signal.aborted) replace(answer, unexplained(node, error)); });
    return h("div", { class: "why-panel" }, edge(view, node), answer);
}

/** The edge as a picture: parent, evidence, this span. @param {TraceView} view @param {Node} node */
function edge(view, node) {
    const evidence = evidenceOf(node.span);
    const { parent } = node;
    return h("ol", { class: "edge" },
        parent ? h("li", null, h("span", { class: "quiet" }, `${parent.span.kind} `),
            h("button", { type: "button", class: "link", onclick: () => view.select(parent) },
                `${parent.service}: ${parent.span.name}`)) : null,
        h("li", { class: "evidence", title: evidence.text }, icon(evidence.icon), h("b", null, evidence.name),
            h("span", { class: "quiet" }, evidence.short === evidence.name ? "" : evidence.short)),
        h("li", null, h("span", { class: "quiet" }, `${node.span.kind} `),
            h("b", null, `${node.service}: ${node.span.name}`)));
}

/** @param {TraceView} view @param {Node} node @param {Explanation} explanation */
function explained(view, node, explanation) {
    const { parent, rule, candidates = [], notes = [], matched = [] } = explanation;
    return [
        h("p", { class: "sentence" }, explanation.sentence || evidenceOf(node.span).text),
        parent && !view.model.byID.has(parent.id) ? h("p", null, "Its parent is outside of this trace: ",
            h("a", { href: traceLink(parent.traceID, parent.id) }, title(parent)), ".") : null,
        rule ? h("p", null, h("b", null, `Rule ${rule}`), RULES[rule] ? `: ${RULES[rule]}.` : "") : null,
        matched.length > 0 ? h("section", null, h("h3", null, "What matched"), matchTable(matched)) : null,
        notes.length > 0 ? h("ul", { class: "notes" }, notes.map((note) => h("li", null, sentence(note)))) : null,
        candidates.length > 0 ? h("section", null,
            h("h3", null, node.parent ? "Other candidates" : "Nearest candidates, and what failed"),
            h("ol", { class: "candidates" }, candidates.map((candidate) => candidateItem(view, candidate)))) : null,
        !node.parent && candidates.length === 0
            ? h("p", { class: "quiet" }, "No stored span comes near to being its parent.") : null,
    ];
}

/** What the console knows by itself when the router gives no explanation. @param {Node} node @param {Error} error */
function unexplained(node, error) {
    return [h("p", null, evidenceOf(node.span).text), h("p", { class: "quiet" }, sentence(error.message))];
}

/** @param {import("./api.js").Match[]} matched */
function matchTable(matched) {
    return h("div", { class: "table" }, h("table", { class: "matched" },
        h("thead", null, h("tr", null, ["", "This span", "Its parent"].map((text) =>
            h("th", { scope: "col" }, text)))),
        h("tbody", null, matched.map(({ what, child, parent }) => h("tr", null, h("th", { scope: "row" }, what),
            h("td", null, h("code", null, String(child ?? "–"))),
            h("td", null, h("code", null, String(parent ?? "–"))))))));
}

/** A span in words; one that is not stored has but its id. @param {import("./api.js").SpanBrief} span */
function title({ id, service, name }) {
    return service || name ? `${service || "unknown"}: ${name || "unnamed"}` : `span ${id} (not stored)`;
}

/** @param {TraceView} view @param {Explanation["candidates"][number]} candidate */
function candidateItem(view, { span, rule, matched = [], failed = [] }) {
    const own = view.model.byID.get(span.id);
    const text = title(span);
    return h("li", null,
        own ? h("button", { type: "button", class: "link", onclick: () => view.select(own) }, text)
            : h("a", { href: traceLink(span.traceID, span.id) }, text),
        rule ? h("span", { class: "quiet" }, ` · tried as ${rule}`) : null,
        h("ul", null,
            matched.map((match) => h("li", { class: "held" }, h("b", null, "✓ "), `${match.what} `,
                h("code", null, String(match.child)))),
            failed.map((reason) => h("li", { class: "failed" }, h("b", null, "✗ "), reason))));
}
