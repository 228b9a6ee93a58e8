/**
 * The search page: form, scatter plot, list of traces. The address holds the query, so that a search can be sent on.
 */
import { api } from "./api.js";
import { announce, h, replace } from "./dom.js";
import { plural } from "./format.js";
import { failure, howToSend, waiting } from "./notices.js";
import { go, link, parseHash } from "./router.js";
import { Scatter } from "./scatter.js";
import { SearchForm } from "./search-form.js";
import { FieldError, fieldsOf, searchQuery } from "./search-query.js";
import { ResultList } from "./search-results.js";

/** @typedef {import("./search-query.js").Fields} Fields */

class SearchView {
    /** @param {import("./router.js").PageContext} context @param {import("./api.js").Service[]} services */
    constructor({ place, route, signal }, services) {
        this.signal = signal;
        this.asked = new AbortController();
        signal.addEventListener("abort", () => this.asked.abort());
        this.form = new SearchForm(fieldsOf(route.query), services, (fields) => this.submitted(fields));
        this.results = h("div", { class: "results", "aria-live": "off" });
        this.isEmptyStore = services.length === 0;
        const narrow = window.matchMedia("(max-width: 60rem)").matches;
        replace(place, h("h1", { class: "unseen" }, "Search traces"), h("div", { class: "search" },
            h("details", { class: "card search-side", open: !narrow },
                h("summary", null, "Query"), this.form.element),
            this.results));
        api.tagNames(signal).then((names) => this.form.listTags(names), () => {});
    }

    /** @param {Fields} fields */
    submitted(fields) {
        const hash = link("search", "", { ...fields, limit: fields.limit === "50" ? "" : fields.limit });
        if (hash === location.hash || (hash === "#/search" && location.hash === "")) this.run(fields);
        else go(hash);
    }

    /** @param {Fields} fields */
    async run(fields) {
        this.asked.abort();
        this.asked = new AbortController();
        const { signal } = this.asked;
        replace(this.results, waiting("traces"));
        try {
            const query = searchQuery(fields);
            const traces = await api.search(query, signal);
            if (!signal.aborted) this.show(traces, Number(query.limit), query.q);
        } catch (error) {
            if (signal.aborted) return;
            replace(this.results);
            if (error instanceof FieldError) this.form.refuse(error);
            else replace(this.results, failure(error, () => this.run(fields)));
        }
    }

    /** @param {import("./api.js").FoundTrace[]} traces @param {number} limit @param {string} q */
    show(traces, limit, q) {
        if (traces.length === 0) {
            replace(this.results, this.isEmptyStore && q === "" ? howToSend() : nothingFound());
            announce("No traces found");
            return;
        }
        const list = new ResultList(traces, limit, q !== "");
        const scatter = new Scatter(list.items, (selected) => list.select(selected));
        list.onClear = () => scatter.clear();
        replace(this.results, scatter.element, list.element);
        announce(`${plural(traces.length, "trace")} found`);
    }
}

function nothingFound() {
    return h("section", { class: "notice" }, h("h2", null, "No trace matches"),
        h("ul", null,
            h("li", null, "All conditions must hold for one and the same span; durations are those of whole traces."),
            h("li", null, "A trace shows up about 30 seconds after its last span."),
            h("li", null, "Recorded spans keep their recorded time: choose ", h("b", null, "Any time"), " for them."),
            h("li", null, "With sampling, most traces are dropped: see ", h("a", { href: "#/" }, "the status"), ".")));
}

/** @type {SearchView | null} */
let view = null;

/** @param {import("./router.js").PageContext} context */
async function show(context) {
    replace(context.place, waiting("the services"));
    view = null;
    try {
        const services = await api.services(context.signal);
        if (context.signal.aborted) return;
        view = new SearchView(context, services);
        view.run(fieldsOf(parseHash(location.hash).query));
    } catch (error) {
        if (!context.signal.aborted) replace(context.place, failure(error, () => show(context)));
    }
}

/** A new query on the same page: the form stays. @param {import("./router.js").Route} route */
function update(route) {
    if (!view || view.signal.aborted) return false;
    const fields = fieldsOf(route.query);
    const same = JSON.stringify({ ...view.form.fields, limit: "" }) === JSON.stringify({ ...fields, limit: "" });
    if (!same) return false;
    view.run(fields);
    return true;
}

/** @type {import("./router.js").Page} */
export const searchPage = { title: "Search", show, update };
