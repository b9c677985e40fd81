from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import snnc
from snnc import ops
from snnc.engine.rate import evaluate_nodes
from snnc.errors import UsageError
from snnc.ir.graph import Graph
from snnc.neurons import SpikingRelu
from snnc.passes import pipeline
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.fit_activations import FitActivations
from snnc.passes.swap_activations import SwapActivations
from snnc.testing import apply, assert_same_outputs, chain, kinds

ACTIVATIONS = [
    *(ops.Swish(), ops.Gelu(), ops.Tanh(), ops.Sigmoid(), ops.Elu(), ops.Softplus(), ops.HardSwish(), ops.Mish()),
    *(ops.Selu(), ops.Softsign()),
]


def weights(*shape):
    return np.random.default_rng(shape).normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape).astype(np.float32)


def dense(inputs, units):
    return ops.Dense(weight=weights(inputs, units), bias=weights(units))


def conv(inputs, outputs, rank=2):
    ones = (1,) * rank
    return ops.Conv(kernel=weights(*(3,) * rank, inputs, outputs), bias=weights(outputs), strides=ones, dilation=ones)


def samples(shape, batch=300, seed=0):
    return {"x": np.random.default_rng(seed).normal(0, 3, (batch, *shape)).astype(np.float32)}


def network(activation, *, image=True):
    """Return a graph of a layer with an activation, and a layer behind it."""
    steps = (conv(2, 6), activation, conv(6, 4)) if image else (dense(8, 30), activation, dense(30, 4))
    return chain(ops.Input(shape=(7, 7, 2) if image else (8,)), *steps, names=["x", "linear", "act", "y"])


def fitted(graph, given=None, **options):
    return apply(FitActivations(**options), graph, samples=given or samples(graph["x"].type.shape))


def missed(before, after, seed=1):
    x = samples(before["x"].type.shape, seed=seed)
    wanted, got = (next(iter(g.evaluate(x).values())) for g in (before, after))
    return np.sqrt(np.mean((got - wanted) ** 2)) / wanted.std()


@pytest.mark.parametrize("image", [True, False], ids=["image", "vector"])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.kind)
def test_an_activation_becomes_relus_and_two_maps(activation, image):
    before = network(activation, image=image)
    after = fitted(before)
    assert activation.kind not in kinds(after)
    (relus,) = after.nodes(ops.Relu)
    assert relus.op.plain and relus.name == "act.relus" and relus.origin.layers == ("act",)
    assert after["act"].op.groups == after["act"].type.shape[-1]
    assert after["y"].type == before["y"].type
    assert missed(before, after) < 0.06


def test_error_chooses_the_number_of_relus_and_most_limits_it():
    before = network(ops.Tanh())
    sizes = {}
    for options in ({"error": 0.2}, {"error": 0.01}, {"error": 0.0, "most": 3}):
        after = fitted(before, **options)
        sizes[tuple(options.values())] = after["act.relus"].type.size // after["act"].type.size
    assert sizes[0.2,] < sizes[0.01,]
    assert sizes[0.0, 3] <= 5
    assert missed(before, fitted(before, error=0.01, most=20)) < 0.015


def test_a_note_says_where_most_is_too_few():
    notes = []
    apply(FitActivations(error=0.001, most=2), network(ops.Tanh()), samples=samples((7, 7, 2)), notes=notes)
    assert any("act (tanh): a sum of" in note and "most=4" in note for note in notes)


def test_drives_are_one_at_the_end_of_the_range():
    graph = fitted(network(ops.Swish()))
    drives = evaluate_nodes(graph, samples((7, 7, 2)), {"act.relus"})["act.relus"]
    largest = np.percentile(drives.reshape(-1, drives.shape[-1]), 99.9, axis=0)
    beyond = largest < 0.01  # of an end, where a few come only
    assert 0 < beyond.sum() <= len(beyond) / 3
    np.testing.assert_allclose(largest[~beyond], 1, atol=0.15)


def test_what_neurons_can_stand_for_stays():
    for neurons in ("sigma-delta", {"act": "none"}, "regular{base=tanh}"):
        before = network(ops.Tanh())
        assert fitted(before, neurons=neurons) == before
    assert "tanh" not in kinds(fitted(network(ops.Tanh()), neurons="soft-reset-if"))


@pytest.mark.parametrize(
    "op", [ops.Relu(), ops.Relu(max_value=6.0), ops.Softmax(), ops.Linear()], ids=lambda op: op.kind
)
def test_sums_of_relus_and_groups_stay(op):
    before = network(op)
    assert fitted(before) == before


