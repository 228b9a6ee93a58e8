/**
 * Light or dark: as the system says, until the reader chooses.
 */
import { replace } from "./dom.js";
import { icon } from "./icons.js";

const KEY = "ebpftrace-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };
const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** @typedef {"system" | "light" | "dark"} Choice */

/** @returns {Choice} */
function chosen() {
    try {
        const value = localStorage.getItem(KEY);
        return value === "light" || value === "dark" ? value : "system";
    } catch {
        return "system";
    }
}

/** @param {Choice} choice */
function apply(choice) {
    const theme = choice === "system" ? (dark.matches ? "dark" : "light") : choice;
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("themechange"));
    const button = document.getElementById("theme");
    if (!button) return;
    const text = `Colours: ${choice}. Change to ${NEXT[choice]}`;
    button.title = text;
    button.setAttribute("aria-label", text);
    replace(button, icon(choice === "system" ? "system" : choice === "dark" ? "moon" : "sun"));
}

/** Sets the theme and makes the button work. */
export function startTheme() {
    apply(chosen());
    dark.addEventListener("change", () => apply(chosen()));
    document.getElementById("theme")?.addEventListener("click", () => {
        const next = /** @type {Choice} */ (NEXT[chosen()]);
        try {
            localStorage.setItem(KEY, next);
        } catch {
            // A browser without storage forgets the choice with the page.
        }
        apply(next);
    });
}
