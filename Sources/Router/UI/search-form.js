/**
 * The search form: fields, or free TraceQL.
 */
import { h, replace } from "./dom.js";
import { FIELDS, FieldError, RANGES, traceQL } from "./search-query.js";

/**
 * @typedef {import("./search-query.js").Fields} Fields
 * @typedef {import("./api.js").Service} Service
 */

/** @param {string} value @param {string} text @param {string} chosen */
const option = (value, text, chosen) => h("option", { value, selected: value === chosen }, text);

/**
 * @param {string} label @param {string} name @param {HTMLElement} control @param {string} [hint]
 */
function field(label, name, control, hint) {
    control.id = `field-${name}`;
    control.setAttribute("name", name);
    if (hint) control.setAttribute("aria-describedby", `hint-${name}`);
    return h("div", { class: `field field-${name}` }, h("label", { for: control.id }, label), control,
        hint ? h("span", { class: "hint", id: `hint-${name}` }, hint) : null);
}

/** @param {string} name @param {Fields} fields @param {Record<string, any>} more */
const text = (name, fields, more) => h("input", { type: "text", autocomplete: "off", spellcheck: "false",
    value: fields[/** @type {keyof Fields} */ (name)], ...more });

export class SearchForm {
    /**
     * @param {Fields} fields
     * @param {Service[]} services
     * @param {(fields: Fields) => void} search
     */
    constructor(fields, services, search) {
        this.services = services;
        this.search = search;
        this.operations = h("datalist", { id: "operations" });
        this.tagNames = h("datalist", { id: "tag-names" });
        this.problem = h("p", { class: "problem", role: "alert" });
        this.element = /** @type {HTMLFormElement} */ (h("form", { class: "search-form", novalidate: true,
            "aria-label": "Search traces" }, this.parts(fields)));
        this.element.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
        this.element.addEventListener("change", (event) => this.changed(event));
        this.listOperations(fields.service);
        this.showCustom(fields.range);
        this.showBuilder(fields.q === "");
    }

    /** @param {Fields} fields */
    parts(fields) {
        const tab = (/** @type {string} */ label, /** @type {boolean} */ builder) => h("button", { type: "button",
            onclick: () => this.chooseTab(builder), "data-tab": builder ? "builder" : "traceql" }, label);
        return [
            h("div", { class: "tabs", role: "group", "aria-label": "Kind of query" },
                tab("Fields", true), tab("TraceQL", false)),
            h("div", { class: "builder" }, this.builder(fields)),
            h("div", { class: "traceql" }, field("TraceQL", "q", h("textarea", { rows: "4", spellcheck: "false" },
                fields.q), '{ resource.service.name = "gw" && status = error }')),
            h("div", { class: "pair" },
                field("Longer than", "min", text("min", fields, { placeholder: "100ms" })),
                field("Shorter than", "max", text("max", fields, { placeholder: "1.5s" }))),
            this.range(fields),
            field("At most", "limit", h("select", null, ["20", "50", "100", "200", "500"].map((value) =>
                option(value, `${value} traces`, fields.limit || "50")))),
            this.problem,
            h("div", { class: "acts" }, h("button", { type: "submit", class: "main" }, "Search"),
                h("button", { type: "button", onclick: () => this.clear() }, "Clear")),
            this.operations, this.tagNames,
        ];
    }

    /** @param {Fields} fields */
    builder(fields) {
        const names = this.services.map((service) => service.name);
        if (fields.service && !names.includes(fields.service)) names.unshift(fields.service);
        return [
            field("Service", "service", h("select", null, option("", "Any service", fields.service),
                names.map((name) => option(name, name, fields.service)))),
            field("Operation", "operation", text("operation", fields, { list: "operations", placeholder: "Any" })),
            field("Status", "status", h("select", null, [["", "Any status"], ["error", "Error"], ["ok", "OK"],
                ["unset", "Unset"]].map(([value, label]) => option(value, label, fields.status)))),
            field("Tags", "tags", text("tags", fields, { placeholder: "http.response.status_code>=500",
                list: "tag-names" }), "key=value, separated by spaces; also != > < =~"),
        ];
    }

    /** @param {Fields} fields */
    range(fields) {
        const time = (/** @type {"from" | "to"} */ name) =>
            h("input", { type: "datetime-local", step: "1", value: fields[name] });
        const names = { "5m": "5 minutes", "15m": "15 minutes", "1h": "hour", "6h": "6 hours", "24h": "24 hours" };
        return [
            field("Time", "range", h("select", null, option("", "Any time", fields.range),
                Object.keys(RANGES).map((key) =>
                    option(key, `Last ${names[/** @type {keyof typeof names} */ (key)]}`, fields.range)),
                option("custom", "From … to …", fields.range))),
            h("div", { class: "pair custom" }, field("From", "from", time("from")), field("To", "to", time("to"))),
        ];
    }

    /** @returns {Fields} */
    get fields() {
        const data = new FormData(this.element);
        const fields = /** @type {Fields} */ (
            Object.fromEntries(FIELDS.map((name) => [name, String(data.get(name) ?? "").trim()])));
        if (this.isBuilder) fields.q = "";
        else Object.assign(fields, { service: "", operation: "", status: "", tags: "" });
        if (fields.range !== "custom") Object.assign(fields, { from: "", to: "" });
        return fields;
    }

    get isBuilder() { return this.element.dataset.kind === "builder"; }

    /** @param {string} name @returns {HTMLInputElement} */
    control(name) { return /** @type {HTMLInputElement} */ (this.element.elements.namedItem(name)); }

    submit() {
        this.problem.textContent = "";
        for (const name of FIELDS) this.control(name).removeAttribute("aria-invalid");
        this.search(this.fields);
    }

    /** Says which field cannot be read. @param {FieldError} error */
    refuse(error) {
        this.problem.textContent = error.message;
        this.control(error.field).setAttribute("aria-invalid", "true");
        this.control(error.field).focus();
    }

    clear() {
        for (const name of FIELDS) this.control(name).value = name === "limit" ? "50" : "";
        this.showCustom("");
        this.submit();
    }

    /** From the fields to TraceQL the query goes along, so that it can be refined. @param {boolean} builder */
    chooseTab(builder) {
        if (!builder && !this.control("q").value) {
            try {
                this.control("q").value = traceQL(this.fields);
            } catch (error) {
                if (error instanceof FieldError) this.refuse(error);
            }
        }
        this.showBuilder(builder);
        this.control(builder ? "service" : "q").focus();
    }

    /** @param {boolean} builder */
    showBuilder(builder) {
        this.element.dataset.kind = builder ? "builder" : "traceql";
        for (const tab of this.element.querySelectorAll("[data-tab]")) {
            const here = /** @type {HTMLElement} */ (tab).dataset.tab === this.element.dataset.kind;
            tab.setAttribute("aria-pressed", String(here));
        }
    }

    /** @param {string} range */
    showCustom(range) { this.element.dataset.range = range === "custom" ? "custom" : "named"; }

    /** @param {Event} event */
    changed(event) {
        const control = /** @type {HTMLInputElement} */ (event.target);
        if (control.name === "service") this.listOperations(control.value);
        if (control.name === "range") this.showCustom(control.value);
    }

    /** @param {string} service */
    listOperations(service) {
        const which = this.services.filter((one) => !service || one.name === service);
        const names = [...new Set(which.flatMap((one) => one.operations))].sort().slice(0, 1000);
        replace(this.operations, names.map((value) => h("option", { value })));
    }

    /** @param {string[]} names */
    listTags(names) {
        replace(this.tagNames, names.slice(0, 500).map((name) => h("option", { value: `${name}=` })));
    }
}
