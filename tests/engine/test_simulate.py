"""The evaluator: what it records, that parts and seeds do what they should, and what is computed once only."""

from functools import partial
from typing import ClassVar

import numpy as np
import pytest

from snnc import neurons, ops
from snnc.engine import schedule, simulate
from snnc.errors import DataError
from snnc.ir.graph import Graph
from snnc.ops.read_out_activation import ReadOutActivation
from snnc.passes.carry_changes import CarryChanges
from snnc.testing import apply, chain, in_binary, random_inputs

STEPS, WINDOW = 30, slice(10, 30)
SPIKING = neurons.Neurons(model=neurons.SpikingRelu(), scale=1 / 256)


@pytest.fixture
def network(rng):
    kernel, bias = in_binary(rng, 2, 2, 2, 3), in_binary(rng, 3)
    conv = ops.Conv(kernel=kernel, bias=bias, strides=(1, 1), dilation=(1, 1))
    dense = ops.Dense(weight=in_binary(rng, 27, 4), bias=in_binary(rng, 4))
    stochastic = neurons.Neurons(model=neurons.Stochastic(), scale=1 / 256)
    flat = ops.Reshape(shape=(-1,))
    names = ["x", "conv.linear", "conv", "flat", "dense.linear", "dense"]
    return chain(ops.Input(shape=(4, 4, 2)), conv, SPIKING, flat, dense, stochastic, names=names)


def test_outputs_means_and_totals_are_of_the_same_run(network, rng):
    x = in_binary(rng, 5, 4, 4, 2)
    done = simulate.simulate(network, x, STEPS, window=WINDOW, watch=["dense", "conv", "conv.linear"])
    y = done.outputs["dense"]
    assert y.shape == (5, STEPS, 4)
    assert np.allclose(done.totals["dense"], np.abs(y).sum(axis=1))
    assert np.allclose(done.means["dense"], y[:, WINDOW].mean(axis=1))
    assert np.allclose(done.means["conv.linear"], network["conv.linear"].op.evaluate(x))
    assert done.totals["conv"].shape == (5, 3, 3, 3)


def test_without_outputs_only_what_the_watched_nodes_need_is_run(network, rng, monkeypatch):
    x = in_binary(rng, 2, 4, 4, 2)
    whole = simulate.simulate(network, x, STEPS, window=WINDOW, watch=["conv"])
    monkeypatch.setattr(ops.Dense, "evaluate", None)
    part = simulate.simulate(network, x, STEPS, window=WINDOW, watch=["conv"], outputs=False)
    assert part.outputs == {}
    assert np.array_equal(part.means["conv"], whole.means["conv"])


def test_a_sample_gives_the_same_in_any_part_of_any_batch(network, rng, monkeypatch):
    x = in_binary(rng, 7, 4, 4, 2)
    want = simulate.simulate(network, x, STEPS, window=WINDOW, watch=["conv"])
    alone = simulate.simulate(network, x[3:4], STEPS, window=WINDOW).outputs["dense"]
    assert np.array_equal(alone[0], want.outputs["dense"][3])
    monkeypatch.setattr(simulate, "FEWEST", 1)
    monkeypatch.setattr(simulate, "MOST", 1)
    one_by_one = simulate.simulate(network, x, STEPS, window=WINDOW, watch=["conv"])
    for table in ("outputs", "means", "totals"):
        for name, value in getattr(want, table).items():
            assert np.array_equal(getattr(one_by_one, table)[name], value)


