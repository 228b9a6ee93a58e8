/**
 * Starts the console: theme, box for a trace id, pages.
 */
import { api } from "./api.js";
import { reserveColours } from "./colours.js";
import { comparePage } from "./compare.js";
import { h, replace, toast } from "./dom.js";
import { mapPage } from "./map.js";
import { go, start, traceLink } from "./router.js";
import { searchPage } from "./search.js";
import { statusPage } from "./status.js";
import { startTheme } from "./theme.js";
import { tracePage } from "./trace.js";

/** A page is not kept waiting for its colours longer than this (ms). */
const PATIENCE = 1000;

/** @type {import("./router.js").Page} */
const missing = {
    title: "No such page",
    show: ({ place }) => replace(place, h("section", { class: "notice" },
        h("h1", null, "There is no such page"),
        h("p", null, "Go to ", h("a", { href: "#/" }, "the status"), " or ",
            h("a", { href: "#/search" }, "the search"), "."))),
};

/** Opens the trace that the box in the header names. @param {SubmitEvent} event */
function jump(event) {
    event.preventDefault();
    const box = /** @type {HTMLInputElement} */ (document.getElementById("jump-id"));
    const id = box.value.trim().toLowerCase();
    const valid = /^[0-9a-f]{1,32}$/.test(id) || /^\d{1,39}$/.test(id);
    box.setAttribute("aria-invalid", String(!valid));
    if (!valid) {
        toast("A trace ID has up to 32 hex digits");
        box.focus();
        return;
    }
    box.value = "";
    go(traceLink(id));
}

/** Without a store there are no services; the pages say so themselves. */
async function nameColours() {
    try {
        reserveColours((await api.services()).map((service) => service.name));
    } catch {
        reserveColours([]);
    }
}

async function main() {
    startTheme();
    document.getElementById("jump")?.addEventListener("submit", jump);
    document.getElementById("skip")?.addEventListener("click", (event) => {
        event.preventDefault();
        document.getElementById("page")?.focus();
    });
    await Promise.race([nameColours(), new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
    const place = /** @type {HTMLElement} */ (document.getElementById("page"));
    start(place, { status: statusPage, search: searchPage, trace: tracePage, compare: comparePage, map: mapPage,
        missing });
}

main();
