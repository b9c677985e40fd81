import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

import snnc
from snnc.api import LoweringError, Neurons, ops, simulate
from tests.plugins.loihi.graphs import conv, dense, row
from tests.plugins.loihi.networks import IGNORED

pytestmark = pytest.mark.filterwarnings(*IGNORED)


def compiled(graph, **options):
    x = np.random.default_rng(0).uniform(0, 1, (16, *graph[graph.inputs[0]].type.shape)).astype(np.float32)
    return snnc.compile(graph, backend="loihi", calibration=x, verify=False, **options), x


def counts(c, x, steps, *, chip=True):
    names = [node.name for node in c.graph if isinstance(node.op, Neurons)]
    if chip:
        return c.program.run({"x": x}, steps, watch=names).messages
    return simulate(c.graph, x, steps, window=slice(0, steps), watch=names).messages


def deep(layers=6):
    steps = [op for _ in range(layers) for op in (dense(10, 10), ops.Relu())]
    return row((10,), *steps, dense(10, 3))


def biased():
    """Return a network whose last layers are given little more than they subtract."""
    layer = ops.Dense(weight=np.eye(10, dtype=np.float32), bias=np.full(10, -0.12, dtype=np.float32))
    return row((10,), *[op for _ in range(6) for op in (layer, ops.Relu())], dense(10, 3))


def off(c, x):
    """Return by how many spikes each neuron is off numpy's, layer by layer, which come a step later each."""
    wanted = counts(c, x, 60, chip=False)
    return [np.abs(counts(c, x, 60 + d)[name] - n).mean() for d, (name, n) in enumerate(wanted.items())]


def test_on_the_chip_they_are_those_of_numpy_each_layer_a_step_later(monkeypatch):
    right = off(*compiled(deep()))
    assert right[0] == 0
    assert max(right) < 0.8  # of up to 60: weights have 8 bits
    # biases that begin with the first step leave something too much or too little for all time
    right = off(*compiled(biased()))
    monkeypatch.setattr("snnc_loihi.soft_reset._depths", lambda network: dict.fromkeys(network.all_ensembles, 1))
    wrong = off(*compiled(biased()))
    assert wrong[-1] > 2 * right[-1]


def test_each_layer_reads_its_biases_from_the_relay_of_its_depth():
    c, _ = compiled(deep(3))
    network = c.program.network
    (clock,) = (e for e in network.all_ensembles if e.label == "clock")
    read = {
        conn.post_obj.ensemble.label: conn.pre_slice.start
        for conn in network.all_connections
        if getattr(conn.pre_obj, "ensemble", None) is clock and conn.post_obj.ensemble is not clock
    }
    assert read == {"relu": 0, "relu_1": 1, "relu_2": 2}
    assert not any(np.any(e.bias) for e in network.all_ensembles if e.label in read)


def test_a_clock_where_no_layer_has_a_bias():
    graph = deep(2)
    for node in list(graph.nodes(ops.Dense)):
        graph.replace(node.name, ops.Dense(weight=node.op.weight, bias=np.zeros_like(node.op.bias)))
    c, _ = compiled(graph, skip=["loihi-calibrate"])
    assert "clock" not in [e.label for e in c.program.network.all_ensembles]


def test_a_layer_of_that_name():
    graph = row((10,), dense(10, 10))
    graph.add("clock", ops.Relu(), ["dense"])
    graph.set_outputs({"y": "clock"})
    c, _ = compiled(graph)
    labels = [e.label for e in c.program.network.all_ensembles]
    assert sorted(labels) == ["clock", "clock_", "x.spikes"]


def test_axons_are_of_one_kind():
    c, _ = compiled(
        row((6, 6, 1), conv(3, 1, 4), ops.Relu(), conv(2, 4, 6), ops.Relu(), ops.Reshape(shape=(-1,)), dense(54, 3))
    )
    kinds = {e.label: e.neuron_type for e in c.program.network.all_ensembles}
    assert kinds["relu"].by_population
    assert not kinds["relu_1"].by_population
    assert not [note for note in c.notes if note.startswith("hardware")]


def test_the_plan_is_what_nengo_loihi_counts():
    graph = row((12, 12, 2), conv(3, 2, 16, padding="same"), ops.Relu(), conv(3, 16, 24, strides=2), ops.Relu())
    c, _ = compiled(graph)
    planned = [block for layer in c.program.plan.layers for block in layer.blocks]
    built = [[used for used, _ in block.utilization().values()] for block in c.program.model.blocks]
    assert [[b.compartments, b.in_axons, b.out_axons, b.synapse_bits] for b in planned] == built
    assert len(built) > 3


def inhibited(neurons):
    graph = row((4,), dense(4, 4), ops.Relu(), dense(4, 2))
    op = graph["dense"].op
    graph.replace("dense", ops.Dense(weight=-np.abs(op.weight) - 1, bias=op.bias))
    return compiled(graph, neurons=neurons, scale=1000.0)


def test_a_current_holds_as_many_thresholds_as_it_should():
    for enough in ("loihi-soft-if{reach=2048}", "loihi-soft-if{reach=512 leak=128}"):
        c, x = inhibited(enough)
        c.program.run({"x": x}, 300)
    few, x = inhibited("loihi-soft-if{reach=64}")
    with pytest.raises(LoweringError, match=r"layer 'relu': the current .*; .*loihi-soft-if\{reach=512 leak=128\}"):
        few.program.run({"x": x}, 600)
    remedied, x = inhibited("loihi-soft-if{reach=512 leak=128}")
    remedied.program.run({"x": x}, 600)


def test_samples_say_how_much_a_current_leaks_and_it_never_leaves_its_range():
    graph = row((4,), dense(4, 4), ops.Relu(), dense(4, 2))
    op = graph["dense"].op
    graph.replace("dense", ops.Dense(weight=np.abs(op.weight), bias=np.array([1, 0, -3, -9], dtype=np.float32)))
    c, x = compiled(graph)
    (node,) = (n for n in c.graph if n.name == "relu")
    assert node.op.model.leak >= 16
    c.program.run({"x": x}, 3000)
