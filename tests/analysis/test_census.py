import numpy as np

from snnc import neurons, ops
from snnc.analysis.census import census
from snnc.ir.graph import Graph
from snnc.passes.carry_changes import CarryChanges
from snnc.testing import apply, chain
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


SENDING = neurons.Neurons(model=neurons.SigmaDelta())
IDENTITY = neurons.Neurons(model=neurons.SigmaDelta(of=ops.Linear()))


def attention(rng, population):
    """Return a graph of a product of two signals, a softmax of it, and a pool in front of a ReLU."""
    graph = Graph("attention")
    graph.add("x", ops.Input(shape=(4, 3)))
    graph.add("q", dense(rng, 3, 5), ["x"])
    graph.add("k", dense(rng, 3, 5), ["x"])
    if population:
        graph.add("q.spikes", IDENTITY, ["q"])
        graph.add("k.spikes", IDENTITY, ["k"])
    ends = ["q.spikes", "k.spikes"] if population else ["q", "k"]
    graph.add("scores", ops.Einsum(equation="ij,kj->ik"), ends)
    graph.add("softmax", ops.Softmax(), ["scores"])
    graph.add("weights", IDENTITY, ["softmax"])
    graph.add("mix", dense(rng, 4, 6), ["weights"])
    graph.add("pool", ops.MaxPool(size=(2,), strides=(2,)), ["mix"])
    graph.add("relu", SENDING, ["pool"])
    graph.add("out", dense(rng, 6, 2), ["relu"])
    graph.set_outputs({"y": "out"})
    return graph


def test_what_a_population_computes_of_what_has_arrived_is_its_form(rng):
    graph = attention(rng, population=True)
    for found in (census(graph), census(apply(CarryChanges(), graph))):  # which adds ops, but says the same
        assert found.forms == {
            "q.spikes": "identity",
            "k.spikes": "identity",
            "weights": "einsum, softmax",
            "relu": "max-pool, relu",
        }
        assert found.kinds["identity"] == 2
        assert (found.host, found.rate, found.valued) == ((), (), ())
        assert found.input_multiply_adds == 2 * 4 * 3 * 5
        assert found.spiking_multiply_adds == 4 * 4 * 5 + 4 * 4 * 6 + 2 * 6 * 2
        assert found.multiply_adds == found.input_multiply_adds + found.spiking_multiply_adds


def test_a_product_of_sums_and_weights_behind_weights_are_driven_by_values(rng):
    found = census(attention(rng, population=False))
    assert found.valued == ("scores (einsum)",) and found.host == ("scores (einsum)",)
    chained = chain(ops.Input(shape=(3,)), SENDING, dense(rng, 3, 4), dense(rng, 4, 2))
    assert census(chained).valued == ("dense_1 (dense)",)


def test_without_sums_of_changes_a_softmax_sees_the_spikes_of_a_step(rng):
    counting = neurons.Neurons(model=neurons.SoftResetIf())
    graph = chain(ops.Input(shape=(3,)), counting, dense(rng, 3, 4), ops.Softmax(), counting, dense(rng, 4, 2))
    assert census(graph).host == ("softmax (softmax)",)


def test_what_is_done_to_inputs_alone_is_no_op_of_the_network(rng):
    graph = chain(ops.Input(shape=(3,)), ops.Function(name="sqrt"), dense(rng, 3, 4), SENDING, dense(rng, 4, 2))
    found = census(graph)
    assert found.host == () and found.input_multiply_adds == 12


def test_a_lookup_of_inputs_is_a_first_layer(rng):
    table = rng.normal(size=(7, 3)).astype(np.float32)
    graph = chain(ops.Input(shape=(4,)), ops.Embedding(table=table), IDENTITY, dense(rng, 3, 2))
    found = census(graph)
    assert found.host == found.valued == () and found.spiking_share == 1
