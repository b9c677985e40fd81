"""What notebooks show: text stays text, in every state, and nothing is run, built or loaded for it."""

from __future__ import annotations

import math
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import snnc
from snnc import ops
from snnc.backend import Backend
from snnc.comparison import compare
from snnc.evaluation.verify import VerifyReport
from snnc.notebook import OPEN, ROWS, Curve, Table, polyline, shown
from snnc.testing.graphs import binary_inputs, branches, chain, dense, sequence_model
from snnc.tune import Outcome, Tuned, tune
from tests.conftest import ROOT, calls

VOID = {"br", "hr", "img", "input", "link", "meta"}
TAGS = set("div b table tr th td details summary ul li code svg g path polyline rect text title".split())
HOSTILE = ("<script>alert(1)</script>", 'a"b onload=x', "&amp;", "x" * 200, "Ωμ日本 ✓", "{{ 7 * 7 }}", "a'><b>")


class Page(HTMLParser):
    """A piece of HTML: its tags, its text, and that what is opened is closed again."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def page(thing):
    """Return what a notebook shows of a thing, which has a short text form as well."""
    found = Page(thing._repr_html_())
    assert set(found.tags) <= set(
        "div b table tr th td details summary ul li code svg g path polyline rect text title".split()
    )
    assert not {name for name in found.attributes if name.startswith("on")} | set(found.attributes) & {"src", "href"}
    assert not any("color" in style or "url" in style for style in found.attributes.get("style", ()))
    assert len(repr(thing)) < 400 and repr(thing).startswith("<")
    assert "\n" not in repr(thing)
    return found


def network(name="hidden"):
    rng = np.random.default_rng(0)
    steps = (ops.Input(shape=(6,)), dense(rng, 6, 8), ops.Relu(), dense(rng, 8, 3))
    return chain(*steps, names=["x", f"{name} linear", name, f"{name} out"])


def samples(graph, count=24):
    x = binary_inputs(graph, count)
    return {**x, "y": next(iter(graph.evaluate(x).values())).argmax(axis=1)}


@pytest.fixture(scope="module")
def compiled():
    graph = network()
    return snnc.compile(graph, calibration=samples(graph))


def test_a_compiled_model_says_what_it_is_and_what_comes_next(compiled):
    text = page(compiled).text
    for words in (
        "chain for nengo",
        "8 of 8 spike, in 1 populations",
        "passed, exact parts passed",
        "c.evaluate(x, y)",
    ):
        assert words in text
    changed = [entry.name for entry in compiled.journal if entry.changed]
    assert changed and all(name in text for name in changed)
    assert all(note in text for note in compiled.notes)


def test_nothing_is_built_or_run_for_it(monkeypatch):
    graph = network()
    c = snnc.compile(graph, build=False, verify=False)

    def lower(self, graph, context):
        raise AssertionError("it was built")

    monkeypatch.setattr(type(c.backend), "lower", lower)
    assert issubclass(type(c.backend), Backend)
    monkeypatch.setattr(type(graph), "evaluate", lower)
    assert "none yet" in page(c).text
    assert c._lowered is None
    with pytest.raises(AssertionError, match="it was built"):
        c.program  # noqa: B018


@pytest.mark.parametrize(
    "options", [{"level": 0}, {"scale": 3, "synapse": 0.005}, {"neurons": "relu"}, {"steps": 1}, {"code": "counted"}]
)
def test_every_way_of_compiling_has_a_page_of_everything(options):
    graph = network()
    c = snnc.compile(graph, **options)
    page(c)
    page(c.graph)
    page(c.verify())
    page(c.verify(samples(graph)))
    found = c.evaluate(samples(graph))
    assert ("polyline" in page(found).tags) == (found.steps > 1)
    page(replace(found, score_by_step=(math.nan, -math.inf, 3.0), model_score=math.nan))


def test_an_evaluation_says_its_verdict_and_marks_the_layer_of_the_largest_error(compiled):
    found = compiled.evaluate(samples(compiled.source))
    html = found._repr_html_()
    assert "On 24 samples: accuracy" in page(found).text
    (row,) = [line for line in html.splitlines() if "font-weight:bold" in line]
    assert "hidden" in html[html.index(row) :]
    page(replace(found, layers=(replace(found.layers[0], error=math.nan, rate=math.inf),)))
    page(replace(found, layers=(), spikes_per_neuron=None, silent=True))


def test_several_outputs_and_values_have_their_rows():
    graph = branches()
    c = snnc.compile(graph, steps=4)
    x = binary_inputs(graph, 12)
    labels = {"y_logits": graph.evaluate(x)["logits"].argmax(axis=1), "y_number": graph.evaluate(x)["number"]}
    text = page(c.evaluate({**x, **labels})).text
    assert "R2 of number" in text and "accuracy of logits" in text
    page(c.evaluate({**x, "y_number": labels["y_number"]}))
    text = page(c.verify(x)).text
    assert "agreement of logits" in text or "error of logits" in text


def test_a_temporal_model_has_no_numbers_of_counting():
    graph = sequence_model(0.01)
    x = binary_inputs(graph, 12, steps=5)
    c = snnc.compile(graph, temporal=True, scale=50)
    assert "one a slice of time" in page(c).text
    page(c.evaluate({**x, "y": np.arange(12) % 3}))
    page(c.verify(x))


def test_a_failed_verification_names_the_culprit():
    as_it_is = ops.Dense(weight=np.eye(4), bias=np.zeros(4))
    graph = chain(ops.Input(shape=(4,)), as_it_is, ops.Relu(), as_it_is, names=["x", "in", "relu", "out"])
    report = snnc.compile(graph, scale=1, steps=3).verify(samples(graph, 200))
    text = page(report).text
    assert text.strip().startswith("failed, exact parts passed, spiking part failed on 200 samples")
    assert report.problems[0] in text
    assert report.starts_at is not None and f"starts at layer {report.starts_at}" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text(name, tmp_path):
    graph = network(name)
    graph.name = name
    c = snnc.compile(graph, steps=2)
    c.notes = (*c.notes, name)
    c.origin = {"name": name, "path": name}
    for thing in (c, c.evaluate(samples(graph)), c.verify(samples(graph)), c.graph, c.source):
        assert "b" not in page(thing).tags[3:]
    assert name in page(c).text
    assert name in page(c.evaluate(samples(graph))).text


def test_artifacts_of_every_version_have_a_page():
    found = list((ROOT / "tests" / "golden").glob("v*/artifact"))
    assert found
    for folder in found:
        c = snnc.load(folder)
        page(c)
        page(c.graph)


def test_a_report_that_lacks_everything_has_a_page(compiled):
    other = snnc.compile(compiled.source, build=False, verify=False)
    other.report = {}
    assert "not all was judged on ? made-up inputs" in page(other).text


def test_a_saved_network_says_the_same_again(compiled, tmp_path):
    compiled.save(tmp_path / "out")
    again = snnc.load(tmp_path / "out")
    compiled.journal = again.journal  # its numbers are rounded in a manifest
    assert page(again).text == page(compiled).text


def test_a_comparison_has_a_column_each(compiled):
    other = snnc.compile(network(), scale=50, verify=False)
    rows = compare({"graded": compiled, "<counted>": other}, samples(compiled.source))
    text = page(rows).text
    assert "graded" in text and "<counted>" in text and "accuracy of the model" in text
    assert rows == list(rows) and len(rows) == 2
    page(type(rows)())


def test_a_search_marks_its_best():
    graph = network()
    tuned = tune(graph, samples(graph, 80), trials=3)
    assert isinstance(tuned, Tuned)
    assert tuned.best.shown_score in page(tuned).text
    assert all(outcome.shown_settings in page(tuned).text for outcome in tuned.front)
    lost = Outcome({"neurons": None}, None, 3.0, 7, 1.0, 1e-6)
    text = page(replace(tuned, best=lost, met=False)).text
    assert "no setting meets the target; the best: accuracy - in 7 steps" in text


def test_an_exported_file_has_a_page(compiled, tmp_path):
    graph = network()
    c = snnc.compile(graph, code="counted", steps=4)
    c.export(tmp_path / "net.nir", format="nir")
    report = c.verify_exported(tmp_path / "net.nir")
    assert "the file says the network: " in page(report).text
    text = page(replace(report, problems=("<b>no</b>",), layers=())).text
    assert "the file does not say the network" in text and "<b>no</b>" in text


def test_what_is_long_is_folded_up_and_cut():
    def rows(count):
        return shown("t", tables=[Table("layers", ("a", "b"), [("x", "1")] * count, "layers")])

    assert "<details open>" in rows(OPEN)
    assert "<details>" in rows(OPEN + 1)
    assert Page(rows(1000)).tags.count("tr") == ROWS + 1
    assert "and 900 more" in rows(1000)
    assert "details" not in rows(0)
    curve = shown("t", curve=Curve("c", [0.5] * 10**5, 1.0))
    assert len(curve) < 5000


def test_a_deep_network_stays_small():
    deep = chain(ops.Input(shape=(3,)), *[ops.Relu() for _ in range(400)])
    found = deep._repr_html_()
    assert len(found) < 1000 and "print(graph)" in found
    middling = chain(ops.Input(shape=(3,)), *[ops.Relu() for _ in range(200)])
    html = middling._repr_html_()
    assert 'svg class="graph"' in html and "<details>" in html and len(html) < 300_000
    few, many = (snnc.compile(chain(ops.Input(shape=(3,)), *[ops.Relu()] * n), level=0, verify=False) for n in (20, 40))
    assert calls(many._repr_html_) < 3 * calls(few._repr_html_)


def test_the_lines_of_a_curve_stay_in_their_picture():
    assert polyline([0, 0.5, 1], 10, 10) == "0,10 5,5 10,0"
    assert polyline([-5.0, math.nan, 2.0], 10, 10) == "0,10 10,0"
    assert polyline([0.25], 10, 10) == "0,7.5"
    assert polyline([], 10, 10) == ""
    points = polyline([0.5] * 1000, 10, 10).split()
    assert len(points) <= 11 and points[-1] == "10,5"


def test_an_empty_graph_has_a_page():
    assert "0 nodes" in page(snnc.Graph("empty")).text


def test_numbers_that_are_not_known_are_dashes(compiled):
    report = compiled.verify()
    assert isinstance(report, VerifyReport)
    assert "Keras" not in page(report).text
    page(
        replace(
            report, layers=(), outputs=(), agreement=None, agreement_interval=None, spiking=None, backend_error=math.nan
        )
    )