def test_the_seed_decides(network, rng):
    x = in_binary(rng, 2, 4, 4, 2)
    first, again, other = (
        simulate.simulate(network, x, STEPS, window=WINDOW, seed=seed).outputs["dense"] for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_populations_of_the_same_shape_start_differently():
    g = chain(ops.Input(shape=(50,)), SPIKING, SPIKING, names=["x", "a", "b"])
    types = (g["x"].type,)
    a, b = (simulate.initial_state(g[name], types, 0)["voltage"] for name in ("a", "b"))
    assert not np.array_equal(a, b)
    assert np.array_equal(a, simulate.initial_state(g["a"], types, 0)["voltage"])


def test_what_does_not_change_is_computed_once(network, rng, monkeypatch):
    calls = []
    for cls in (ops.Conv, ops.Dense):
        original = cls.evaluate
        monkeypatch.setattr(cls, "evaluate", lambda self, *x, f=original: calls.append(self.kind) or f(self, *x))
    simulate.simulate(network, in_binary(rng, 1, 4, 4, 2), STEPS, window=WINDOW)
    assert (calls.count("conv"), calls.count("dense")) == (1, STEPS)


def test_rate_neurons_without_a_state_are_functions_and_those_with_one_adapt():
    x = np.float32([[2.0, -1.0]])
    for model, steady in ((neurons.LifRate(), True), (neurons.AdaptiveLifRate(tau_n=0.02), False)):
        g = chain(ops.Input(shape=(2,)), neurons.Neurons(model=model, scale=0.02))
        y = simulate.simulate(g, x, STEPS, window=WINDOW).outputs["neurons"][0]
        assert (len(np.unique(y[:, 0])) == 1) is steady
        assert not y[:, 1].any()


def test_a_graph_that_never_changes_repeats_itself_and_deferred_activations_wait(rng):
    g = chain(ops.Input(shape=(3,)), ops.Dense(weight=in_binary(rng, 3, 4), bias=in_binary(rng, 4)), names=["x", "d"])
    g.insert_after("d", "soft", ReadOutActivation(activation=ops.Softmax()))
    x = random_inputs(g, 2)
    y = simulate.simulate(g, x, 3, window=slice(0, 3)).outputs["d"]
    assert all(np.array_equal(y[:, t], y[:, 0]) for t in range(3))
    assert np.abs(y).max() > 1


def test_inputs_that_do_not_fit_are_an_error(network):
    with pytest.raises(DataError, match="input 'x' needs shape"):
        simulate.simulate(network, np.zeros((1, 4, 4)), 1, window=slice(0, 1))


def test_a_graph_of_several_inputs_and_outputs(rng):
    g = Graph()
    g.add("a", ops.Input(shape=(3,)))
    g.add("b", ops.Input(shape=(3,)))
    g.add("sum", ops.Add(), ["a", "b"])
    g.add("n", SPIKING, ["sum"])
    g.set_outputs({"spikes": "n", "values": "sum"})
    x = random_inputs(g, 3)
    done = simulate.simulate(g, x, 200, window=slice(0, 200))
    assert np.allclose(done.outputs["values"][:, 7], x["a"] + x["b"])
    assert np.allclose(done.outputs["spikes"].mean(axis=1), np.maximum(x["a"] + x["b"], 0), atol=0.05)


class Delayed(simulate.External):
    """The nodes ``conv`` and ``flat`` of another computer, which gives each input of ``conv`` a step later, doubled."""

    def __init__(self):
        self.reads = {"conv": ["x"], "flat": []}
        self.drives = 0

    def start(self, batch):
        return DelayedStepper(self, batch)


class DelayedStepper(simulate.Stepper):
    def __init__(self, whole, batch):
        self.whole, self.last, self.now = whole, np.zeros((batch, 3, 3, 3), np.float32), None

    def drive(self, name, values):
        self.whole.drives += name == "conv"
        return 2 * values["x"][:, :3, :3, :1].repeat(3, axis=-1) if name == "conv" else None

    def step(self, name, drive):
        if name == "conv":
            self.now = drive + self.last
        return self.now if name == "conv" else self.last.reshape(-1, 27)

    def finish(self, values, watch):
        self.last = values["conv"]
        return {name: self.last.reshape(-1, 27) for name in watch if name == "flat"}


def test_nodes_can_be_computed_by_something_else(network, rng):
    x = in_binary(rng, 4, 4, 4, 2)
    other = Delayed()
    window = slice(0, 3)
    done = simulate.present(network, {"x": x}, 3, window=window, watch=["conv", "flat", "dense.linear"], external=other)
    every = np.stack([2 * t * x[:, :3, :3, :1].repeat(3, axis=-1) for t in (1, 2, 3)], axis=1)
    np.testing.assert_allclose(done.means["conv"], every.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(done.means["flat"], every.mean(axis=1).reshape(4, 27), rtol=1e-6)
    late = np.concatenate([0 * every[:, :1], every[:, :2]], axis=1).reshape(4, 3, 27)
    linear = network["dense.linear"].op
    np.testing.assert_allclose(done.means["dense.linear"], linear.evaluate(late.mean(axis=1)), rtol=1e-4, atol=1e-4)
    assert 1 <= other.drives <= 4  # once a part of the batch, not once a step


class Behind(simulate.External, simulate.Stepper):
    """A node ``twice`` that gives what ``x`` was two steps ago, doubled."""

    reads: ClassVar = {"twice": ()}
    lags: ClassVar = {"twice": 2, "sum": 2}

    def start(self, batch):
        self.line = [np.zeros((batch, 3), np.float32)] * 2
        return self

    def drive(self, name, values):
        return None

    def step(self, name, drive):
        return 2 * self.line[0]

    def finish(self, values, watch):
        self.line = [self.line[1], values["x"]]
        return {}


def test_what_comes_late_is_recorded_beside_the_slices_that_it_is_of(rng):
    graph = chain(ops.Input(shape=(3,), dt=0.001), ops.Relu(), names=["x", "twice"])
    graph.add("sum", ops.Add(), ["twice", "x"])
    graph.set_outputs({"twice": "twice", "sum": "sum", "now": "x"})
    x, window, every = in_binary(rng, 1, 5, 3), slice(1, 4), np.zeros((5, 3))

    def keep(name, t, value):
        every[t] = value[0]

    run = partial(simulate.present, graph, {"x": x}, 5, window=window, external=Behind())
    done = run(watch=["twice"], each_value=keep)
    np.testing.assert_array_equal(done.outputs["now"], x)
    np.testing.assert_array_equal(done.outputs["twice"], 2 * x)
    np.testing.assert_array_equal(
        done.outputs["sum"], 2 * x + np.stack([x[:, min(t + 2, 4)] for t in range(5)], axis=1)
    )
    np.testing.assert_array_equal(every, 2 * x[0])
    np.testing.assert_array_equal(done.means["twice"], 2 * x[:, window].mean(axis=1))
    np.testing.assert_array_equal(done.totals["twice"], 2 * np.abs(x).sum(axis=1))
    np.testing.assert_array_equal(done.messages["twice"], (x != 0).sum(axis=1))


def test_what_runs_can_be_printed_by_when_it_is_computed(network):
    titles = [
        line if line.endswith(":") else line.split(" = ")[0] for line in simulate.text_as_run(network).split("\n")
    ]
    wanted = ["inputs:", "  %x", "once:", "  %conv.linear", "in every step:"]
    assert titles == [*wanted, *(f"  %{name}" for name in ("conv", "flat", "dense.linear", "dense"))]


def graded(rng):
    """Return a graph of sigma-delta neurons in the form that carries changes."""
    levels = neurons.Neurons(model=neurons.SigmaDelta(levels=4), scale=1 / 256)
    before = chain(
        ops.Input(shape=(6,)),
        ops.Dense(weight=in_binary(rng, 6, 5), bias=in_binary(rng, 5)),
        levels,
        ops.Dense(weight=in_binary(rng, 5, 4), bias=in_binary(rng, 4)),
        levels,
        ops.Dense(weight=in_binary(rng, 4, 3), bias=in_binary(rng, 3)),
        names=["x", "a.linear", "a", "b.linear", "b", "out"],
    )
    return apply(CarryChanges(), before)


def test_when_nothing_has_anything_to_say_nothing_is_computed_any_more(rng, monkeypatch):
    graph, x = graded(rng), in_binary(rng, 5, 6)
    watch = ["a", "b", "b.linear.change", "out"]
    want = simulate.simulate(graph, x, 40, window=slice(3, 40), watch=watch)
    taken = []
    step = ops.Accumulate.step
    monkeypatch.setattr(ops.Accumulate, "step", lambda *a: (taken.append(1), step(*a))[1])
    simulate.simulate(graph, x, 40, window=slice(3, 40))
    assert 2 <= len(taken) < 20
    monkeypatch.setattr(simulate, "sending", lambda *_: ())
    whole = simulate.simulate(graph, x, 40, window=slice(3, 40), watch=watch)
    for table in ("outputs", "means", "totals", "messages"):
        for name, value in getattr(want, table).items():
            assert np.array_equal(getattr(whole, table)[name], value), (table, name)


def test_what_may_fire_again_never_settles(network, rng):
    names = [node.name for node in network if node.name in ("conv", "dense")]
    assert schedule.sending(network, names) == ()
    assert schedule.sending(graded(rng), ["a", "b", "out"]) == ("a", "b")
