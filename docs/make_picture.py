"""The picture of the report in the README: the example's report, as ``make demo`` writes it, in headless Chromium.

``python docs/make_picture.py`` writes docs/images/report.png; it needs Chromium and the extras ``report`` and ``test``.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

import snnc

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "mnist"
PICTURE = ROOT / "docs" / "images" / "report.png"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH, LAST = 960, "#network"
"""In pixels; and the section of the page with which the picture ends."""


def main(browser: Browser) -> None:
    """Write the picture."""
    compiled = snnc.compile(EXAMPLE / "mnist_cnn.keras")
    page = compiled.report_html(EXAMPLE / "samples.npz")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_text(page)
        opened = browser.new_page(viewport={"width": WIDTH, "height": 900})
        opened.goto(file.as_uri())
        opened.wait_for_selector("html[data-ready=yes]", state="attached")
        end = opened.locator(LAST).bounding_box()
        assert end is not None
        shot = opened.screenshot(
            full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": end["y"] + end["height"]}
        )
        opened.close()
    PICTURE.parent.mkdir(exist_ok=True)
    picture = Image.open(io.BytesIO(shot)).convert(
        "RGB"
    )  # few colours make a small file, and none is off by more than 5
    picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        sys.exit(f"no Chromium is on the PATH: {', '.join(NAMES)}")
    with sync_playwright() as started:
        main(started.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"]))
