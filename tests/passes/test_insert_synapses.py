import pytest

from snnc import neurons, ops
from snnc.errors import PassError
from snnc.ir.graph import Graph
from snnc.passes.insert_synapses import InsertSynapses
from snnc.testing import apply, assert_same_outputs, kinds
from tests.conftest import dense


@pytest.fixture
def branched(rng):
    """Return a population that two layers read and that is an output as well."""
    g = Graph()
    g.add("x", ops.Input(shape=(4,)))
    g.add("n", neurons.Neurons(model=neurons.SpikingRelu()), ["x"])
    g.add("a", dense(rng, 4, 3), ["n"])
    g.add("b", dense(rng, 4, 3), ["n"])
    g.add("sum", ops.Add(), ["a", "b"])
    g.set_outputs({"n": "n", "sum": "sum"})
    return g


def test_every_reader_and_the_output_read_the_filter(branched):
    after = apply(InsertSynapses(synapse=0.005), branched)
    assert after["n.synapse"].op == neurons.Synapse(model=neurons.Lowpass(tau=0.005))
    assert [name for name, _ in after.readers("n")] == ["n.synapse"]
    assert dict(after.output_nodes) == {"n": "n.synapse", "sum": "sum"}
    assert str(after["n.synapse"].type) == "rate[4]"
    assert_same_outputs(branched, after)


@pytest.mark.parametrize("synapse", [None, 0, "none", {"n": None}])
def test_no_synapse_leaves_the_graph(branched, synapse):
    assert apply(InsertSynapses(synapse=synapse), branched) == branched


def test_alpha_by_layer(branched):
    after = apply(InsertSynapses(synapse={"n": "alpha{tau=0.01}"}), branched)
    assert after["n.synapse"].op.model == neurons.Alpha(tau=0.01)


@pytest.mark.parametrize(
    ("synapse", "message"),
    [
        (-0.1, "not a time constant"),
        (float("inf"), "not a time constant"),
        ("slow", "unknown synapse 'slow'; known: alpha, lowpass"),
        ({"m": 0.1}, "unknown layer 'm'"),
    ],
)
def test_a_wrong_synapse_is_an_error(branched, synapse, message):
    with pytest.raises(PassError, match=message):
        apply(InsertSynapses(synapse=synapse), branched)


def test_inputs_are_not_filtered(branched):
    assert kinds(apply(InsertSynapses(synapse=0.005), branched)).count("synapse") == 1
