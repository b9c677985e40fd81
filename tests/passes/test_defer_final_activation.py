import numpy as np
import pytest

from snnc import neurons, ops
from snnc.analysis.census import census
from snnc.ir.graph import Graph
from snnc.ops.read_out_activation import ReadOutActivation, stepwise
from snnc.passes.base import Context
from snnc.passes.decompose_activations import DecomposeActivations
from snnc.passes.defer_final_activation import DeferFinalActivation
from snnc.passes.pipeline import run
from snnc.passes.swap_activations import SwapActivations
from snnc.testing import apply, assert_same_outputs, chain, kinds, random_inputs
from tests.conftest import conv, dense

MODELS = {model.kind: model for model in neurons.MODELS}
NORM = (
    ops.Standardize(axes=(0,)),
    ops.Affine(scale=np.array([1, 2, 3], dtype=np.float32), shift=np.ones(3, dtype=np.float32)),
)


def deferred(graph):
    return [node.name for node in graph.nodes(ReadOutActivation)]


def test_a_final_softmax_leaves_the_time_loop_and_keeps_its_meaning(rng):
    before = chain(ops.Input(shape=(4,)), dense(rng, 4, 3), ops.Softmax(), names=["x", "logits", "out"])
    after = apply(DeferFinalActivation(), before)
    assert after["out"].op == ReadOutActivation(activation=ops.Softmax())
    assert_same_outputs(before, after)
    x = random_inputs(before)
    running = stepwise(after)
    assert kinds(running) == ["input", "dense"]
    assert np.allclose(running.evaluate(x)["out"], chain(*(n.op for n in list(before)[:2])).evaluate(x["x"])["dense"])


@pytest.mark.parametrize(
    "end",
    [
        (ops.Tanh(),),
        (ops.Sigmoid(),),
        (ops.UnitNorm(axes=(0,)),),
        (*NORM, ops.Softmax()),
        (*NORM, ops.Relu()),
        (ops.Max(axes=(0,)),),
        (ops.Relu(threshold=0.5),),
    ],
)
def test_everything_from_the_first_nonlinear_op_behind_the_last_weights_on_is_deferred(rng, end):
    before = chain(ops.Input(shape=(4,)), dense(rng, 4, 5), ops.Relu(), dense(rng, 5, 3), *end)
    after = apply(DeferFinalActivation(), before)
    assert len(deferred(after)) == len(end)
    assert kinds(stepwise(after)) == ["input", "dense", "relu", "dense"]
    assert not [row for row in census(after).host if "relu" not in row]
    assert_same_outputs(before, after)


@pytest.mark.parametrize(
    "end", [ops.Relu(), ops.Relu(max_value=6.0), ops.HardSigmoid(slope=0.2), ops.Reshape(shape=(3, 1))]
)
def test_a_final_relu_or_sum_of_relus_is_left_to_neurons_and_what_is_linear_is_read_in_every_step(rng, end):
    before = chain(ops.Input(shape=(4,)), dense(rng, 4, 3), end)
    assert apply(DeferFinalActivation(), before) == before


def test_a_nonlinearity_with_weights_or_neurons_behind_it_stays(rng):
    graph = Graph()
    graph.add("x", ops.Input(shape=(3,)))
    graph.add("soft", ops.Softmax(), ["x"])
    graph.add("more", dense(rng, 3, 3), ["soft"])
    graph.set_outputs({"soft": "soft", "more": "more"})
    assert apply(DeferFinalActivation(), graph) == graph
    graph = chain(ops.Input(shape=(4,)), ops.Tanh(), neurons.Neurons(model=neurons.SpikingRelu(), scale=1.0))
    assert apply(DeferFinalActivation(), graph) == graph


def ensemble(rng):
    """Return a model of two heads whose softmaxes are averaged, and of which one and its logits are outputs, too."""
    graph = Graph()
    graph.add("x", ops.Input(shape=(4,)))
    graph.add("body", dense(rng, 4, 5), ["x"])
    graph.add("relu", ops.Relu(), ["body"])
    for head in "ab":
        graph.add(f"{head}.logits", dense(rng, 5, 3), ["relu"])
        graph.add(head, ops.Softmax(), [f"{head}.logits"])
    graph.add("sum", ops.Add(), ["a", "b"])
    graph.add("mean", ops.Affine(scale=np.full(1, 0.5, np.float32), shift=np.zeros(1, np.float32)), ["sum"])
    graph.set_outputs({"average": "mean", "first": "a", "logits": "a.logits"})
    return graph


def test_branches_and_several_outputs_are_deferred_together(rng):
    before = ensemble(rng)
    context = Context(neurons=MODELS)
    after, _ = run(before, [DeferFinalActivation()], context)
    assert deferred(after) == ["a", "b", "sum", "mean"]
    assert_same_outputs(before, after)
    (note,) = context.notes
    assert "softmax of 'a', softmax of 'b', add of 'sum', affine of 'mean'" in note
    running = stepwise(after)
    logits = running.evaluate(random_inputs(before))
    assert list(running.outputs) == ["average.1", "average.2", "logits"]
    assert np.array_equal(logits["average.1"], logits["logits"])


def test_neurons_that_are_chosen_for_a_final_activation_by_name_take_it_back(rng):
    before = chain(ops.Input(shape=(4,)), dense(rng, 4, 3), ops.Tanh(), ops.UnitNorm(axes=(0,)), names=["x", "d", "t"])
    plan = [DeferFinalActivation(), DecomposeActivations()]
    after, _ = run(before, [*plan, SwapActivations(neurons={"t": "tanh"})], Context(neurons=MODELS))
    assert after["t"].op.model.kind == "tanh"
    assert deferred(after) == ["unit-norm"]
    for others in ("spiking-relu", "tanh", {"t": "none"}):
        after, _ = run(before, [*plan, SwapActivations(neurons=others)], Context(neurons=MODELS))
        assert deferred(after) == ["t", "unit-norm"]


def test_in_a_temporal_model_what_has_neurons_of_its_own_name_stays_in_every_step(rng):
    for op, left in ((ops.Tanh(), []), (ops.Softmax(), ["end"])):
        before = chain(ops.Input(shape=(4,), dt=0.001), dense(rng, 4, 3), op, names=["x", "d", "end"])
        after, _ = run(before, [DeferFinalActivation()], Context(neurons=MODELS))
        assert deferred(after) == left


def test_a_map_may_be_deferred_and_an_input_read(rng):
    graph = Graph()
    graph.add("x", ops.Input(shape=(5, 5, 1)))
    graph.add("map", conv(rng, (3, 3), 1, 1, padding="same"), ["x"])
    graph.add("gate", ops.Sigmoid(), ["map"])
    graph.add("y", ops.Multiply(), ["gate", "x"])
    graph.set_outputs({"y": "y"})
    after = apply(DeferFinalActivation(), graph)
    assert deferred(after) == ["gate", "y"]
    assert kinds(stepwise(after)) == ["input", "conv", "identity"]
    assert_same_outputs(graph, after)
