import numpy as np
import pytest

from snnc import neurons, ops
from snnc.engine.rate import validated_inputs
from snnc.engine.simulate import Run, simulate
from snnc.engine.sweep import SpikeTrain, Sweep
from snnc.ir.graph import Graph
from snnc.neurons import Lowpass, Neurons, Synapse
from snnc.testing import chain, random_inputs
from tests.conftest import conv, dense

STEPS, WINDOW = 12, slice(4, 12)


def sweep_of(graph, samples, **options):
    inputs = validated_inputs(graph, samples)
    return Sweep(graph, inputs, STEPS, window=WINDOW, dt=0.001, seed=0, **options)


def plain_mean(graph, samples, name):
    run = simulate(graph, samples, STEPS, window=WINDOW, watch=[name], outputs=False)
    return run.means[name]


def populations(graph):
    return [node.name for node in graph.nodes(Neurons) if node.op.model.spiking]


def residual(rng, model, tau=None, scale=0.01):
    """Return a network in which one population is read by two, one of which is pooled, and their sum by a third."""
    g = Graph("residual")
    g.add("x", ops.Input(shape=(6, 6, 2)))
    g.add("a.in", conv(rng, (3, 3), 2, 4, padding="same"), ["x"])
    g.add("a", Neurons(model=model, scale=np.full(4, scale, dtype=np.float32)), ["a.in"])
    sent = "a"
    if tau is not None:
        g.add("a.filter", Synapse(model=Lowpass(tau=tau)), ["a"])
        sent = "a.filter"
    g.add("b.in", conv(rng, (3, 3), 4, 4, padding="same"), [sent])
    g.add("b", Neurons(model=model, scale=scale), ["b.in"])
    g.add("c.in", conv(rng, (1, 1), 4, 4), [sent])
    g.add("sum", ops.Add(), ["b", "c.in"])
    g.add("c", Neurons(model=model, scale=scale), ["sum"])
    g.add("pool", ops.SpikingMaxPool(size=(2, 2), strides=(2, 2), padding="valid"), ["c"])
    g.add("flat", ops.Reshape(shape=(-1,)), ["pool"])
    g.add("y", dense(rng, 36, 3), ["flat"])
    g.add("end", Neurons(model=model, scale=scale), ["y"])
    g.set_outputs({"end": "end"})
    return g


MODELS = {
    "one spike a step": neurons.SoftResetIf(gamma=1),
    "counts": neurons.SoftResetIf(),
    "spikes of either sign": neurons.SignedIf(),
    "sizes of spikes": neurons.SigmaDelta(),
    "random": neurons.Poisson(),
    "with a state of its own": neurons.Lif(),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("tau", [None, 0.005], ids=["plain", "filtered"])
def test_means_are_those_of_running_everything_in_front(rng, model, tau):
    graph = residual(rng, model, tau)
    samples = random_inputs(graph, 5)
    sweep = sweep_of(graph, samples)
    for name in populations(graph):
        np.testing.assert_allclose(sweep.mean(name), plain_mean(graph, samples, name), rtol=1e-5, atol=1e-4)


def halve(graph, name):
    """Correct what a population says, behind it."""
    half = ops.Affine(scale=np.float32([0.5]), shift=np.float32([0.25]))
    graph.insert_after(name, graph.fresh_name(f"{name}.half"), half)


def shift(graph, name):
    """Correct what a population is driven by, so that it has to be run again."""
    more = ops.Affine(scale=np.float32([1.0]), shift=np.float32([0.5]))
    graph.insert_before(name, 0, graph.fresh_name(f"{name}.shift"), more)


@pytest.mark.parametrize("correct", [halve, shift])
def test_what_is_corrected_on_the_way_counts_for_what_is_behind(rng, correct):
    graph = residual(rng, MODELS["one spike a step"])
    other = graph.copy()
    samples = random_inputs(graph, 5)
    sweep = sweep_of(graph, samples)
    for name in populations(graph):
        np.testing.assert_allclose(sweep.mean(name), plain_mean(other, samples, name), rtol=1e-5, atol=1e-4)
        correct(graph, name)
        correct(other, name)


@pytest.mark.parametrize(("correct", "runs"), [(halve, 1), (shift, 2)])
def test_each_population_is_run_once_or_again_if_its_own_drive_was_corrected(rng, monkeypatch, correct, runs):
    model = MODELS["one spike a step"]
    layers = [op for _ in range(6) for op in (dense(rng, 4, 4), Neurons(model=model, scale=0.01))]
    graph = chain(ops.Input(shape=(4,)), *layers)
    asked = populations(graph)
    done = []
    part = Run.part

    def counting(self, inputs):
        done.extend(name for name in self.start if self.graph[name].op.model == model)
        return part(self, inputs)

    monkeypatch.setattr(Run, "part", counting)
    sweep = sweep_of(graph, random_inputs(graph, 1))
    for name in asked:
        sweep.mean(name)
        correct(graph, name)
    assert {name: done.count(name) for name in asked[:-1]} == dict.fromkeys(asked[:-1], runs)


def test_what_nobody_reads_any_more_is_let_go_of(rng):
    graph = chain(
        *[
            ops.Input(shape=(4,)),
            *[op for _ in range(6) for op in (dense(rng, 4, 4), Neurons(model=MODELS["counts"], scale=0.01))],
        ]
    )
    sweep = sweep_of(graph, random_inputs(graph, 2))
    for name in populations(graph):
        sweep.mean(name)
        assert sum(kept is not None for kept in sweep._kept.values()) <= 2


def test_several_inputs_and_a_temporal_graph(rng):
    g = Graph("two")
    for name in ("x", "z"):
        g.add(name, ops.Input(shape=(3,), dt=0.001))
        g.add(f"{name}.in", dense(rng, 3, 4), [name])
        g.add(f"{name}.n", Neurons(model=MODELS["one spike a step"], scale=0.005), [f"{name}.in"])
    g.add("sum", ops.Add(), ["x.n", "z.n"])
    g.add("y", Neurons(model=MODELS["one spike a step"], scale=0.005), ["sum"])
    g.set_outputs({"y": "y"})
    samples = {name: rng.uniform(size=(4, STEPS, 3)).astype(np.float32) for name in ("x", "z")}
    sweep = sweep_of(g, samples)
    for name in populations(g):
        np.testing.assert_allclose(sweep.mean(name), plain_mean(g, samples, name), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("counts", "bytes_"),
    [([0, 1, 1, 0, 1, 0, 0, 1], 1), ([0, 3, -2, 0, 1, 0, 0, 1], 8), ([0.5] * 8, 32), ([200] * 8, 32)],
)
def test_trains_are_kept_exactly_and_small(counts, bytes_):
    graph = chain(ops.Input(shape=(2, 4)), Neurons(model=MODELS["counts"], scale=np.float32([0.1, 0.3, 0.7, 0.01])))
    node = graph.nodes(Neurons)[0]
    train = SpikeTrain((1, 2, 4), node.op.worth(0.001))
    y = np.float32(counts).reshape(1, 2, 4) * node.op.worth(0.001)
    train.append(y)
    train.append(np.zeros_like(y))
    np.testing.assert_array_equal(train[0], y)
    assert train[0].dtype == np.float32
    assert train._steps[0].nbytes == bytes_
    np.testing.assert_allclose(train.mean(slice(0, 2)), y / 2, rtol=1e-6)
