from snnc import neurons, ops
from snnc.engine.schedule import schedule
from snnc.ir.graph import Graph
from tests.conftest import dense

SPIKING = neurons.Neurons(model=neurons.SoftResetIf())


def branches(rng, **how):
    """Return dense a -> neurons b -> dense c -> neurons d -> output y, and dense e beside them."""
    graph = Graph("branches")
    graph.add("x", ops.Input(shape=(3,), **how))
    graph.add("a", dense(rng, 3, 3), ["x"])
    graph.add("b", SPIKING, ["a"])
    graph.add("c", dense(rng, 3, 3), ["b"])
    graph.add("d", SPIKING, ["c"])
    graph.add("e", dense(rng, 3, 3), ["x"])
    graph.add("rate", neurons.Neurons(model=neurons.ReluRate()), ["e"])
    graph.add("y", ops.Add(), ["d", "rate"])
    graph.set_outputs({"y": "y"})
    return graph


def test_what_depends_on_nothing_that_changes_is_computed_once(rng):
    found = schedule(branches(rng), ["y"])
    assert found.static == ("a", "e", "rate")
    assert found.dynamic == ("b", "c", "d", "y")
    assert found.stateful == ("b", "d")
    assert found.driven == ("b",)


def test_everything_behind_a_sequence_changes(rng):
    found = schedule(branches(rng, dt=0.001), ["y"])
    assert found.static == found.driven == ()
    assert found.dynamic == ("a", "b", "c", "d", "e", "rate", "y")
    assert found.stateful == ("b", "d")


def test_only_what_is_asked_for_is_computed(rng):
    found = schedule(branches(rng), ["b"])
    assert (found.static, found.dynamic) == (("a",), ("b",))


def test_what_only_an_external_node_would_read_is_not_computed(rng):
    found = schedule(branches(rng), ["y"], {"d": ()})
    assert found.static == ("e", "rate")
    assert found.dynamic == ("d", "y")
    assert found.driven == found.stateful == ("d",)


def test_an_external_node_is_needed_with_what_it_reads(rng):
    found = schedule(branches(rng), ["rate"], {"d": ["b"]})
    assert found.static == ("a", "e", "rate")
    assert found.dynamic == ("b", "d")
    assert found.driven == ("b",)
