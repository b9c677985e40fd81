import numpy as np
import pytest
from snnc_loihi.models import STEP, LoihiSignedIf, LoihiSoftIf
from snnc_loihi.passes.cap import Cap
from snnc_loihi.passes.set_rates import SetRates

from snnc.api import Context, Neurons, evaluate, ops
from tests.plugins.loihi.graphs import dense, random, row

MODELS = {cls.kind: cls for cls in (LoihiSoftIf, LoihiSignedIf)}


def capped(graph, **options):
    after = graph.copy()
    Cap(**options).apply(after, Context(backend="loihi", neurons=MODELS))
    return after


@pytest.mark.parametrize("activation", [ops.Relu(max_value=6.0), ops.HardSigmoid(slope=0.2)])
def test_one_population_and_equal_outputs(activation):
    graph = row((5,), dense(5, 8), activation, dense(8, 3))
    after = capped(graph)
    (node,) = after.nodes(Neurons)
    assert node.op.model.capped
    x = 30 * random(16, 5)
    np.testing.assert_allclose(evaluate(after, {"x": x})["y"], evaluate(graph, {"x": x})["y"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "activation", [ops.Relu(), ops.Relu(max_value=6.0, negative_slope=0.1), ops.Relu(max_value=6.0, threshold=1.0)]
)
def test_other_activations_stay(activation):
    graph = row((5,), dense(5, 8), activation, dense(8, 3))
    assert capped(graph) == graph


def test_an_output_is_left_to_the_read_out_and_other_neurons_have_no_cap():
    output = row((5,), dense(5, 8), ops.Relu(max_value=6.0))
    assert capped(output) == output
    graph = row((5,), dense(5, 8), ops.Relu(max_value=6.0), dense(8, 3))
    assert capped(graph, neurons="loihi-signed-if") == graph
    (node,) = graph.nodes(ops.Relu)
    assert capped(graph, neurons={node.name: "loihi-signed-if", "*": "loihi-soft-if"}) == graph


def test_a_range_is_never_beyond_the_cap():
    graph = row((5,), dense(5, 8), ops.Relu(max_value=0.5), dense(8, 3))
    after = capped(graph)
    SetRates().apply(after, Context(backend="loihi", samples={"x": 30 * random(64, 5)}))
    (node,) = after.nodes(Neurons)
    np.testing.assert_allclose(node.op.scale, 0.5 * STEP)
    small = capped(graph)
    SetRates().apply(small, Context(backend="loihi", samples={"x": 0.01 * random(64, 5) * 0}))
    np.testing.assert_allclose(small.nodes(Neurons)[0].op.scale, 0.5 * STEP)  # a silent layer: any does
