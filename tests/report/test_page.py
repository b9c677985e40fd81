"""The report as a file: complete, escaped, closed to the outside, and for every kind of network."""

import base64
import hashlib
import json
import re
import sys

import numpy as np
import pytest

import snnc
from snnc import cli, neurons, ops
from snnc.comparison import compare
from snnc.errors import MissingExtraError, UsageError
from snnc.ops.causal import LastStep, Running
from snnc.report import comparison_html
from snnc.testing import chain
from tests.conftest import dense

pytest.importorskip("vl_convert")
pytest.importorskip("PIL")


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(3)
    return chain(
        ops.Input(shape=(8, 8, 1)),
        ops.Reshape(shape=(64,)),
        dense(rng, 64, 12, ops.Relu()),
        dense(rng, 12, 9, ops.Tanh()),
        dense(rng, 9, 3),
        names=["image", "flat", "first", "second", "out"],
    )


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(4).random((40, 8, 8, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def y(model, x):
    return model.evaluate({"image": x})["out"].argmax(axis=1)


@pytest.fixture(scope="module")
def compiled(model, x):
    return snnc.compile(model, calibration=x)


@pytest.fixture(scope="module")
def page(compiled, x, y):
    return compiled.report_html(x, y)


def charts(page):
    return json.loads(re.search(r'id="charts">(.*?)</script>', page, re.DOTALL).group(1))


def text(page):
    """Return the page without its script, which is Vega's."""
    return re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)


def complete(page):
    """Check what holds of any page; return its charts."""
    drawn = charts(page)
    assert set(re.findall(r'data-chart="([^"]*)"', page)) == set(drawn)
    ids = re.findall(r'\bid="([^"]*)"', text(page))
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in re.findall(r'href="([^"]*)"', text(page))} <= set(ids)
    assert "None" not in re.sub(r"<[^>]*>", "", text(page).replace(json.dumps(drawn), ""))
    return drawn


def test_every_chart_has_its_place_and_every_link_leads_somewhere(page):
    drawn = complete(page)
    assert {"score-0", "rates", "errors", "energy", "raster-0", "output-5"} <= set(drawn)
    assert sum(name.startswith("points-") for name in drawn) == 2


def test_it_loads_nothing_and_its_policy_allows_its_own_script_and_style_alone(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    script, style = (re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL).group(1) for tag in ("script", "style"))
    hashes = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (script, style)]
    assert policy.replace("&#39;", "'").split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-{hashes[0]}'",
        f"style-src 'sha256-{hashes[1]}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not re.findall(r'\s(?:src|href)="(?!#|data:image/png;base64,)', text(page))
    assert " style=" not in text(page) and "url(" not in style


def test_it_tells_what_the_evaluation_found(page, compiled, x, y):
    found = compiled.evaluate(x, y)
    shown = " ".join(re.sub(r"<[^>]*>", " ", text(page)).split())
    assert f"accuracy {found.accuracy:.2%} after {found.steps} steps" in shown
    for row in found.layers:
        assert row.layer in shown and f"{row.spikes:,.0f}" in shown
    values = charts(page)["score-0"]["data"]["values"]
    assert [row["score"] for row in values] == pytest.approx(list(found.accuracy_by_step), rel=1e-3)
    assert all(row["low"] <= row["score"] <= row["high"] for row in values)
    assert "swap-activations" in shown and "first" in shown


def test_the_raster_holds_the_spikes_of_a_run(page, compiled, x):
    (layer, numbers, spikes) = charts(page)["raster-0"]["usermeta"]["rasters"][0]
    assert layer == compiled.census.populations[0]
    assert len(numbers) <= 12
    steps = compiled.default_steps
    _, traced = compiled.engine("numpy").trace({"image": x[:1]}, steps, [layer])
    wanted = {(t + 1, n) for t, n in zip(*np.nonzero(traced[layer].reshape(steps, -1)), strict=True)}
    assert {(spikes[i], numbers[spikes[i + 1]]) for i in range(0, len(spikes), 3)} == wanted


def test_the_same_twice_is_the_same_page(page, compiled, x, y):
    assert compiled.report_html(x, y) == page


def test_samples_are_chosen_or_named(compiled, x, y):
    page = compiled.report_html(x, y, chosen=[7, 3, 7])
    assert re.findall(r"<h3>Sample (\d+)", page) == ["7", "3"]
    with pytest.raises(UsageError, match="sample 40: there are samples 0 to 39"):
        compiled.report_html(x, y, chosen=[40])


def test_images_are_shown_and_vectors_are_not(page, x, rng):
    assert len(set(re.findall(r'src="(data:image/png;base64,[^"]*)"', page))) == 6
    graph = chain(ops.Input(shape=(5,)), dense(rng, 5, 4, ops.Relu()), dense(rng, 4, 2), names=["x", "hidden", "out"])
    few = rng.random((9, 5)).astype(np.float32)
    assert "<img" not in text(snnc.compile(graph).report_html(few, np.zeros(9, int)))


def test_without_labels_the_model_is_what_is_right(compiled, x):
    page = compiled.report_html(x)
    complete(page)
    assert "There were no labels" in page
    found = compiled.evaluate(x, compiled.source.evaluate({"image": x})["out"].argmax(axis=1))
    assert f"accuracy {found.agreement:.2%}" in page


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "</script><b>", "a\"b'c", "ünïcode näme", "x" * 300])
def test_names_are_text(name, rng):
    graph = chain(
        ops.Input(shape=(3,)), dense(rng, 3, 4, ops.Relu()), dense(rng, 4, 2), names=["x", name, f"{name} out"]
    )
    graph.name = name
    page = snnc.compile(graph).report_html(rng.random((9, 3)).astype(np.float32))
    complete(page)
    assert "<b>" not in page and "<script>alert" not in page
    assert page.count("<script") == page.count("</script>") == 2