def test_what_has_no_weights_in_front_of_it_stays():
    before = chain(ops.Input(shape=(8,)), ops.Tanh(), dense(8, 4), names=["x", "act", "y"])
    assert fitted(before) == before


def test_flattened_inputs_leave_one_reshape():
    shape = (7, 7, 2)
    steps = (conv(2, 6), ops.Reshape(shape=(-1,)), ops.Swish(), dense(150, 4))
    before = chain(ops.Input(shape=shape), *steps, names=["x", "linear", "flat", "act", "y"])
    after = fitted(before)
    assert missed(before, after) < 0.06
    assert kinds(after).count("reshape") == 2


def gate(broadcast=False):
    """Return a product of two branches; with ``broadcast`` one of them is a gate for each channel."""
    graph = chain(ops.Input(shape=(7, 7, 2)), conv(2, 6), ops.Tanh(), names=["x", "linear", "a"])
    source = graph.add("mean", ops.GlobalAvgPool(), ["a"]).name if broadcast else "linear"
    if broadcast:
        graph.add("squeeze", dense(6, 6), [source])
        source = graph.add("gates", ops.Reshape(shape=(1, 1, 6)), ["squeeze"]).name
    graph.add("b", ops.Sigmoid(), [source])
    graph.add("product", ops.Multiply(), ["a", "b"])
    graph.add("y", conv(6, 4), ["product"])
    graph.set_outputs({"y": "y"})
    return graph


@pytest.mark.parametrize("broadcast", [False, True])
def test_products_become_squares_where_they_are_asked_for(broadcast):
    before = gate(broadcast)
    assert "multiply" in kinds(fitted(before))
    after = fitted(before, squares=True)
    assert set(kinds(after)) <= {"input", "conv", "relu", "affine", "add", "reshape", "dense", "global-avg-pool"}
    assert missed(before, after) < 0.15


def test_a_product_with_a_constant_side_stays():
    graph = Graph("side")
    graph.add("x", ops.Input(shape=(8,)))
    graph.add("linear", dense(8, 8), ["x"])
    graph.add("product", ops.Multiply(), ["linear", "x"])
    graph.set_outputs({"y": "product"})
    assert fitted(graph, squares=True) == graph


@dataclass(frozen=True)
class Looks(Pass):
    """Remembers what calibration would aim at."""

    name: ClassVar[str] = "looks"
    stage: ClassVar[Stage] = Stage.CALIBRATE
    seen: ClassVar[list[Graph]] = []

    def apply(self, graph, context):
        self.seen.append(context.model)


@pytest.mark.parametrize("activation", [ops.Tanh(), ops.Relu()], ids=lambda a: a.kind)
def test_calibration_aims_at_the_activation_itself(activation):
    graph = network(activation)
    context = Context(samples=samples((7, 7, 2)), neurons={"spiking-relu": SpikingRelu})
    pipeline.run(graph, [FitActivations(), SwapActivations(), Looks()], context)
    model = Looks.seen.pop()
    assert ("tanh" in kinds(model)) == (activation.kind == "tanh")
    assert_same_outputs(graph, model, samples((7, 7, 2), seed=1))


def test_without_samples_it_is_fitted_to_made_inputs():
    graph = network(ops.Swish())
    c = snnc.compile(graph, neurons="soft-reset-if", level=2, passes=["fit-activations"], steps=32)
    assert "swish" not in {node.op.kind for node in c.graph}
    assert not c.census.host


@pytest.mark.parametrize("op", [ops.Tanh(), ops.SpikingActivation(activation=ops.Tanh())], ids=lambda op: op.kind)
def test_temporal_models_are_fitted_over_all_slices(op):
    before = chain(ops.Input(shape=(5,), dt=0.001), dense(5, 8), op, dense(8, 3), names=["x", "l", "act", "y"])
    given = {"x": np.random.default_rng(0).normal(size=(40, 12, 5)).astype(np.float32)}
    after = apply(FitActivations(), before, samples=given)
    wanted, got = (next(iter(g.evaluate(given).values())) for g in (before, after))
    assert got.shape == (40, 12, 3)
    assert op.kind not in kinds(after)
    np.testing.assert_allclose(got, wanted, atol=0.3)


@pytest.mark.parametrize("options", [{"error": -1.0}, {"most": 0}])
def test_bad_options_are_refused(options):
    with pytest.raises(UsageError, match="fit-activations"):
        FitActivations(**options)
