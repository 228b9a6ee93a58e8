"""What the browser tests share: a headless Chromium, the console's address, its API, and checks after every test."""
import json
import os
import shutil
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from decimal import ROUND_HALF_UP, Decimal

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

WIDE, NARROW = (1440, 900), (390, 844)
PATIENCE = float(os.environ.get("BROWSER_PATIENCE", "30"))


def open_browser():
    """A Chromium that downloads nothing by itself; Debian's packages chromium and chromium-driver."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--disable-background-networking", "--disable-component-update", "--no-first-run"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = shutil.which("chromedriver") or "/usr/bin/chromedriver"
    return webdriver.Chrome(options=options, service=Service(driver))


def set_screen(browser, size=WIDE, dark=False, scale=1):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": size[0], "height": size[1], "deviceScaleFactor": scale, "mobile": size[0] < 600})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})


class ConsoleTest(unittest.TestCase):
    """A test of one console. Each test fails on an error in the browser's console and on requests to other hosts."""

    address = os.environ.get("EBPFTRACE_CONSOLE", "http://127.0.0.1:9530")
    browser = None

    @classmethod
    def setUpClass(cls):
        cls.browser = open_browser()
        # An injected script stays for every later page of this browser; tests that need one take it out again.
        cls.injected = []

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()

    def setUp(self):
        self.expected_errors = ()
        set_screen(self.browser)
        self.browser.get("about:blank")
        self.browser.get_log("browser")
        self.browser.get_log("performance")

    def tearDown(self):
        for script in self.injected:
            self.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})
        self.injected.clear()
        errors = [entry["message"] for entry in self.browser.get_log("browser")
                  if entry["level"] in ("SEVERE", "WARNING")
                  and not any(expected in entry["message"] for expected in self.expected_errors)]
        self.assertEqual(errors, [], "the browser's console has errors")
        host = urllib.parse.urlsplit(self.address).netloc
        others = [url for url in self.requested() if url.startswith(("http", "ws"))
                  and urllib.parse.urlsplit(url).netloc != host]
        self.assertEqual(others, [], "requests to another host")

    def requested(self):
        """The addresses of all requests since the last look."""
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                yield message["params"]["request"]["url"]

    # The API, asked from here.

    def api(self, path, **query):
        text = urllib.parse.urlencode({key: value for key, value in query.items() if value is not None})
        with urllib.request.urlopen(f"{self.address}{path}{'?' + text if text else ''}", timeout=30) as answer:
            return json.load(answer)

    def header(self, path, name):
        with urllib.request.urlopen(self.address + path, timeout=30) as answer:
            return answer.headers.get(name)

    def found(self, **query):
        """Traces that the search API finds; skips the test when the store is off or empty."""
        try:
            traces = self.api("/api/search", **{"limit": 200, **query})["traces"]
        except urllib.error.HTTPError as error:
            self.skipTest(f"no traces to look at: /api/search answered {error.code}")
        if not traces:
            self.skipTest(f"no traces to look at for {query}")
        return traces

    def deep_trace(self):
        """A found trace with many spans, as /api/trace tells it."""
        best = max(self.found(), key=lambda trace: min(trace.get("spanCount", 0), 1000))
        return self.api(f"/api/trace/{best['traceID']}")

    # The page.

    def open(self, hash_="#/"):
        self.browser.get("about:blank")
        self.browser.get(f"{self.address}/{hash_}")

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.wait(lambda: next(iter(self.all(selector)), None), f"{selector} does not appear")

    def wait(self, condition, message=""):
        return WebDriverWait(self.browser, PATIENCE, poll_frequency=0.05).until(lambda _: condition(), message)

    def text(self, selector):
        return self.one(selector).text

    def texts(self, selector):
        return self.js(f"return [...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent)")

    def js(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def press(self, *keys):
        """Keys to whatever has the focus."""
        for key in keys:
            ActionChains(self.browser, duration=0).send_keys(key).perform()

    def inject(self, script):
        """Runs a script before those of every page opened from now on."""
        answer = self.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        self.injected.append(answer["identifier"])

    def rest(self, seconds):
        time.sleep(seconds)


def duration(micros):
    """A duration as the console writes it; mirrors format.js for whole checks of what is shown."""
    def significant(value):
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
        text = str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
        return text.rstrip("0").rstrip(".") if "." in text else text
    if micros is None:
        return "open"
    if micros < 1000:
        return f"{significant(micros)} µs"
    if micros < 1e6:
        return f"{significant(micros / 1e3)} ms"
    return f"{significant(micros / 1e6)} s"


__all__ = ["By", "ConsoleTest", "Keys", "NARROW", "WIDE", "duration", "open_browser", "set_screen"]