def test_values_have_an_r2(rng):
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 8, ops.Relu()), dense(rng, 8, 2), names=["x", "hidden", "out"])
    x = rng.normal(size=(30, 3)).astype(np.float32)
    page = snnc.compile(graph, calibration=x, task="regression").report_html(
        x, graph.evaluate({"x": x})["out"], task="regression"
    )
    assert charts(page)["score-0"]["layer"][-2]["encoding"]["y"]["title"] == "R2"
    complete(page)


def test_several_outputs_have_a_score_each(rng):
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 8, ops.Relu()), dense(rng, 8, 2), names=["x", "hidden", "out"])
    graph.add("other", dense(rng, 8, 4), ["hidden"])
    graph.set_outputs({"out": "out", "other": "other"})
    x = rng.normal(size=(30, 3)).astype(np.float32)
    page = snnc.compile(graph).report_html(x, {"out": np.zeros(30, int), "other": np.arange(30) % 4})
    assert {"score-0", "score-1"} <= set(complete(page))
    assert {"score-0"} == {
        name
        for name in complete(snnc.compile(graph).report_html(x, np.zeros(30, int), output="out"))
        if "score" in name
    }


def test_a_sequence_is_shown_slice_by_slice(rng):
    parts = [ops.Input(shape=(3,), dt=0.002), dense(rng, 3, 4, ops.Relu()), Running(), LastStep(), dense(rng, 4, 2)]
    graph = chain(*parts, names=["x", "hidden", "run", "last", "y"])
    x = rng.normal(size=(12, 6, 3)).astype(np.float32)
    complete(snnc.compile(graph).report_html(x))


@pytest.mark.parametrize("level", [0, 1])
def test_a_network_that_does_not_spike_or_is_silent(level, rng):
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 4), names=["x", "out"])
    x = rng.normal(size=(9, 3)).astype(np.float32)
    page = snnc.compile(graph, level=level).report_html(x)
    assert "Nothing in this network spikes." in page
    complete(page)
    silent = chain(
        ops.Input(shape=(3,)),
        ops.Dense(weight=np.zeros((3, 4)), bias=np.full(4, -1.0), activation=ops.Relu()),
        dense(rng, 4, 2),
        names=["x", "hidden", "out"],
    )
    page = snnc.compile(silent, level=level, scale=100.0).report_html(x, np.zeros(9, int), 5)
    assert "The network is silent" in page
    complete(page)


def test_rate_neurons_and_values_that_are_no_numbers(rng):
    graph = chain(
        ops.Input(shape=(3,)),
        neurons.Neurons(model=neurons.SoftResetIf(), scale=1e30),
        dense(rng, 3, 2),
        names=["x", "fire", "out"],
    )
    complete(snnc.compile(graph, level=0).report_html(np.full((9, 3), 3e38, np.float32), np.arange(9) % 2, 3))


def test_networks_side_by_side(compiled, model, x, y):
    both = {"graded": compiled, "<b>": snnc.compile(model, scale=100.0, steps=5)}
    rows = compare(both, {"image": x, "y": y})
    page = comparison_html(rows)
    drawn = complete(page)
    assert {row["network"] for row in drawn["score"]["data"]["values"]} == {"graded", "<b>"}
    assert "<b>" not in text(page).replace("\\u003cb>", "")
    assert max(row["step"] for row in drawn["score"]["data"]["values"]) == 5


def test_without_the_extra_the_error_says_what_to_install(compiled, x, monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    from snnc.report.page import script

    script.cache_clear()
    with pytest.raises(MissingExtraError, match=r"snnc\[report\]"):
        compiled.report_html(x)


def test_the_command_writes_one_file_and_never_over_another(compiled, x, y, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    compiled.save("out")
    np.savez("x.npz", x=x, y=y)
    line = ["report", "out", "--inputs", "x.npz", "-o", "report.html", "--limit", "20"]
    assert cli._run(line) == 0
    first = (tmp_path / "report.html").read_text()
    assert "On 20 samples" in first
    assert cli._run(line) == 0  # a result of snnc is replaced
    (tmp_path / "mine.html").write_text("mine")
    assert cli._run([*line[:-3], "mine.html"]) == 2
    assert cli._run([*line, "--sample", "20"]) == 2
    assert cli._run([*line, "--sample", "-1"]) == 2
    assert (tmp_path / "mine.html").read_text() == "mine"
    assert (tmp_path / "report.html").read_text() == first
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
