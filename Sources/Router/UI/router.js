/**
 * The address of a page: `#/trace/ID?span=ID`. Pages are functions; leaving one aborts what it asked for.
 */

/**
 * @typedef {{page: string, argument: string, query: URLSearchParams}} Route
 * @typedef {{place: HTMLElement, route: Route, signal: AbortSignal}} PageContext
 * @typedef {{title: string, show: (context: PageContext) => void | Promise<void>,
 *   update?: (route: Route) => boolean}} Page
 */

/** @param {string} hash @returns {Route} */
export function parseHash(hash) {
    const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
    const [page = "", argument = ""] = path.split("/");
    return { page: page || "status", argument: safeDecode(argument), query: new URLSearchParams(query) };
}

/** @param {string} text */
function safeDecode(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

/**
 * @param {string} page @param {string} [argument]
 * @param {Record<string, string | number | null | undefined>} [query] empty values are left out
 */
export function link(page, argument = "", query = {}) {
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) {
        if (value !== null && value !== undefined && value !== "") search.set(key, String(value));
    }
    const path = page === "status" ? "#/" : `#/${page}${argument ? "/" + encodeURIComponent(argument) : ""}`;
    const text = search.toString();
    return text ? `${path}?${text}` : path;
}

/** @param {string} id @param {string} [span] */
export const traceLink = (id, span) => link("trace", id, { span });

/** Goes to a page. @param {string} hash */
export function go(hash) {
    location.hash = hash;
}

/** Changes the address without a new page or a step in the history. @param {string} hash */
export function rewrite(hash) {
    history.replaceState(null, "", hash);
}

/**
 * Shows the page of the address, now and whenever it changes.
 * @param {HTMLElement} place
 * @param {Record<string, Page>} pages
 */
export function start(place, pages) {
    let leaving = new AbortController();
    let current = "";
    const show = () => {
        const route = parseHash(location.hash);
        const page = pages[route.page] ?? pages.missing;
        const key = `${route.page}/${route.argument}`;
        mark(route.page);
        if (key === current && page.update?.(route)) return;
        leaving.abort();
        leaving = new AbortController();
        const first = current === "";
        current = key;
        document.title = `${page.title} · ebpftrace`;
        place.replaceChildren();
        place.className = `page-${route.page}`;
        window.scrollTo(0, 0);
        if (!first) place.focus({ preventScroll: true });
        page.show({ place, route, signal: leaving.signal });
    };
    window.addEventListener("hashchange", show);
    show();
}

/** Marks the link of the page shown. @param {string} page */
function mark(page) {
    const name = page === "trace" || page === "compare" ? "search" : page;
    for (const anchor of document.querySelectorAll("nav [data-page]")) {
        const here = /** @type {HTMLElement} */ (anchor).dataset.page === name;
        if (here) anchor.setAttribute("aria-current", "page");
        else anchor.removeAttribute("aria-current");
    }
}
