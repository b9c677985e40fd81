"""Programs: what they show of each step, and where they are."""

import numpy as np

from snnc import neurons, ops
from snnc.engine.simulate import simulate
from snnc.lowering import LoweringContext, Lowerings
from snnc.program import Program
from snnc.testing import chain


def network():
    graph = chain(
        ops.Input(shape=(3,)),
        neurons.Neurons(model=neurons.SoftResetIf(), scale=1.0),
        ops.Dense(weight=np.eye(3), bias=np.zeros(3)),
        neurons.Neurons(model=neurons.SoftResetIf(), scale=1.0),
        names=["x", "first", "dense", "second"],
    )
    return graph


def test_a_trace_adds_up_to_the_recording_of_a_run():
    graph = network()
    program = Program(graph, LoweringContext(Lowerings("numpy", {})))
    x = {"x": np.array([[0.0, 300.0, 700.0]], np.float32)}
    recording, steps = program.trace(x, 20, ["first", "second"])
    assert steps["first"].shape == (20, 3)
    ran = simulate(graph, x, 20, window=slice(10, 20), watch=["first", "second"])
    for name, values in steps.items():
        assert values.any()
        np.testing.assert_array_equal(np.abs(values).sum(axis=0), ran.totals[name][0])
        np.testing.assert_allclose(values[10:].mean(axis=0), ran.means[name][0], rtol=1e-6)
    np.testing.assert_array_equal(recording.outputs["second"], ran.outputs["second"])


def test_a_trace_goes_on_where_nothing_is_sent_any_more():
    graph = network()
    program = Program(graph, LoweringContext(Lowerings("numpy", {})))
    _, steps = program.trace({"x": np.zeros((1, 3), np.float32)}, 5, ["second"])
    assert steps["second"].shape == (5, 3) and not steps["second"].any()


def test_a_simulator_has_no_cores():
    assert Program(network(), LoweringContext(Lowerings("numpy", {}))).core_map == ()
