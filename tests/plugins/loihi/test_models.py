import nengo
import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

import nengo_loihi
from nengo.cache import NoDecoderCache
from snnc_loihi.models import MODELS, STEP, LoihiEncoder, LoihiLif, LoihiRelu, LoihiSignedIf
from snnc_loihi.neuron_types import chip_type

from snnc.api import NUMPY, Neurons, UsageError, for_batch, ops
from tests.plugins.loihi.networks import IGNORED

pytestmark = pytest.mark.filterwarnings(*IGNORED)
CHIP = (LoihiSignedIf(), LoihiRelu(), LoihiSignedIf(floor=0.0), LoihiLif(), LoihiLif(tau_rc=0.05, tau_ref=0.004))
RATES = np.array([-50, 0, 3, 40, 97, 160, 240, 333, 420, 499, 640, 780, 990, 1500], dtype=np.float32)


def trains(model, u, steps):
    """Return the spikes of the step rule in numpy, ``(steps, neurons)``."""
    op = Neurons(model=model)
    state = for_batch(model.start(u.shape, np.random.default_rng(0)), 1)
    return np.array([op.step(state, STEP, u[None])[0] * STEP for _ in range(steps)])


def emulated(model, u, steps):
    """Return the spikes of the same neurons, driven by their biases, in nengo-loihi's emulator."""
    with nengo.Network(seed=0) as network:
        network.config[nengo.Ensemble].encoders = nengo.dists.Choice([[1.0]])
        size = len(u)
        gain, bias = np.full(size, model.gain), model.gain * u.astype(float) + model.offset
        ensemble = nengo.Ensemble(size, 1, neuron_type=chip_type(model), gain=gain, bias=bias)
        probe = nengo.Probe(ensemble.neurons)
    with nengo_loihi.Simulator(network, target="sim", progress_bar=False) as sim:
        sim.run_steps(steps)
        return np.array(sim.data[probe]) * STEP


@pytest.mark.parametrize("model", CHIP, ids=str)
def test_numpy_and_emulator_fire_in_the_same_steps(model):
    steps = 200
    mine, theirs = trains(model, RATES, steps), emulated(model, RATES, steps)
    assert mine.sum() > 100
    # a current is stored in 12 bits, so that a period may be crossed a step earlier or later
    assert np.abs(mine.sum(axis=0) - theirs.sum(axis=0)).max() <= 1
    assert np.mean(mine != theirs) < 0.01


@pytest.mark.parametrize("model", CHIP[:3], ids=str)
def test_a_constant_current_settles_to_the_period(model):
    steps = 2000
    counts = trains(model, RATES, steps).sum(axis=0)
    assert np.abs(counts / (steps * STEP) - model.settled(RATES * model.gain)).max() <= 1 / (steps * STEP)


@pytest.mark.parametrize("steps", [7, 60])
@pytest.mark.parametrize("model", CHIP, ids=str)
def test_what_is_counted_of_a_constant_current_is_what_a_run_gives(model, steps):
    u = np.linspace(-100, 1500, 333, dtype=np.float32)
    reached, said = model.counted(u * np.float32(STEP), steps)
    np.testing.assert_array_equal(np.rint(said * steps), trains(model, u, steps).sum(axis=0))
    assert (reached <= u * np.float32(STEP)).all() and reached.max() <= 1


@pytest.mark.parametrize("model", CHIP, ids=str)
def test_the_rate_curve_is_the_mean_over_currents(model):
    # intervals from 2 to 12 steps, each length as often: a constant current has whole ones only
    low, high = 85.0, 480.0
    u = (1 / np.linspace(1 / high, 1 / low, 500)).astype(np.float32)
    steps = 3000
    measured = steps / trains(model, u, steps).sum(axis=0)
    assert len(np.unique(np.round(measured))) >= 9
    assert np.mean(measured) == pytest.approx(np.mean(1 / (model.rate(NUMPY, u) * STEP)), rel=0.02)


def test_in_plain_nengo_they_fire_as_in_numpy():
    model = LoihiSignedIf()
    with nengo.Network(seed=0) as network:
        given = nengo.Node(lambda t: 300 * np.sin(40 * t + np.arange(5)))
        ensemble = nengo.Ensemble(5, 1, neuron_type=chip_type(model), gain=np.ones(5), bias=np.full(5, 20.0))
        nengo.Connection(given, ensemble.neurons, synapse=None)
        probes = nengo.Probe(ensemble.neurons), nengo.Probe(given)
    built = nengo.builder.Model(dt=STEP, decoder_cache=NoDecoderCache())
    with nengo.Simulator(network, model=built, progress_bar=False) as sim:
        sim.run_steps(300)
    currents = sim.data[probes[1]].astype(np.float32) + 20
    op, state = Neurons(model=model), for_batch(model.start((5,), np.random.default_rng(0)), 1)
    mine = np.array([op.step(state, STEP, u[None])[0] for u in currents])
    assert mine.sum() > 0
    np.testing.assert_array_equal(mine, sim.data[probes[0]])


def test_inhibition_counts_down_to_the_floor_only():
    # two thresholds down, then up again by 0.6 a step
    wave = np.array([[-2000.0], [600.0], [600.0], [600.0], [600.0], [600.0], [600.0]], dtype=np.float32)
    first = {}
    for model in (LoihiRelu(), LoihiSignedIf(), LoihiSignedIf(floor=1.5)):
        op, state = Neurons(model=model), for_batch(model.start((1,), np.random.default_rng(0)), 1)
        first[model.floor] = [op.step(state, STEP, u[None])[0, 0] > 0 for u in wave].index(True)
    assert first == {0.0: 2, 1.0: 4, 1.5: 5}


def test_which_activations_they_stand_for():
    for model in CHIP:
        assert model.can_replace(ops.Relu())
        assert not model.can_replace(ops.Relu(negative_slope=0.1))
        assert not model.matches_activation and model.spiking
    assert not LoihiEncoder().can_replace(ops.Relu())
    assert len({cls.kind for cls in MODELS}) == len(MODELS)


def test_what_no_core_can_be_is_refused():
    for wrong in ({"floor": -1.0}, {"threshold": 0.0}, {"threshold": 3.0}):
        with pytest.raises(UsageError, match="does not fit the chip"):
            LoihiSignedIf(**wrong)
    with pytest.raises(UsageError, match="one spike a step"):
        LoihiEncoder(gamma=2)


def test_a_weight_of_one_threshold_passes_every_spike():
    # nengo-loihi compares with >: without a margin, every second spike would be lost
    for model in (LoihiSignedIf(), LoihiRelu()):
        counts = trains(model, np.array([1000.0], dtype=np.float32), 100).sum()
        assert counts == 100
        assert emulated(model, np.array([1000.0], dtype=np.float32), 100).sum() == 100
