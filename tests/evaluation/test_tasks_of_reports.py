"""Public bug reports and practitioners' models: each is evaluated by the metric of its task, which nobody says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import snnc
from snnc.compiler import import_model
from snnc.errors import DataError
from tests.conftest import ROOT

REPORTS = ROOT.parent / "shared" / "models" / "reports"
FILES = sorted(path.name.removesuffix(".io.npz") for path in REPORTS.glob("*.io.npz"))


def labels_of(y: np.ndarray) -> tuple[np.ndarray, str]:
    """Return labels as people make them of outputs, and the measure that they ask for."""
    if y.shape[-1] > 1 and (y >= 0).all() and np.allclose(y.sum(axis=-1), 1, atol=1e-3):
        return y.argmax(axis=-1), "accuracy"
    if y.shape[-1] == 1 and ((y > 0) & (y < 1)).all():
        return (y > 0.5).astype(int), "accuracy"
    return y, "R2"


def report(name: str, shared: Path):
    (path,) = (p for p in (shared / "models" / "reports").glob(f"{name}.*") if p.suffix in (".keras", ".h5"))
    with np.load(shared / "models" / "reports" / f"{name}.io.npz") as stored:
        arrays = dict(stored)
    graph = import_model(path)
    x = {name: arrays[f"x{i}"] for i, name in enumerate(graph.inputs)}
    return graph, x, {name: arrays[f"y{i}"] for i, name in enumerate(graph.outputs)}


@pytest.mark.parametrize("name", FILES)
def test_every_report_is_evaluated_by_the_metric_of_its_task(name, shared, tmp_path):
    graph, x, outputs = report(name, shared)
    snnc.compile(graph, verify=False, build=False).save(tmp_path / "out")
    compiled = snnc.load(tmp_path / "out")
    given = {output: labels_of(y) for output, y in outputs.items()}
    found = compiled.evaluate({**x, **{f"y_{output}": y for output, (y, _) in given.items()}})
    assert [each.output for each in found.outputs] == list(outputs)
    for each in found.outputs:
        assert each.measure == given[each.output][1], each.said
        assert each.model_score == pytest.approx(1, abs=1e-5), each.said
        assert len(each.score_by_step) == found.steps


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("k2_regression", "k3_scalar_input")])
def test_the_largest_of_several_numbers_may_be_asked_for_too(name, shared):
    graph, x, outputs = report(name, shared)
    compiled = snnc.compile(graph, level=1, scale=200, verify=False, build=False)
    labels = {output: y.argmax(axis=-1) if y.shape[-1] > 1 else y > 0.5 for output, y in outputs.items()}
    found = compiled.evaluate(x, labels, steps=3)
    assert [each.measure for each in found.outputs] == ["accuracy"] * len(outputs)
    assert all(each.model_score > 0.9999 for each in found.outputs)


def test_a_dict_of_outputs_has_labels_by_its_keys_and_none_is_judged_in_silence(shared):
    graph, x, outputs = report("k2_multi_out_dict", shared)
    assert (graph.inputs, graph.outputs) == (("img", "meta"), ("box", "cls"))
    compiled = snnc.compile(graph, level=1, scale=200, verify=False, build=False)
    classes = outputs["cls"].argmax(axis=1)
    with pytest.raises(DataError, match=r"2 outputs \(box, cls\): name the labels y_OUTPUT"):
        compiled.evaluate({**x, "y": classes}, steps=3)
    found = compiled.evaluate({**x, "y": classes}, steps=3, output="cls")
    assert (found.output, found.task, found.model_accuracy) == ("cls", "classes", 1.0)
    assert found.outputs[0].metrics == {} and found.outputs[0].error is not None
