from typing import ClassVar

import numpy as np
import pytest

from snnc import neurons, ops
from snnc.errors import UsageError
from snnc.ir.namespace import NUMPY
from snnc.ir.op import op
from snnc.ir.types import TensorType
from snnc.neurons.sigma_delta import nearest_power
from snnc.ops.stateful import RandomStream, for_batch
from snnc.testing import check_neuron

ACTIVATIONS = (ops.Relu(), ops.Sigmoid(), ops.Tanh())
INPUT = np.array([-5.0, -0.5, 0.0, 3.0, 20.0, 80.0, 150.0, 300.0], dtype=np.float32)
DT = 0.001
MODELS = [model() for model in neurons.MODELS] + [
    neurons.SoftResetIf(gamma=3),
    neurons.SignedIf(gamma=1),
    *(wrapper(base=base) for wrapper in (neurons.Regular, neurons.Stochastic) for base in ("sigmoid", "tanh")),
    neurons.Poisson(base="lif-rate"),
]
TOLERANCE = {"stochastic": 25.0, "poisson": 25.0, "izhikevich": 3.0}
"""Hz; four seconds of random spikes are up to that far off their mean."""


@op
class Flawed(neurons.SoftResetIf):
    """A model that breaks one promise."""

    kind: ClassVar[str] = "flawed"
    flaw: str

    def drive(self, xp, current, dt):
        if self.flaw == "drive":
            current *= dt
            return current
        return super().drive(xp, current, dt)

    def rule(self, xp, drive, state, dt):
        if self.flaw == "rule":
            state["voltage"] += drive
            return xp.zeros_like(drive), dict(state)
        if self.flaw == "batch":
            drive = drive - xp.mean(drive)
        return super().rule(xp, drive, state, dt)

    def step(self, drive, state, dt, out=None):
        if self.flaw == "step":
            return super().step(2 * drive, state, dt, out)
        return neurons.NeuronModel.step(self, drive, state, dt, out)

    def response(self, xp, current):
        return xp.maximum(current, 0) * (0.5 if self.flaw == "curve" else 1)


def run(model, x, steps, after=0):
    """Return the mean output in Hz of a population after some steps, for an input of wanted rates."""
    population = neurons.Neurons(model=model, scale=model.unit_scale)
    state = for_batch(population.start((TensorType(x.shape),), np.random.default_rng(0)), 1)
    outputs = [population.step(state, DT, x[None].copy())[0] for _ in range(steps)]
    return np.mean(outputs[after:], axis=0)


def test_every_model_stands_for_something_and_has_a_kind():
    assert len(neurons.MODELS) == 15
    for model in neurons.MODELS:
        assert any(model().can_replace(a) for a in ACTIVATIONS), model.kind


@pytest.mark.parametrize("model", [m for m in MODELS if m.matches_activation], ids=repr)
def test_an_exact_model_has_the_curve_of_its_activation(model):
    activation = model.activation
    assert model.can_replace(activation)
    x = np.linspace(-3, 3, 50, dtype=np.float32)[None]
    assert np.allclose(
        neurons.Neurons(model=model, scale=model.unit_scale).evaluate(x), activation.evaluate(x), atol=1e-6
    )


@pytest.mark.parametrize("model", [m for m in MODELS if m.matches_activation], ids=repr)
def test_a_scalable_model_is_one_whose_curve_does_not_depend_on_the_scale(model):
    x = np.linspace(-3, 3, 50, dtype=np.float32)[None]
    one, other = (neurons.Neurons(model=model, scale=scale).evaluate(x) for scale in (1.0, 0.01))
    assert np.allclose(one, other, atol=1e-6) == model.scale_invariant


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_model_keeps_to_its_contract(model):
    # adaptation takes some tau_n, which is a second
    settle, steps = (6000, 8000) if "adaptive" in model.kind else (0, 4000)
    check_neuron(model, steps=steps, settle=settle, tolerance=TOLERANCE.get(model.kind, 1.0))


@pytest.mark.parametrize(
    ("flaw", "message"),
    [
        ("drive", "response or drive changes the current"),
        ("rule", "rule changes the state"),
        ("step", "step gives something else"),
        ("curve", "by the curve"),
        ("batch", "not what it is alone"),
    ],
)
def test_a_model_that_breaks_its_contract_is_told_how(flaw, message):
    with pytest.raises(AssertionError, match=message):
        check_neuron(Flawed(flaw=flaw), steps=500)


