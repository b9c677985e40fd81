import numpy as np

from snnc.engine.answers import decode, finish, finish_each
from snnc.engine.read_out import MeanReadOut
from snnc.ops.read_out_activation import read_values, stepwise
from snnc.passes.defer_final_activation import DeferFinalActivation
from snnc.testing import apply, random_inputs
from tests.passes.test_defer_final_activation import ensemble


def test_what_is_read_out_and_the_tail_give_the_outputs_of_the_graph(rng):
    graph = apply(DeferFinalActivation(), ensemble(rng))
    x = random_inputs(graph)
    want, read = graph.evaluate(x), stepwise(graph).evaluate(x)
    got = finish(graph, read)
    assert list(got) == ["average", "first", "logits"]
    assert all(np.array_equal(got[name], y) for name, y in want.items())
    every = finish_each(graph, {name: np.stack([y, 2 * y], axis=1) for name, y in read.items()})
    assert all(np.array_equal(every[name][:, 0], y) for name, y in want.items())
    assert every["average"].shape == (*next(iter(x.values())).shape[:1], 2, 3)


def test_the_tail_sees_the_mean_and_not_every_step(rng):
    graph = apply(DeferFinalActivation(), ensemble(rng))
    read = stepwise(graph).evaluate(random_inputs(graph))
    jumping = {name: np.stack([9 * y, -7 * y], axis=1) for name, y in read.items()}
    got, want = decode(graph, jumping, MeanReadOut(start=0.0), 0.001), finish(graph, read)
    assert np.allclose(got["average"], want["average"], atol=1e-5)
    assert not np.allclose(finish_each(graph, jumping)["average"].mean(axis=1), want["average"], atol=0.05)


def test_outputs_that_nothing_is_deferred_of_are_what_they_were(rng):
    graph = ensemble(rng)
    assert read_values(graph) == dict(graph.output_nodes)
    values = graph.evaluate(random_inputs(graph))
    assert finish(graph, values) == values
