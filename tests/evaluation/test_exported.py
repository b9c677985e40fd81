"""What is wrong with an exported file is found, and what is rounding is not taken for it."""

from dataclasses import replace

import numpy as np
import pytest

import snnc
from snnc import neurons, ops
from snnc.evaluation.exported import compare_exported
from snnc.ir.graph import Graph
from snnc.ops.read_out_activation import ReadOutActivation
from snnc.samples import Samples

STEPS = 10


@pytest.fixture
def network(rng):
    """Return two populations behind each other, and a softmax of what is read out."""
    graph = Graph("net")
    weights = [rng.normal(size=size).astype(np.float32) for size in ((6, 8), (8, 7), (7, 3))]
    biases = [rng.normal(size=w.shape[1], scale=0.1).astype(np.float32) for w in weights]
    model = neurons.SoftResetIf(initial=0.5)
    name = graph.add("x", ops.Input(shape=(6,))).name
    for i, (w, b) in enumerate(zip(weights[:2], biases[:2], strict=True)):
        graph.add(f"dense{i}", ops.Dense(weight=w, bias=b), [name])
        name = graph.add(f"fired{i}", neurons.Neurons(model=model, scale=0.004), [f"dense{i}"]).name
    graph.add("dense2", ops.Dense(weight=weights[2], bias=biases[2]), [name])
    graph.add("softmax", ReadOutActivation(activation=ops.Softmax(axis=-1)), ["dense2"])
    graph.set_outputs({"out": "softmax"})
    return snnc.compile(graph, level=0, verify=False, steps=STEPS).exported


@pytest.fixture
def samples(rng):
    return Samples({"x": rng.uniform(size=(12, 6)).astype(np.float32)}, real=False)


def changed(network, name, **fields):
    """Return a network of which one node's op has other fields."""
    graph = network.graph.copy()
    graph.replace(name, replace(graph[name].op, **fields))
    return replace(network, graph=graph)


def test_a_network_is_like_itself(network, samples):
    report = compare_exported(network, network, samples, STEPS)
    assert report.passed and report.output_error == 0
    assert [(row.layer, row.differing, row.ties) for row in report.layers] == [("fired0", 0, 0), ("fired1", 0, 0)]
    assert all(row.spikes > 50 for row in report.layers)


def test_units_of_spikes_make_no_difference(network, samples):
    graph = network.graph.copy()
    for i in range(2):
        behind = graph[f"dense{i + 1}"].op
        before = graph[f"dense{i}"].op
        graph.replace(f"fired{i}", replace(graph[f"fired{i}"].op, scale=0.001))
        graph.replace(f"dense{i}", replace(before, weight=before.weight / 4, bias=before.bias / 4))
        graph.replace(f"dense{i + 1}", replace(behind, weight=behind.weight * 4))
    report = compare_exported(network, replace(network, graph=graph), samples, STEPS)
    assert report.passed and sum(row.differing for row in report.layers) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n, w: changed(n, "dense1", weight=w("dense1") * 1.25), "layer 'fired1': "),
        (lambda n, w: changed(n, "dense0", weight=w("dense0").T.reshape(6, 8)), "layer 'fired0': "),
        (lambda n, w: changed(n, "dense2", weight=w("dense2")[:, ::-1]), "the outputs differ by"),
        (lambda n, w: changed(n, "fired1", model=neurons.SoftResetIf(initial=0.0)), "layer 'fired1': its neurons"),
        (lambda n, w: changed(n, "fired0", model=neurons.SoftResetIf(gamma=2, initial=0.5)), "'fired0': its neurons"),
        (lambda n, w: changed(n, "softmax", activation=ops.Sigmoid()), "something else to what is read out"),
        (lambda n, w: replace(n, read_out="last{start=0.0}"), "read_out in the file is last"),
        (lambda n, w: replace(n, steps=11), "steps in the file is 11"),
        (lambda n, w: replace(n, dt=0.002), "dt in the file is 0.002"),
    ],
)
def test_what_was_changed_is_named(network, samples, change, message):
    spoilt = change(network, lambda name: network.graph[name].op.weight)
    report = compare_exported(network, spoilt, samples, STEPS)
    assert not report.passed
    assert any(message in problem for problem in report.problems), report.problems
    assert report.as_dict()["passed"] is False


def test_a_layer_that_is_missing_is_named(network, samples):
    graph = network.graph.copy()
    graph.remove("fired1")
    report = compare_exported(network, replace(network, graph=graph), samples, STEPS)
    assert report.problems == ("the file has other populations than the compiled network: 'fired1'",)


def test_a_voltage_at_the_threshold_is_a_tie(network, rng):
    """0.1 ten times is the threshold, or next to it: rounding decides, and what follows is left out."""
    graph = network.graph.copy()
    eye = np.eye(6, 8, dtype=np.float32)
    graph.replace("dense0", ops.Dense(weight=eye * 0.4, bias=np.zeros(8, dtype=np.float32)))
    mine = replace(network, graph=graph)
    theirs = changed(mine, "dense0", weight=eye * np.float32(0.4 * (1 - 2e-7)))
    x = Samples({"x": np.ones((3, 6), dtype=np.float32)}, real=False)
    mine = changed(mine, "fired0", model=neurons.SoftResetIf())
    theirs = changed(theirs, "fired0", model=neurons.SoftResetIf())
    report = compare_exported(mine, theirs, x, 10)
    first = report.layers[0]
    assert first.ties == 18 and first.differing == 0 and report.left_out == 3
    assert report.passed
