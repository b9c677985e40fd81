"""The report of a network of 50 convolutions on 1000 samples: its size, how long it takes, and how fast it opens.

    python benchmarks/report.py [FILE.html]

Opening is measured in headless Chromium, with an empty page beside it: until the page is ready, and until the charts in
view are drawn.
"""

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import snnc
from snnc import ops
from snnc.testing import chain

LAYERS, SAMPLES, TIMES = 50, 1000, 7
OPTIONS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split()


def network():
    rng = np.random.default_rng(0)
    fields = {"strides": (1, 1), "padding": "same", "dilation": (1, 1)}
    parts = [ops.Input(shape=(14, 14, 1))]
    for i in range(LAYERS):
        inputs = 1 if i == 0 else 8
        weight = rng.normal(size=(3, 3, inputs, 8)) * np.sqrt(2 / (9 * inputs))
        parts.append(ops.Conv(kernel=weight, bias=rng.normal(size=8) / 20, activation=ops.Relu(), **fields))
    parts += [ops.Reshape(shape=(14 * 14 * 8,)), ops.Dense(weight=rng.normal(size=(1568, 10)) / 40, bias=np.zeros(10))]
    return chain(*parts, names=["image", *(f"conv{i + 1}" for i in range(LAYERS)), "flat", "out"])


def opened(file):
    """Return (seconds of an empty page, until ready, until the first charts are drawn): medians."""
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=OPTIONS)
        for _ in range(TIMES):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            start = time.perf_counter()
            page.goto("about:blank")
            empty = time.perf_counter() - start
            start = time.perf_counter()
            page.goto(file.as_uri())
            page.wait_for_selector("html[data-ready=yes]", state="attached")
            ready = time.perf_counter() - start
            page.wait_for_selector("[data-chart=score-0] canvas")
            found.append((empty, ready, time.perf_counter() - start))
            page.close()
        browser.close()
    return [statistics.median(column) for column in zip(*found, strict=True)]


def main():
    graph = network()
    x = np.random.default_rng(1).random((SAMPLES, 14, 14, 1)).astype(np.float32)
    y = graph.evaluate({"image": x})["out"].argmax(axis=1)
    compiled = snnc.compile(graph, calibration=x[:256], verify=False)
    start = time.process_time()
    evaluated = compiled.evaluate(x, y)
    evaluation = time.process_time() - start
    start = time.process_time()
    page = compiled.report_html(x, y)
    made = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        file = Path(sys.argv[1] if len(sys.argv) > 1 else Path(folder) / "report.html").resolve()
        file.write_text(page)
        empty, ready, drawn = opened(file)
        print(f"{LAYERS} convolutions, {SAMPLES} samples, {evaluated.steps} steps: {file.stat().st_size / 1e6:.2f} MB")
    print(f"made in {made:.1f} s of processor time, {made / evaluation:.2f} times the evaluation in it")
    print(f"opens in {ready:.2f} s, first charts after {drawn:.2f} s; an empty page in {empty:.3f} s")


if __name__ == "__main__":
    main()
