"""The layer that loses most, how, and what helps."""

import numpy as np
import pytest

import snnc
from snnc import neurons, ops
from snnc.analysis.stored import StoredInput
from snnc.engine.simulate import simulate
from snnc.evaluation.cause import cause, lost_names, parts
from snnc.evaluation.layers import LayerEvaluation, Layers
from snnc.samples import Samples
from snnc.testing import chain
from tests.conftest import dense

DT = 0.0009765625


def row(layer, **errors):
    zeros = {name: 0.0 for name in LayerEvaluation.__dataclass_fields__ if name not in ("layer", "lost")}
    return LayerEvaluation(layer=layer, **{**zeros, "lost": {}, **errors})


def test_nothing_is_named_where_little_is_lost():
    assert cause([row("a", clipping=0.9)], 1.0, {}) is None
    assert cause([row("a", clipping=0.04, timing=0.04)], 9.0, {}) is None
    assert cause([], 9.0, {}) is None


@pytest.mark.parametrize("part", ["clipping", "quantisation"])
def test_the_layer_that_loses_most_alone_is_named_with_what_helps(part):
    rows = [row("a", timing=0.1), row("b", **{part: 0.3}, quantised=0.5, timing=0.2), row("c", lost={"weights": 0.25})]
    said = cause(rows, 2.0, {})
    assert said.startswith(f"layer 'b' loses most, 30% of its activations by {part}; try ")
    assert cause(rows, 2.0, {part: "THIS"}).endswith("; try THIS")
    assert cause(rows, 2.0, {"weights": "OTHER"}) == said


def test_timing_counts_where_it_grows_not_where_it_has_come_together():
    rows = [row("a", timing=0.2), row("b", timing=0.6), row("c", timing=0.65, lost={"floor": 0.1})]
    assert cause(rows, 2.0, {}) == "layer 'b' loses most, 40% of its activations by timing; try more --steps"


def test_what_has_no_remedy_gets_none():
    assert cause([row("a", lost={"floor": 0.5})], 2.0, {}) == "layer 'a' loses most, 50% of its activations by floor"


def test_only_parts_that_are_known_count_and_columns_are_those_of_any_layer():
    rows = [
        row("a", clipping=None, quantisation=None, timing=None, lost={"weights": 0.2}),
        row("b", lost={"floor": 0.1}),
    ]
    assert parts(rows[0]) == {"weights": 0.2}
    assert lost_names(rows) == ("weights", "floor")
    assert "by weights" in cause(rows, 2.0, {})


class Coarse(StoredInput):
    """Weights of a Dense layer in whole steps of a half."""

    def __init__(self, op, source):
        self.sources, self.op = (source,), op

    def __call__(self, values):
        return np.float32(values[self.sources[0]] @ (np.round(self.op.weight * 2) / 2) + self.op.bias)


def layers(graph, stored, x, steps=64):
    found = Layers(graph, steps, slice(0, steps), DT, stored)
    samples = Samples({"x": x})
    found.add(samples, simulate(graph, {"x": x}, steps, window=slice(0, steps), dt=DT, watch=["a", "b"]))
    return found


@pytest.fixture
def graph(rng):
    fire = neurons.Neurons(model=neurons.SoftResetIf(initial=0.5), scale=4 * DT)
    return chain(
        ops.Input(shape=(4,)), dense(rng, 4, 6), fire, dense(rng, 6, 5), fire, names=["x", "d1", "a", "d2", "b"]
    )


def test_numbers_as_stored_are_a_part_of_their_own_and_of_what_has_come_together(rng, graph):
    x = np.float32(rng.uniform(0, 1, (20, 4)))
    plain, coarse = (layers(graph, stored, x).sums["b"] for stored in ({}, {"b": Coarse(graph["d2"].op, "a")}))
    fine, bias = graph["d2"].op.weight, graph["d2"].op.bias
    a = np.maximum(x @ graph["d1"].op.weight + graph["d1"].op.bias, 0)
    ours, theirs = (np.maximum(a @ weight + bias, 0) for weight in (fine, np.round(fine * 2) / 2))
    assert coarse.weights == pytest.approx(np.square(ours - theirs, dtype=np.float64).sum(), rel=1e-4)
    assert plain.weights == 0 and coarse.error == plain.error  # the run is the same
    assert coarse.quantised > 10 * plain.quantised
    assert coarse.timing > plain.timing


def test_what_has_come_together_and_timing_bound_the_error(rng, graph):
    """Square roots: the triangle's inequality, both ways."""
    x = np.float32(rng.uniform(0, 1, (20, 4)))
    for sums in layers(graph, {"b": Coarse(graph["d2"].op, "a")}, x).sums.values():
        quantised, timing, error = (np.sqrt(v) for v in (sums.quantised, sums.timing, sums.error))
        assert abs(quantised - timing) - 1e-6 <= error <= quantised + timing + 1e-6


def test_an_evaluation_says_it_in_words(rng):
    graph = chain(ops.Input(shape=(8,)), dense(rng, 8, 16, ops.Relu()), dense(rng, 16, 3), names=["x", "hidden", "out"])
    x = np.float32(rng.normal(size=(60, 8)))
    y = graph.evaluate({"x": x})["out"].argmax(axis=1)
    c = snnc.compile(graph, neurons="soft-reset-if", scale=2000.0, verify=False)
    found = c.evaluate(x, y, steps=20)
    assert found.drop > 1
    assert found.cause.startswith("layer 'hidden' loses most, ")
    assert " by clipping; try a smaller --scale" in found.cause
    assert repr(found).endswith("(gamma).>")
    assert c.evaluate(x, y, steps=20)._repr_html_().count("by clipping") == 1
    mended = snnc.compile(graph, neurons="soft-reset-if", scale=50.0, verify=False).evaluate(x, y, steps=400)
    assert mended.cause is None and mended.drop <= 1
