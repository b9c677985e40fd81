"""Every neuron model and synapse: the numpy evaluator, the program and Nengo's own simulator give the same spikes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import nengo
import numpy as np
import pytest
from snnc_nengo.neurons import neuron_type

from snnc.api import NUMPY, NeuronModel, Neurons, SynapseModel, neurons, simulate
from snnc.ops.stateful import for_batch
from snnc.testing import random_inputs, two_layers
from tests.conftest import calls
from tests.plugins.nengo.build import graph, program

DT = 0.001
STEPS = 100
# numbers that float32 holds exactly, so that sums come out alike in whatever order a library adds them
EXACT: dict[str, list[NeuronModel]] = {
    "soft-reset-if": [neurons.SoftResetIf(initial=0.5), neurons.SoftResetIf(gamma=3)],
    "signed-if": [neurons.SignedIf(gamma=2)],
    "lif": [neurons.Lif(tau_rc=1 / 64)],
    "lif-rate": [neurons.LifRate(tau_rc=1 / 64)],
    "adaptive-lif": [neurons.AdaptiveLif(tau_rc=1 / 64, inc_n=1 / 64, tau_n=0.05)],
    "adaptive-lif-rate": [neurons.AdaptiveLifRate(tau_rc=1 / 64, inc_n=1 / 64, tau_n=0.05)],
}
WRAPPERS = (neurons.Regular, neurons.Stochastic, neurons.Poisson)
MODELS = [
    *(model for cls in neurons.MODELS for model in EXACT.get(cls.kind, [cls()])),
    *(cls(base=base, max_rate=256) for cls in WRAPPERS for base in ("sigmoid", "tanh", "lif-rate")),
]
SYNAPSES = [None, neurons.Lowpass(tau=0.004), neurons.Alpha(tau=0.004)]


@contextmanager
def bits(count: int) -> Iterator[None]:
    before = nengo.rc.get("precision", "bits")
    nengo.rc.set("precision", "bits", str(count))
    try:
        yield
    finally:
        nengo.rc.set("precision", "bits", before)


def test_every_registered_model_is_here() -> None:
    assert {model.kind for model in MODELS} == {cls.kind for cls in neurons.MODELS}


@pytest.mark.parametrize("synapse", SYNAPSES, ids=lambda s: s.kind if s else "no synapse")
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_evaluator_is_the_program_spike_for_spike(model: NeuronModel, synapse: SynapseModel | None) -> None:
    g = two_layers(model, synapse)
    x = {"x": np.round(random_inputs(g, 3)["x"] * 32) / 32}
    want = program(g, seed=1).run(x, STEPS, jobs=1).outputs
    got = simulate(g, x, STEPS, window=slice(50, STEPS), seed=1).outputs
    for name, y in want.items():
        assert len(np.unique(y[0])) > 1 or model.kind in ("relu", "sigmoid", "tanh", "lif-rate"), name
        if model.spiking and "filtered" not in name:
            assert np.array_equal(got[name], y), name
        else:
            errors = np.abs(got[name] - y) / np.abs(y).max()
            # next to the threshold the rate of a leaky neuron jumps, and rounding decides
            assert np.quantile(errors, 0.99) < 5e-6, name
            assert errors.max() < (0.01 if "lif" in model.kind else 5e-6), name


@pytest.mark.parametrize("synapse", SYNAPSES, ids=lambda s: s.kind if s else "no synapse")
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_nengos_simulator_gives_what_the_program_gives(model: NeuronModel, synapse: SynapseModel | None) -> None:
    g = two_layers(model, synapse)
    x = random_inputs(g, 2)
    built = program(g, seed=1)
    got = built.run(x, STEPS, jobs=1).outputs
    for i in range(2):
        again = program(g, seed=1).network
        again.nodes[0].output = x["x"][i].ravel()
        with bits(built.bits), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Nengo's, about maximum rates that nothing uses
            sim = nengo.Simulator(again, progress_bar=False, optimize=False)
        with sim:
            sim.run_steps(STEPS)
            for probe in again.all_probes:
                assert np.array_equal(sim.data[probe].astype(np.float32), got[probe.label][i].reshape(STEPS, -1))


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_step_is_that_of_nengos_type_bit_for_bit(model: NeuronModel) -> None:
    rng, size = np.random.default_rng(3), 200
    start = model.start((size,), rng)
    state = for_batch(start, 1)
    kind, _ = neuron_type(model, 1.0, start)
    seed = start["rng"].seed if "rng" in start else 0
    theirs = kind.make_state(size, rng=np.random.RandomState(seed), dtype=np.float32)
    base = getattr(kind, "base_type", None)
    output, rates = np.zeros(size, np.float32), np.zeros(size, np.float32)
    currents = (rng.normal(0.3, 1, size=(STEPS, size)) / model.unit_scale * model.gain).astype(np.float32)
    if model.kind not in ("sigmoid", "tanh") and model.unit_scale == 1:
        currents *= np.float32(200)
        currents += np.float32(model.offset)
    spoken = 0
    with np.errstate(over="ignore"):
        for current in currents:
            if base is None:
                kind.step(DT, current, output, **theirs)
            else:
                base.step(DT, current, rates)
                kind.step(DT, rates, output, **theirs)
            got = model.step(model.drive(NUMPY, current[None].copy(), DT), state, DT)[0]
            assert got.dtype == np.float32
            got = got * np.float32(1 / DT if model.spiking else 1)
            assert np.array_equal(got, output)
            spoken += np.count_nonzero(output)
    assert spoken > size
    for name, value in state.items():
        if name != "rng":
            assert np.array_equal(value[0], theirs[name]), name


@pytest.mark.parametrize("model", [neurons.Stochastic(), neurons.Poisson()], ids=repr)
def test_every_sample_gets_the_same_random_numbers_on_any_number_of_processes(model: NeuronModel) -> None:
    g = two_layers(model, None)
    one = random_inputs(g, 1)["x"]
    x = {"x": np.repeat(one, 5, axis=0)}
    built = program(g)
    alone, shared = (built.run(x, 30, jobs=jobs).outputs["dense"] for jobs in (1, 2))
    assert np.array_equal(alone, shared)
    assert all(np.array_equal(alone[0], y) for y in alone)
    other = program(g, seed=1).run(x, 30, jobs=1).outputs["dense"]
    assert not np.array_equal(alone, other)


def test_scales_by_channel_are_multiplied_into_what_leaves() -> None:
    for model in (neurons.SoftResetIf(), neurons.AdaptiveLif(tau_rc=1 / 64, inc_n=1 / 64), neurons.Stochastic()):
        population = Neurons(model=model, scale=np.float32([1 / 64, 1 / 128, 1 / 256]))
        g = graph(["n"], x=((4, 3),), n=(population, "x"))
        x = {"x": np.abs(np.round(random_inputs(g, 2)["x"] * 32) / 32)}
        want = program(g).run(x, STEPS, jobs=1).outputs["n"]
        got = simulate(g, x, STEPS, window=slice(50, STEPS)).outputs["n"]
        assert np.count_nonzero(want) > 100
        assert np.allclose(got, want, rtol=1e-6)


def test_a_soft_reset_type_has_the_rates_of_a_relu_and_says_what_it_is() -> None:
    kind, _ = neuron_type(neurons.SoftResetIf(gamma=2, initial=0.25), 0.5, neurons.SoftResetIf().start((3,), None))
    assert (kind.gamma, kind.amplitude, kind.spiking, kind.negative) == (2, 0.5, True, False)
    gain, bias = np.ones(3), np.float64([-1, 0, 2])
    assert np.allclose(kind.rates(np.zeros((1, 3)), gain, bias), [[0, 0, 1]])
    with pytest.raises(nengo.exceptions.ValidationError, match="gamma"):
        type(kind)(gamma=0)


def test_a_population_of_izhikevich_neurons_is_built_at_once() -> None:
    def build(size: int) -> None:
        g = graph(["n"], x=((size,),), n=(Neurons(model=neurons.Izhikevich()), "x"))
        program(g).run({"x": np.zeros((1, size), np.float32)}, 1, jobs=1)

    build(1)
    assert calls(build, 2000) < 1.1 * calls(build, 20)  # Nengo alone builds neuron by neuron
