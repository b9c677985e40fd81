import nengo
import numpy as np
import pytest
import scipy.sparse

pytest.importorskip("nengo_loihi")

from nengo_loihi.emulator import EmulatorInterface
from snnc_loihi.replica import Replica, as_blocks

from snnc.api import LoweringError
from tests.plugins.loihi.networks import IGNORED, Handmade, built, encode, loihi_lif, loihi_relu, signed, trains_of

STEPS = 40

pytestmark = pytest.mark.filterwarnings(*IGNORED)


@pytest.fixture(autouse=True)
def _strict(monkeypatch):
    monkeypatch.setattr(EmulatorInterface, "strict", True)


def emulate(made, rates, steps=STEPS):
    """Return what the emulator's probes give, by probed object: ``(steps, size)``."""
    made.input.output = rates
    with built(made) as sim:
        sim.run_steps(steps)
        return {obj: np.array(sim.data[probe]) for obj, probe in made.probes.items()}


def rates_for(made, samples, seed=1):
    return np.random.default_rng(seed).uniform(-100, 900, (samples, made.encoder.n_neurons))


def assert_same_spikes(made, samples=3):
    rates = rates_for(made, samples)
    with built(made) as sim:
        replica = Replica(sim.model)
    trains = trains_of(replica, {made.encoder: encode(rates, STEPS)})
    for i in range(samples):
        data = emulate(made, rates[i])
        for ens, train in trains.items():
            wanted = data[ens] > 0
            assert 20 < wanted.sum() < 0.9 * wanted.size
            np.testing.assert_array_equal(train[i], wanted)
        for node, (source, weights) in made.reads.items():  # the host sees the chip's last step
            late = np.concatenate([np.zeros((1, source.n_neurons)), trains[source][i][:-1]])
            np.testing.assert_allclose(late @ weights.T / 0.001, data[node], rtol=1e-9, atol=1e-9)
    return replica


def test_convolutions_in_blocks_and_a_dense_layer():
    made = Handmade((6, 6, 2))
    first = made.layer("first", [(made.encoder, made.conv(made.encoder, 4, strides=2))], synapse=0.002, block=(2, 3, 2))
    second = made.layer("second", [(first, made.conv(first, 8, padding="valid"))], synapse=0.003, block=(1, 1, 4))
    third = made.layer("third", [(second, made.dense(second, 20, gain=0.3))], synapse=0.002, block=(7,))
    made.read_out(third)
    assert_same_spikes(made)


def test_without_a_filter_some_current_stays():
    made = Handmade((30,))
    first = made.layer("first", [(made.encoder, made.dense(made.encoder, 40))])
    made.read_out(first)
    assert_same_spikes(made)


def test_leaky_neurons_with_a_refractory_period():
    made = Handmade((20,))
    neurons = loihi_lif(tau_ref=0.003, tau_rc=0.01)
    first = made.layer("first", [(made.encoder, made.dense(made.encoder, 30, gain=1.0))], 0.004, neurons, 1.1, (11,))
    made.read_out(first)
    assert_same_spikes(made)


def test_branches_join_and_a_loop_comes_back():
    made = Handmade((4, 4, 2))
    first = made.layer("first", [(made.encoder, made.conv(made.encoder, 4))], synapse=0.002, block=(2, 4, 4))
    skip = nengo.Sparse((64, 64), indices=[(i, i) for i in range(64)], init=np.full(64, 1.005))
    second = made.layer("second", [(first, made.conv(first, 4)), (first, skip)], synapse=0.002, block=(4, 2, 4))
    loop = made.layer("loop", [(second, made.sparse(second, 24))], synapse=0.002, block=(10,))
    with made.network:
        nengo.Connection(loop.neurons, loop.neurons, transform=-0.2 * np.eye(24), synapse=0.002)
    made.read_out(loop)
    made.read_out(second, label="other")
    assert_same_spikes(made)


def test_amplitude_is_part_of_the_weights():
    made = Handmade((20,))
    first = made.layer("first", [(made.encoder, made.dense(made.encoder, 30))], 0.002, loihi_relu(amplitude=0.5))
    second = made.layer("second", [(first, made.dense(first, 20, gain=0.4))], 0.002, block=(9,))
    made.read_out(second)
    assert_same_spikes(made)


def test_a_floor_below_zero():
    made = Handmade((20,))
    first = made.layer("first", [(made.encoder, made.dense(made.encoder, 30))], 0.002, signed(), bias=5)
    made.read_out(first)
    assert assert_same_spikes(made).wiring.populations[0].lowest.max() < -1000


def test_an_overflow_names_the_layer():
    made = Handmade((300,))
    weights = nengo.Dense((4, 300), init=np.full((4, 300), 0.9))
    first = made.layer("wide", [(made.encoder, weights)], synapse=0.002)
    made.read_out(first)
    with built(made) as sim:
        replica = Replica(sim.model)
    quiet = np.zeros((2, STEPS, 300), dtype=bool)
    assert trains_of(replica, {made.encoder: quiet}).keys() == {first}
    with pytest.raises(LoweringError, match=r"layer 'wide': the input of a step reaches \d+ at step 2,"):
        trains_of(replica, {made.encoder: ~quiet})


def test_the_emulator_overflows_where_the_replica_does():
    from nengo.exceptions import SimulationError

    made = Handmade((300,))
    made.layer("wide", [(made.encoder, nengo.Dense((4, 300), init=np.full((4, 300), 0.9)))], synapse=0.002)
    with pytest.raises(SimulationError, match="Overflow in q0"):
        emulate(made, np.full(300, 1000.0))


def test_spikes_from_a_slice_of_the_encoder():
    made = Handmade((20,))
    first = made.layer("first", [(made.encoder, made.dense(made.encoder, 10, gain=0.3))], synapse=0.002)
    with made.network:
        nengo.Connection(made.encoder.neurons[5:9], first.neurons, transform=np.full((10, 4), 0.4), synapse=0.002)
    made.read_out(first)
    assert_same_spikes(made)


def test_decoded_values_are_refused():
    made = Handmade((20,))
    first = made.layer("first", [(made.encoder, made.dense(made.encoder, 10))], synapse=0.002)
    with made.network:
        other = nengo.Ensemble(10, 1, label="other", neuron_type=loihi_lif())
        nengo.Connection(first, other)
        made.probes[other] = nengo.Probe(other.neurons)
    with built(made) as sim, pytest.raises(LoweringError, match="belongs to no ensemble"):
        Replica(sim.model)


def test_blocks_multiply_as_single_weights_do():
    rng = np.random.default_rng(0)
    weights = np.zeros((60, 40))
    for start in range(0, 48, 12):  # rows of a position see the columns of its neighbours; the last twelve see none
        weights[start : start + 12, start // 2 : start // 2 + 16] = rng.integers(1, 255, (12, 16))
    sparse = scipy.sparse.csr_matrix(weights)
    blocks = as_blocks(sparse)
    assert len(blocks.parts) == 4
    x = rng.integers(0, 2, (40, 5)).astype(np.float64)
    np.testing.assert_array_equal(blocks @ x, weights @ x)


def test_rows_of_columns_of_their_own_are_no_blocks():
    assert as_blocks(scipy.sparse.random(60, 40, 0.2, format="csr", random_state=0)) is None
