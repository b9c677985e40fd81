import numpy as np

from snnc import ops
from snnc.ir.graph import Graph
from snnc.ops.read_out_activation import ReadOutActivation, stepwise
from snnc.passes.defer_final_activation import DeferFinalActivation
from snnc.testing import apply, assert_same_outputs, chain, kinds, random_inputs
from tests.conftest import dense


def test_a_final_softmax_leaves_the_time_loop_and_keeps_its_meaning(rng):
    before = chain(ops.Input(shape=(4,)), dense(rng, 4, 3), ops.Softmax(), names=["x", "logits", "out"])
    after = apply(DeferFinalActivation(), before)
    assert after["out"].op == ReadOutActivation(activation=ops.Softmax())
    assert_same_outputs(before, after)
    x = random_inputs(before)
    running = stepwise(after)
    assert kinds(running) == ["input", "dense", "identity"]
    assert np.allclose(running.evaluate(x)["out"], chain(*(n.op for n in list(before)[:2])).evaluate(x["x"])["dense"])


def test_an_activation_that_something_reads_stays(rng):
    graph = Graph()
    graph.add("x", ops.Input(shape=(3,)))
    graph.add("soft", ops.Softmax(), ["x"])
    graph.add("more", dense(rng, 3, 3), ["soft"])
    graph.set_outputs({"soft": "soft", "more": "more"})
    assert apply(DeferFinalActivation(), graph) == graph
