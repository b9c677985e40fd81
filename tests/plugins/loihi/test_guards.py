"""What nengo-loihi would build without a word, as something else: reference list of the backend's page."""

import nengo
import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

import nengo_loihi
from snnc_loihi.check_network import check_network
from snnc_loihi.emulator import Emulator
from snnc_loihi.models import LoihiSignedIf
from snnc_loihi.neuron_types import chip_type
from snnc_nengo.neuron_types import SoftResetIF

from snnc.api import LoweringError
from tests.plugins.loihi.networks import IGNORED

pytestmark = pytest.mark.filterwarnings(*IGNORED)


def network(host=None, chip=None, *, weight=0.5, synapses=(None,), decoded=False, bias=0.0, size=5):
    """Return a network of neurons on the host that feed neurons on the chip."""
    with nengo.Network(seed=0) as net:
        nengo_loihi.add_params(net)
        given = nengo.Node(np.full(size, 1000.0), label="given")
        both = {"gain": np.ones(size), "bias": np.zeros(size)}
        source = nengo.Ensemble(size, 1, neuron_type=host or SoftResetIF(), label="source", **both)
        target = nengo.Ensemble(
            size,
            1,
            neuron_type=chip or chip_type(LoihiSignedIf()),
            label="target",
            gain=np.ones(size),
            bias=np.full(size, bias),
        )
        net.config[source].on_chip = False
        nengo.Connection(given, source.neurons, synapse=None)
        for synapse in synapses:
            transform = nengo.Dense((size, size), init=np.full((size, size), weight))
            nengo.Connection(given if decoded else source.neurons, target.neurons, transform=transform, synapse=synapse)
        net.output = nengo.Probe(target.neurons)
    return net


def test_what_is_right_passes():
    check_network(network(synapses=(0.002, 0.002)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": nengo.RectifiedLinear()}, "RectifiedLinear neurons of 'source' on the host"),
        ({"host": nengo.SpikingRectifiedLinear()}, "at most one positive spike a step"),
        ({"host": nengo.RegularSpiking(nengo.Tanh())}, "at most one positive spike a step"),
        ({"host": SoftResetIF(gamma=2)}, "at most one positive spike a step"),
        ({"chip": nengo.AdaptiveLIF()}, "a core cannot be AdaptiveLIF neurons"),
        ({"chip": nengo.SpikingRectifiedLinear()}, "a core cannot be SpikingRectifiedLinear"),
        ({"synapses": (0.002, 0.005)}, "filters of 0.002 and 0.005 s"),
        ({"synapses": (nengo.Alpha(0.002),)}, "filters by a low-pass only"),
        ({"decoded": True}, "takes spikes only"),
    ],
    ids=str,
)
def test_what_would_run_as_something_else_is_refused(options, message):
    with pytest.raises(LoweringError, match=message):
        check_network(network(**options))


def test_more_than_a_register_holds_is_an_error_not_a_silent_layer():
    net = network(weight=1.0, bias=3000.0, size=200)
    with pytest.raises(LoweringError, match="Overflow"):
        emulator = Emulator(net, 0.001, 0, {})
        try:
            emulator.show({}, 20)
        finally:
            emulator.close()


def test_strictness_ends_with_the_run():
    from nengo_loihi.emulator import EmulatorInterface

    before = EmulatorInterface.strict
    emulator = Emulator(network(), 0.001, 0, {})
    emulator.show({}, 3)
    emulator.close()
    assert EmulatorInterface.strict is before
