"""The report in headless Chromium: charts are drawn, the network is walked, and nothing is refused or loaded."""

import contextlib
import importlib.util

import numpy as np
import pytest

import snnc
from snnc import ops
from snnc.comparison import compare
from snnc.report import comparison_html
from snnc.testing import chain
from tests.conftest import ROOT, dense

pytest.importorskip("vl_convert")
pytest.importorskip("PIL")

SIZES = {"wide": (1280, 900), "narrow": (400, 800)}


def deep(layers):
    """Return a network of so many dense layers."""
    rng = np.random.default_rng(6)
    parts = [ops.Input(shape=(8, 8, 1)), ops.Reshape(shape=(64,)), dense(rng, 64, 24, ops.Relu())]
    parts += [
        ops.Dense(weight=rng.normal(size=(24, 24)) / 4, bias=rng.normal(size=24) / 9, activation=ops.Relu())
        for _ in range(layers - 1)
    ]
    return chain(*parts, dense(rng, 24, 4), names=["image", "flat", *(f"layer{i}" for i in range(layers)), "out"])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return the page of a small network, as a file."""
    graph = deep(4)
    x = np.random.default_rng(2).random((60, 8, 8, 1)).astype(np.float32)
    y = graph.evaluate({"image": x})["out"].argmax(axis=1)
    compiled = snnc.compile(graph, calibration=x)
    folder = tmp_path_factory.mktemp("page")
    (folder / "report.html").write_text(compiled.report_html(x, y))
    rows = compare({"a": compiled, "b": snnc.compile(graph, scale=200.0, steps=9)}, {"image": x, "y": y})
    (folder / "compared.html").write_text(comparison_html(rows))
    return folder


@contextlib.contextmanager
def opened(chromium, file, size="wide", scheme="light", scripts=True):
    """Open a file; what is refused, fails or is asked of elsewhere fails the test."""
    width, height = SIZES[size]
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=scripts, offline=True
    )
    page, wrong = context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request", lambda request: wrong.append(request.url) if not request.url.startswith(("file:", "data:")) else None
    )
    page.goto(file.as_uri())
    if scripts:
        page.wait_for_selector("html[data-ready=yes]", state="attached")
    yield page
    assert not wrong
    context.close()


def look_at_all(page):
    """Scroll from the top to the end, so that every chart that can be seen is drawn."""
    page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    for place in page.query_selector_all(".chart"):
        if place.is_visible():
            place.scroll_into_view_if_needed()
            page.wait_for_function("place => place.querySelector('canvas')", arg=place)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["report", "compared"])
def test_every_chart_is_drawn_and_nothing_is_wider_than_the_page(small, chromium, name, size, scheme):
    with opened(chromium, small / f"{name}.html", size, scheme) as page:
        look_at_all(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
        colours = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        dark, light = (sum(map(int, c.removeprefix("rgb(").removesuffix(")").split(","))) for c in colours)
        assert (dark > light) == (scheme == "dark")
        for canvas in page.query_selector_all("canvas"):  # something was drawn on it
            assert canvas.evaluate(
                "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 3"
            )


def test_the_network_is_walked_with_the_mouse_and_the_keys(small, chromium):
    with opened(chromium, small / "report.html") as page:

        def shown():
            return [a.query_selector("h3").inner_text() for a in page.query_selector_all(".details") if a.is_visible()]

        assert shown() == ["layer0"]
        page.click(".drawing a:nth-of-type(1) rect")
        assert shown() == ["image"]
        page.focus(".drawing")
        page.keyboard.press("ArrowDown")
        assert shown() == ["flat"]
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        assert shown() == ["image"]
        page.click(".details.chosen a >> text=flat")
        assert shown() == ["flat"]
        page.click("#layers table a >> text=layer2")
        assert shown() == ["layer2"]
        page.wait_for_selector(".details.chosen canvas")


def test_one_sample_is_shown_at_a_time(small, chromium):
    with opened(chromium, small / "report.html") as page:
        shown = lambda: [a.get_attribute("id") for a in page.query_selector_all(".sample") if a.is_visible()]  # noqa: E731
        assert shown() == ["sample-0"]
        page.click("[data-sample=sample-3]")
        assert shown() == ["sample-3"]
        page.wait_for_selector("#sample-3 [data-chart=raster-3] canvas")
        assert page.get_attribute("[data-sample=sample-3]", "aria-pressed") == "true"


def test_a_chart_tells_its_numbers(small, chromium):
    with opened(chromium, small / "report.html") as page:
        page.wait_for_selector("[data-chart=score-0] canvas")
        page.hover("[data-chart=score-0] canvas")
        box = page.query_selector("[data-chart=score-0] canvas").bounding_box()
        for x in range(40, int(box["width"]), 3):  # the points are few
            for y in range(4, 200, 6):
                page.mouse.move(box["x"] + x, box["y"] + y)
                if page.is_visible("#vg-tooltip-element.visible"):
                    break
            else:
                continue
            break
        assert "score" in page.inner_text("#vg-tooltip-element")


def test_without_scripts_all_numbers_are_there(small, chromium):
    with opened(chromium, small / "report.html", scripts=False) as page:
        assert page.is_visible("noscript p")
        page.goto((small / "report.html").as_uri() + "#node-3")
        assert page.is_visible("#node-3")
        assert page.is_visible("#sample-5")


def test_a_deep_network_is_a_small_file_that_draws_what_is_looked_at(chromium, tmp_path):
    graph = deep(50)
    x = np.random.default_rng(2).random((1000, 8, 8, 1)).astype(np.float32)
    y = np.arange(1000) % 4
    compiled = snnc.compile(graph, scale=100.0, steps=40, verify=False)
    (tmp_path / "deep.html").write_text(compiled.report_html(x, y))
    assert (tmp_path / "deep.html").stat().st_size < 5_000_000
    with opened(chromium, tmp_path / "deep.html") as page:
        assert len(page.query_selector_all(".drawing .node.spikes")) == 50
        assert len(page.query_selector_all("canvas")) < 5  # and not the hundred that it has


def test_the_picture_in_the_readme_can_be_taken_and_is_small(chromium, tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("make_picture", ROOT / "docs" / "make_picture.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PICTURE.stat().st_size < 200_000
    monkeypatch.setattr(script, "PICTURE", tmp_path / "images" / "report.png")
    script.main(chromium)
    assert 20_000 < script.PICTURE.stat().st_size < 200_000