@pytest.mark.parametrize(
    "model", [m for m in MODELS if m.can_replace(ops.Relu()) and not m.matches_activation], ids=repr
)
def test_what_is_not_exact_is_near_the_wanted_rate_where_neurons_are_neither_slow_nor_fast(model):
    wanted = np.array([60.0, 100.0], dtype=np.float32)
    assert np.allclose(model.rate(NUMPY, wanted), wanted, rtol=0.2)


def test_an_adapting_neuron_slows_down():
    early, late = (run(neurons.AdaptiveLif(), INPUT, *window)[-2] for window in ((200, 0), (8000, 7000)))
    assert early > 1.2 * late


SIZES = np.array([0.0, *(2.0**-k for k in range(-3, 6))])
"""Sizes of spikes with six levels."""


def test_a_graded_spike_is_the_nearest_size():
    x = np.linspace(-12, 12, 9601, dtype=np.float32)
    x = x[np.abs(x) != 2**-6]  # as near to nothing as to the smallest spike
    near = np.concatenate([-SIZES, SIZES])
    got = nearest_power(NUMPY, x, 6)
    assert np.allclose(np.abs(got - x), np.abs(x[:, None] - near).min(axis=1), atol=1e-6)
    assert set(np.abs(got)) == set(SIZES.astype(np.float32))
    assert np.array_equal(nearest_power(NUMPY, x.astype(np.float64), 6), got)


@pytest.mark.parametrize("of", [ops.Relu(), ops.Relu(max_value=6.0), ops.Swish(), ops.Tanh(), ops.Gelu()], ids=repr)
def test_a_sigma_delta_neuron_comes_to_rest_within_half_its_smallest_spike_of_the_activation(of, rng):
    scale = (rng.uniform(1, 4, size=5) * DT).astype(np.float32)
    model = neurons.SigmaDelta(levels=8, of=of, unit=scale, initial=rng.normal(size=(4, 5)) / scale)
    population = neurons.Neurons(model=model, scale=scale)
    state = for_batch(population.start((TensorType((4, 5)),), rng), 3)
    changes = rng.normal(size=(60, 3, 4, 5)).astype(np.float32) * 3
    changes[4:] = 0
    steps = np.array([population.step(state, DT, x).copy() for x in changes])
    want = population.evaluate(changes.sum(axis=0))
    assert np.allclose(want, of.evaluate(changes.sum(axis=0) + model.initial * scale), atol=1e-4)
    assert (np.abs(steps.sum(axis=0) - want) <= 2.0**-8 * scale / DT * 1.001 + 1e-5).all()
    assert not steps[20:].any() and steps[:4].any()


def test_two_spikes_a_step_leave_a_ninth_of_the_error_at_most_and_count_as_two(rng):
    model = neurons.SigmaDelta(levels=12, spikes=2)
    population = neurons.Neurons(model=model, scale=DT)
    x = rng.uniform(-7, 7, (1, 500)).astype(np.float32)
    state = for_batch(population.start((TensorType((500,)),), rng), 1)
    given = population.step(state, DT, np.maximum(x, 0))
    off = np.abs(given - np.maximum(x, 0))
    assert np.all(off <= np.maximum(np.maximum(x, 0) / 9, 2.0**-12) * 1.0001)
    by_rule, _ = model.rule(NUMPY, np.maximum(x, 0) / DT, for_batch(model.start((500,), rng), 1), DT)
    assert np.array_equal(by_rule, given)
    assert model.payload == 2 * neurons.SigmaDelta(levels=12).payload
    with pytest.raises(UsageError, match="spikes is a whole number"):
        neurons.SigmaDelta(spikes=0)


def test_a_sigma_delta_neuron_leaves_a_third_of_the_error_at_most():
    wanted = np.linspace(0.01, 7, 500, dtype=np.float32)[None]
    population = neurons.Neurons(model=neurons.SigmaDelta(levels=12), scale=DT)
    state = for_batch(population.start((TensorType((500,)),), np.random.default_rng(0)), 1)
    left = wanted.copy()
    for t in range(4):
        before = np.abs(left)
        left = left - population.step(state, DT, wanted if t == 0 else np.zeros_like(wanted))
        assert (np.abs(left) <= np.maximum(before / 3, 2.0**-12) + 1e-6).all()


