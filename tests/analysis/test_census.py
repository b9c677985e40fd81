from snnc import neurons, ops
from snnc.analysis.census import census
from snnc.testing import chain
from tests.conftest import conv, dense


def test_the_first_layer_is_analog_and_a_host_op_ends_the_spikes(rng):
    graph = chain(
        ops.Input(shape=(6, 6, 1)),
        conv(rng, (3, 3), 1, 2),
        neurons.Neurons(model=neurons.SpikingRelu()),
        neurons.Synapse(model=neurons.Lowpass(tau=0.01)),
        ops.AvgPool(size=(2, 2), strides=(2, 2)),
        ops.Reshape(shape=(-1,)),
        dense(rng, 8, 5),
        neurons.Neurons(model=neurons.TanhRate()),
        dense(rng, 5, 4),
        ops.Softmax(),
    )
    found = census(graph)
    assert found.host == ("softmax (softmax)",)
    assert found.rate == ("neurons_1 (tanh)",)
    assert (found.neurons, found.spiking_neurons) == (32 + 5, 32)
    assert found.multiply_adds == 16 * 2 * 9 + 8 * 5 + 5 * 4
    assert found.spiking_multiply_adds == 8 * 5
    assert found.spiking_share == 40 / 348


def test_a_graph_without_weights_has_no_share():
    assert census(chain(ops.Input(shape=(2,)), ops.Relu())).spiking_share == 0.0
