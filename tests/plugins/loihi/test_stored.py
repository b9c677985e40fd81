"""The chip's numbers as the input of populations, and networks in which one part of the error is the largest."""

import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

import snnc
from snnc.api import evaluate_nodes, ops
from snnc.evaluation.cause import parts
from tests.plugins.loihi.graphs import conv, dense, row
from tests.plugins.loihi.networks import IGNORED

pytestmark = pytest.mark.filterwarnings(*IGNORED)
KINDS = ["loihi-soft-if{reach=256}", "loihi-signed-if", "loihi-relu", "loihi-lif"]


def samples(shape, count=40):
    return np.random.default_rng(0).uniform(0, 1, (count, *shape)).astype(np.float32)


def compiled(graph, x, **options):
    return snnc.compile(graph, backend="loihi", calibration=x, verify=False, **options)


def measured(c, x, steps=60):
    y = c.source.evaluate(x)["y"].argmax(axis=-1)
    return c.evaluate(x, y, steps=steps)


@pytest.mark.parametrize("synapse", [None, 0.002])
@pytest.mark.parametrize("kind", KINDS)
def test_inputs_are_those_of_the_graph_but_for_eight_bits(kind, synapse):
    flat = ops.Reshape(shape=(-1,))
    graph = row((6, 6, 1), conv(3, 1, 4), ops.Relu(), flat, dense(64, 12), ops.Relu(), dense(12, 3))
    x = samples((6, 6, 1))
    if kind.startswith("loihi-soft-if") and synapse:
        pytest.skip("these take no filter")
    c = compiled(graph, x, neurons=kind, **({"synapse": synapse} if synapse else {}))
    values = evaluate_nodes(c.graph, {"x": x}, {node.name for node in c.graph})
    stored = c.program.stored_inputs
    assert len(stored) == 2
    for name, of in stored.items():
        (source,) = c.graph.sources(name)
        size = np.sqrt(np.square(values[source]).mean())
        error = np.sqrt(np.square(of(values) - values[source]).mean()) / size
        assert 0 < error < 0.02, name


def outlier(large):
    """Return a model of small weights of which one in the second layer is large."""
    first, second, last = dense(16, 16), dense(16, 16), dense(16, 3)
    weight = second.weight / 8
    weight[0, 0] = large
    return row((16,), first, ops.Relu(), ops.Dense(weight=weight, bias=second.bias), ops.Relu(), last)


def test_weights_of_many_sizes_are_lost_in_eight_bits_and_the_layer_is_named():
    x = samples((16,))
    found = measured(compiled(outlier(100.0), x, neurons="loihi-soft-if{reach=64}"), x)
    ours = parts(found.layers[-1])
    assert max(ours, key=ours.get) == "weights" and ours["weights"] > 0.03
    assert parts(found.layers[1])["weights"] < 0.03
    alike = measured(compiled(outlier(0.1), x, neurons="loihi-soft-if{reach=64}"), x)  # the remedy: weights of one size
    assert parts(alike.layers[-1])["weights"] < ours["weights"] / 3


def test_a_current_that_reaches_far_leaves_weights_fewer_bits():
    x = samples((16,))
    graph = row((16,), dense(16, 16), ops.Relu(), dense(16, 3))
    near, far = (
        measured(compiled(graph, x, neurons=f"loihi-soft-if{{reach={reach}}}"), x).layers[1].lost["weights"]
        for reach in (64, 8192)
    )
    assert far > 3 * near


def test_what_is_faster_than_a_spike_a_step_is_clipped_and_slower_rates_mend_it():
    x = samples((16,))
    graph = row((16,), dense(16, 16), ops.Relu(), dense(16, 3))
    rates = "loihi-set-rates{percentile=60}"
    ours = parts(measured(compiled(graph, x, passes=[rates]), x).layers[1])
    assert max(ours, key=ours.get) == "clipping" and ours["clipping"] > 0.1
    slower = [
        parts(measured(compiled(graph, x, passes=[f"loihi-set-rates{{rate={rate} percentile=60}}"]), x).layers[1])
        for rate in (500, 100)
    ]
    assert slower[1]["clipping"] < slower[0]["clipping"] / 2 < ours["clipping"] / 2


@pytest.mark.parametrize(("kind", "part"), [("loihi-signed-if", "overshoot"), ("loihi-relu", "floor")])
def test_what_a_hard_reset_and_a_floor_forget_is_told_and_a_soft_reset_forgets_nothing(kind, part):
    x = samples((16,))
    second = dense(16, 16) if part == "overshoot" else ops.Dense(weight=4 * dense(16, 16).weight, bias=np.zeros(16))
    graph = row((16,), dense(16, 16), ops.Relu(), second, ops.Relu(), dense(16, 3))
    lost = measured(compiled(graph, x, neurons=kind), x).layers[-1].lost
    assert set(lost) == {"weights", "floor", "overshoot"}
    assert lost[part] > 0.1 and lost[part] > 5 * lost["weights"]
    assert set(measured(compiled(graph, x), x).layers[-1].lost) == {"weights"}


def test_the_engine_without_rounding_has_no_such_part():
    x = samples((16,))
    c = compiled(row((16,), dense(16, 16), ops.Relu(), dense(16, 3)), x)
    y = c.source.evaluate(x)["y"].argmax(axis=-1)
    assert all("weights" not in layer.lost for layer in c.evaluate(x, y, steps=20, engine="numpy").layers)
    assert "weights" in c.evaluate(x, y, steps=20).layers[1].lost


def test_what_a_bent_curve_clips_is_a_share_of_the_relu_that_it_stands_for():
    x = samples((16,))
    graph = row((16,), dense(16, 16), ops.Relu(), dense(16, 3))
    fast = ["loihi-set-rates{rate=1000 percentile=60}"]
    found = measured(compiled(graph, x, neurons="loihi-signed-if", passes=fast), x).layers[1]
    assert 0.5 < found.clipping < 1
