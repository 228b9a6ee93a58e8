#!/usr/bin/env python3
"""Takes pictures of the console's pages into a folder: screenshots.py --console http://127.0.0.1:9530 --out docs/images

Each page is taken wide and light; some also dark and as on a phone. Colours are reduced to keep the files small.
"""
import argparse
import io
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "browser"))
from console import NARROW, ConsoleTest, open_browser, set_screen  # noqa: E402
from PIL import Image  # noqa: E402

WIDE = (1280, 800)
LARGEST_BYTES = 150_000
COLOURS = 256


class Pictures(ConsoleTest):
    """The API client and the waiting of the browser tests, without the tests."""

    def runTest(self):
        """Not a test."""


def save(browser, path):
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    picture = picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    size = os.path.getsize(path)
    print(f"{path}: {picture.width} x {picture.height}, {size // 1000} KB")
    if size > LARGEST_BYTES:
        sys.exit(f"screenshots: {path} has {size} bytes, at most {LARGEST_BYTES}")


def telling_trace(pictures):
    """Many spans and no outlier that makes all the others a dot; with an error when there is one."""
    def rank(found):
        return found["spanCount"] * (found["durationMicros"] < 500_000), found["errorCount"] > 0
    return pictures.api(f"/api/trace/{max(pictures.found(), key=rank)['traceID']}")


def shots(pictures):
    """Name, hash, selector to wait for, screen, dark, script to run first."""
    trace = telling_trace(pictures)
    wanted = [span for span in trace["spans"] if span["evidence"] == "net"] or trace["spans"]
    page = f"#/trace/{trace['traceID']}"
    span = f"{page}?span={wanted[len(wanted) // 2]['id']}"
    why = "document.querySelector('.row.selected .why').click()"
    root = next(one["id"] for one in trace["spans"] if one["parent"] is None)
    yield "status", "#/", ".tiles .tile", WIDE, False, None
    yield "status-dark", "#/", ".tiles .tile", WIDE, True, None
    yield "search", "#/search", ".traces .trace", WIDE, False, None
    yield "search-phone", "#/search", ".traces .trace", NARROW, False, None
    yield "trace", page, ".rows .row", WIDE, False, None
    yield "trace-dark", span, ".detail .group", WIDE, True, None
    yield "trace-phone", page, ".rows .row", NARROW, True, None
    yield "why", span, ".detail .group", WIDE, False, why
    yield "why-root", f"{page}?span={root}", ".detail .panel", WIDE, False, why
    yield "map", "#/map", ".map-drawing .node", WIDE, False, None
    yield "map-dark", "#/map", ".map-drawing .node", WIDE, True, None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--console", required=True)
    parser.add_argument("--out", default="docs/images")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    ConsoleTest.address = options.console.rstrip("/")
    pictures = Pictures()
    pictures.browser = ConsoleTest.browser = open_browser()
    try:
        for name, hash_, selector, screen, dark, script in shots(pictures):
            set_screen(pictures.browser, screen, dark)
            pictures.open(hash_)
            pictures.one(selector)
            pictures.js("document.activeElement.blur()")
            if script:
                pictures.js(script)
            time.sleep(1.2)
            save(pictures.browser, os.path.join(options.out, f"{name}.png"))
    finally:
        pictures.browser.quit()


if __name__ == "__main__":
    main()