@pytest.mark.parametrize("levels", [0, 17, 2.5, True])
def test_levels_that_there_cannot_be_are_refused(levels):
    with pytest.raises(UsageError, match="levels is a whole number from 1 to 16"):
        neurons.SigmaDelta(levels=levels)


def test_inhibition_counts_for_a_soft_reset_neuron_only():
    rng = np.random.default_rng(1)
    current = rng.choice(np.float32([-900, 1000]), size=4000)  # Hz: a net rate of 50
    counts = {}
    for model in (neurons.SoftResetIf(), neurons.SpikingRelu()):
        state = {"voltage": np.zeros((1, 1), dtype=np.float32)}
        drives = [model.drive(NUMPY, np.full((1, 1), c, dtype=np.float32), DT) for c in current]
        counts[model.kind] = sum(float(model.step(d, state, DT)[0, 0]) for d in drives)
    assert counts["soft-reset-if"] < 0.3 * counts["spiking-relu"]


def test_no_more_than_gamma_spikes_a_step_and_the_rest_later():
    model = neurons.SoftResetIf(gamma=2, initial=0.5)
    state = for_batch(model.start((1,), np.random.default_rng(0)), 1)
    drives = [model.drive(NUMPY, np.full((1, 1), u, dtype=np.float32), DT) for u in (3700, 0, 0, -1000, 600)]
    assert [int(model.step(d, state, DT)[0, 0]) for d in drives] == [2, 2, 0, 0, 0]
    assert np.allclose(state["voltage"], -0.2)


@pytest.mark.parametrize("gamma", [1, 2, 5])
def test_the_short_cut_of_one_spike_a_step_is_the_general_rule(gamma, rng):
    model = neurons.SoftResetIf(gamma=gamma)
    voltage, state = np.zeros(50, dtype=np.float32), {"voltage": np.zeros((1, 50), dtype=np.float32)}
    for _ in range(40):
        drive = rng.normal(0.4, 1, size=50).astype(np.float32)
        voltage += drive
        spikes = np.clip(np.floor(voltage), 0, gamma)
        voltage -= spikes
        assert np.array_equal(model.step(drive[None], state, DT)[0], spikes)
        assert np.array_equal(state["voltage"][0], voltage)


def test_a_stream_gives_every_sample_the_numbers_that_it_gets_alone():
    mean = np.random.default_rng(0).uniform(0, 20, size=(3, 50)).astype(np.float32)
    together, alone = RandomStream(7), [RandomStream(7) for _ in range(3)]
    for _ in range(3):
        counts = together.poisson(mean)
        assert all(np.array_equal(counts[i], alone[i].poisson(mean[i : i + 1])[0]) for i in range(3))
    assert np.array_equal(together.fresh().uniform((4,)), np.random.RandomState(7).random_sample(4))


def test_states_of_batches_do_not_share_anything():
    start = neurons.Stochastic().start((4,), np.random.default_rng(0))
    first, second = for_batch(start, 2), for_batch(start, 2)
    assert np.array_equal(first["rng"].uniform((4,)), second["rng"].uniform((4,)))


def test_lif_follows_its_wanted_rate_where_it_is_far_from_threshold_and_refractoriness():
    slow = neurons.LifRate(tau_rc=0.02, tau_ref=0.0)
    wanted = np.array([100.0, 500.0], dtype=np.float32)
    assert np.allclose(slow.rate(NUMPY, wanted), wanted, rtol=0.05)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (neurons.SoftResetIf, {"gamma": 0}),
        (neurons.Lif, {"tau_rc": -0.02}),
        (neurons.AdaptiveLif, {"tau_n": float("inf")}),
        (neurons.Regular, {"max_rate": float("nan")}),
    ],
)
def test_numbers_that_make_no_neuron_are_an_error(model, options):
    (name,) = options
    with pytest.raises(UsageError, match=f"neurons '{model.kind}': {name} cannot be .*; it must be finite and pos"):
        model(**options)
