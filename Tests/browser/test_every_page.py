"""What holds on every page: policy, width, contrast, names for screen readers, themes, the keyboard."""
from console import ConsoleTest, Keys, NARROW, WIDE, set_screen

CONTRAST = """
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number);
    return c.startsWith('color(srgb') ? [m[0] * 255, m[1] * 255, m[2] * 255, m[3] ?? 1]
        : [m[0], m[1], m[2], m[3] ?? 1]; };
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const over = (top, low) => top.slice(0, 3).map((v, i) => v * top[3] + low[i] * (1 - top[3])).concat(1);
const ground = (e) => { const layers = [];
    for (; e; e = e.parentElement) { layers.push(parse(getComputedStyle(e).backgroundColor));
        if (layers.at(-1)[3] === 1) break; }
    return layers.reverse().reduce((low, top) => over(top, low), [255, 255, 255, 1]); };
const poor = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || e.closest('svg, .unseen, noscript, datalist, [hidden], .faded'))
        continue;
    const style = getComputedStyle(e);
    if (style.visibility === 'hidden' || !e.getClientRects().length) continue;
    if (e.closest('.hover-acts, .skip')) continue;
    const back = ground(e), front = over(parse(style.color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) poor.push(`${ratio.toFixed(2)} ${e.className}: ${e.textContent.slice(0, 30)}`);
}
return [...new Set(poor)].slice(0, 20);
"""

UNNAMED = """
return [...document.querySelectorAll('a[href], button, input, select, textarea, [role=button], [role=treegrid]')]
    .filter((e) => e.getClientRects().length && !(e.getAttribute('aria-label') || e.textContent.trim()
        || e.getAttribute('title') || (e.id && document.querySelector(`label[for="${e.id}"]`))))
    .map((e) => e.outerHTML.slice(0, 120));
"""


class EveryPage(ConsoleTest):
    def pages(self):
        """A name, a hash and a selector that tells that the page is there."""
        yield "status", "#/", ".tiles .tile"
        if self.has_traces():
            trace = self.deep_trace()
            yield "search", "#/search", ".traces .trace"
            yield "trace", f"#/trace/{trace['traceID']}", ".rows .row"
            yield "span", f"#/trace/{trace['traceID']}?span={trace['spans'][1]['id']}", ".detail .group"
            other = next((one for one in self.found() if one["traceID"] != trace["traceID"]), None)
            if other:
                yield "compare", f"#/compare/{trace['traceID']}?with={other['traceID']}", ".compare tbody tr"
            yield "similar", f"#/compare/{trace['traceID']}", ".compared .card"
            yield "map", "#/map", ".map-drawing .node"
        yield "missing", "#/nowhere", ".notice"

    def has_traces(self):
        try:
            return bool(self.api("/api/search", limit=1)["traces"])
        except OSError:
            return False

    def each(self, check, size=WIDE, dark=False):
        """Opens every page in turn and checks it."""
        set_screen(self.browser, size, dark)
        for name, hash_, selector in self.pages():
            with self.subTest(page=name, width=size[0], dark=dark):
                self.open(hash_)
                self.one(selector)
                self.rest(0.3)
                check()

    def test_policy_is_strict_and_kept(self):
        policy = self.header("/", "content-security-policy")
        self.assertIn("default-src 'none'", policy)
        self.assertIn("script-src 'self';", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual(self.header("/", "x-content-type-options"), "nosniff")
        self.each(lambda: self.assertEqual(self.js(
            "return document.querySelectorAll('[style*=\"url\"], style, script:not([src])').length"), 0))

    def test_text_has_contrast(self):
        for size in (WIDE, NARROW):
            for dark in (False, True):
                self.each(lambda: self.assertEqual(self.js(CONTRAST), []), size, dark)

    def test_nothing_is_wider_than_the_phone(self):
        def check():
            wide = self.js("return [document.documentElement.scrollWidth, window.innerWidth]")
            self.assertLessEqual(wide[0], wide[1])
        self.each(check, NARROW)

    def test_every_control_has_a_name(self):
        self.each(lambda: self.assertEqual(self.js(UNNAMED), []))

    def test_ids_are_unique_and_there_is_one_heading(self):
        def check():
            self.assertEqual(self.js("const s = new Set(); return [...document.querySelectorAll('[id]')]"
                                     ".map((e) => e.id).filter((i) => s.has(i) || !s.add(i))"), [])
            self.assertEqual(len(self.all("h1")), 1)
        self.each(check)

    def test_focus_is_seen_wherever_tab_goes(self):
        def check():
            self.js("document.getElementById('skip').focus()")
            seen = 0
            for _ in range(25):
                self.press(Keys.TAB)
                visible = self.js(
                    "const e = document.activeElement; if (e === document.body) return null;"
                    "const own = getComputedStyle(e), cover = getComputedStyle(e, '::after');"
                    "const box = e.querySelector('.box, .wire');"
                    "return own.outlineStyle !== 'none' || cover.outlineStyle !== 'none'"
                    " || (box !== null && e.matches(':focus-visible')) ? true : e.outerHTML.slice(0, 150)")
                if visible is None:
                    break
                self.assertIs(visible, True)
                seen += 1
            self.assertGreater(seen, 4)
        self.each(check)

    def test_skip_link_leads_to_the_content(self):
        self.open("#/")
        self.one(".tiles")
        self.js("document.activeElement.blur(); document.getElementById('skip').focus()")
        self.press(Keys.ENTER)
        self.assertEqual(self.js("return document.activeElement.id"), "page")
        self.assertEqual(self.js("return location.hash"), "#/")

    def test_theme_follows_the_system_until_chosen(self):
        theme = "return document.documentElement.dataset.theme"
        for dark in (False, True):
            set_screen(self.browser, WIDE, dark)
            self.open("#/")
            self.one(".tiles")
            self.assertEqual(self.js(theme), "dark" if dark else "light")
        button = self.one("#theme")
        button.click()
        self.assertEqual(self.js(theme), "light")
        self.open("#/search")
        self.one("#theme")
        self.wait(lambda: self.js(theme) == "light", "the choice is kept")
        self.one("#theme").click()
        self.assertEqual(self.js(theme), "dark")
        self.one("#theme").click()
        self.assertIn("system", self.one("#theme").get_attribute("aria-label"))
        self.js("localStorage.clear()")

    def test_box_opens_a_trace_by_its_id(self):
        trace = self.found()[0]["traceID"]
        self.open("#/")
        box = self.one("#jump-id")
        box.send_keys("not an id", Keys.ENTER)
        self.assertEqual(box.get_attribute("aria-invalid"), "true")
        box.clear()
        box.send_keys(f" {trace.upper()} ", Keys.ENTER)
        self.one(".rows .row")
        self.assertIn(trace, self.browser.current_url)

    def test_back_and_forth(self):
        self.found()
        self.open("#/")
        self.one(".tiles")
        self.one('nav [data-page="search"]').click()
        self.one(".traces .trace .cover").click()
        self.one(".rows .row")
        self.browser.back()
        self.one(".traces .trace")
        self.browser.back()
        self.one(".tiles")
        self.assertEqual(self.one("nav [aria-current]").text, "Status")
