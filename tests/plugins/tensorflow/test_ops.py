"""Every op: what TensorFlow computes is what the op's numpy says."""

import numpy as np
import pytest

from snnc.api import (
    Causal,
    Graph,
    LoweringContext,
    LoweringError,
    Lowerings,
    Op,
    Stateful,
    UnsupportedOpError,
    for_batch,
    neurons,
    op,
    ops,
)
from snnc.builtin import snnc_register_ops
from snnc.ops.functions import FUNCTIONS
from snnc.ops.recurrent import Gru
from tests.conftest import conv, dense
from tests.ops.samples import OPS
from tests.plugins.tensorflow.build import LOWERINGS, program, tf

from snnc_tensorflow.lowered_graph import LoweredGraph  # isort: skip

_rng = np.random.default_rng(11)
MORE = [
    (conv(_rng, (3,), 4, 4, strides=(2,), groups=4, padding="same"), [(7, 4)]),
    (conv(_rng, (3, 2), 4, 8, strides=(1, 1), groups=4, padding="same"), [(7, 6, 4)]),
    (conv(_rng, (3, 2), 4, 8, strides=(2, 1), groups=4), [(7, 6, 4)]),
    (conv(_rng, (3, 2), 4, 8, dilation=(2, 2), groups=4), [(7, 6, 4)]),
    (conv(_rng, (3, 3), 4, 6, groups=2, strides=(2, 2), padding="same"), [(7, 6, 4)]),
    (conv(_rng, (3, 3), 2, 3, strides=(2, 2), padding=((0, 1), (0, 1))), [(6, 6, 2)]),
    (conv(_rng, (2,), 3, 4, dilation=(2,), padding=((3, 1),)), [(7, 3)]),
    (conv(_rng, (2, 2, 2), 2, 3, padding="same", activation=ops.Relu()), [(3, 4, 3, 2)]),
    (ops.AvgPool(size=(3,), strides=(2,), padding=((1, 1),)), [(8, 2)]),
    (ops.MaxPool(size=(2, 2, 2), strides=(1, 2, 1), padding="same"), [(3, 4, 3, 2)]),
    (ops.Relu(), [(2, 3)]),
    (ops.Gelu(approximate=True), [(4,)]),
    (ops.Relu(max_value=0.5), [(4,)]),
    (ops.Affine(scale=np.ones(1), shift=np.zeros(1)), [(4,)]),
    (ops.Standardize(axes=(1,), center=False), [(2, 3)]),
    (
        Gru(
            kernel=_rng.normal(size=(2, 9)),
            recurrent=_rng.normal(size=(3, 9)),
            bias=_rng.normal(size=9),
            reset_after=False,
            gives="state",
            masked=True,
            zero_masked=True,
        ),
        [(4, 2), (4,)],
    ),
    *((ops.Function(name=name), [(4,)]) for name in FUNCTIONS),
    *(
        (neurons.Neurons(model=model, scale=np.float32([0.5, 0.25, 1])), [(2, 3)])
        for model in (neurons.ReluRate(), neurons.SigmoidRate(max_rate=3.0), neurons.TanhRate(), neurons.LifRate())
    ),
]
SAMPLES = [s for s in [*OPS, *MORE] if s[0].arity != 0]

DOMAINS = {"acosh": (1.1, 2.9), **dict.fromkeys(("acos", "asin", "atanh", "erfinv"), (-0.9, 0.9))}
"""Of functions that are not defined everywhere."""


def one_op(op, shapes):
    graph = Graph("one")
    for i, shape in enumerate(shapes):
        graph.add(f"x{i}", ops.Input(shape=shape))
    graph.add("y", op, [f"x{i}" for i in range(len(shapes))])
    graph.set_outputs({"y": "y"})
    return graph


def test_every_built_in_op_has_a_lowering_and_a_sample():
    built_in = {cls for cls in snnc_register_ops() if cls.arity != 0}
    assert built_in == {type(op) for op, _ in SAMPLES}
    assert not [op for op, _ in SAMPLES if LOWERINGS.on_host(op)]
    assert not [cls for cls in LOWERINGS.table if not any(isinstance(op, cls) for op, _ in SAMPLES)]


@pytest.mark.parametrize(("op", "shapes"), SAMPLES, ids=lambda v: v.kind if hasattr(v, "kind") else "")
def test_tensorflow_computes_what_numpy_does(op, shapes):
    rng = np.random.default_rng(5)
    low, high = DOMAINS.get(getattr(op, "name", ""), (0.1, 1.9))
    inputs = [rng.uniform(low, high, size=(3, *shape)).astype(np.float32) for shape in shapes]
    if op.kind == "masked-mean" or getattr(op, "masked", False):
        inputs[1] = (inputs[1] > 0.7).astype(np.float32)
    graph = one_op(op, shapes)
    machine = LoweredGraph(graph, LoweringContext(LOWERINGS))
    if not (isinstance(op, Stateful) and op.stateful):
        got = machine.call("y", {f"x{i}": tf.constant(x) for i, x in enumerate(inputs)})
        want = op.evaluate(*inputs)
        assert got.shape == want.shape and np.allclose(got, want, rtol=1e-5, atol=1e-6)
        return
    types = tuple(graph[s].type for s in graph.sources("y"))
    state, theirs = for_batch(op.start(types, rng), 3), machine.start(3)["y"]
    theirs |= {name: tf.constant(value.copy()) for name, value in state.items() if name in theirs}
    for _ in range(30):
        inputs = [rng.normal(1, 2, size=x.shape).astype(np.float32) for x in inputs]
        want = op.step(state, 0.001, *inputs)
        values = dict(zip(graph.sources("y"), inputs, strict=True))
        got, theirs = machine.steps["y"].step(theirs, machine.drive("y", values))
        assert np.allclose(got, want, rtol=1e-5, atol=1e-4)


class Change(Causal):
    kind = "change"

    def infer(self, *inputs):
        return inputs[0]

    def start(self, inputs, rng):
        return {"before": np.zeros(inputs[0].shape, dtype=np.float32)}

    def rule(self, xp, drive, state):
        (x,) = drive
        return xp.abs(x - state["before"]), {"before": x}


class InNumpy(Change):
    kind = "change-in-numpy"

    def step(self, state, dt, *inputs):
        y, state["before"] = np.abs(inputs[0] - state["before"]), inputs[0]
        return y


@pytest.mark.parametrize("cls", [Change, InNumpy])
def test_a_stream_of_a_plugin_runs_by_its_rule_or_else_in_numpy(cls, rng):
    graph = Graph("stream")
    graph.add("x", ops.Input(shape=(3,), dt=0.001))
    graph.add("y", op(cls)(), ["x"])
    graph.set_outputs({"y": "y"})
    x = rng.normal(size=(2, 9, 3)).astype(np.float32)
    built = program(graph)
    assert LoweredGraph(graph, LoweringContext(LOWERINGS)).on_host == (["y"] if cls is InNumpy else [])
    want = np.abs(np.diff(x, axis=1, prepend=np.float32(0)))
    assert np.array_equal(built.run({"x": x}, 9).outputs["y"], want)
    assert np.array_equal(graph.evaluate(x)["y"], want)


def test_what_has_no_lowering_is_refused_by_name_without_one_for_all_ops():
    table = {k: v for k, v in LOWERINGS.table.items() if k not in (ops.PureOp, Op)}
    graph = one_op(dense(_rng, 3, 2), [(3,)])
    graph.insert_after("y", "odd", ops.Mish())
    with pytest.raises(UnsupportedOpError, match="'tensorflow'.*node 'odd' .mish."):
        LoweredGraph(graph, LoweringContext(Lowerings("tensorflow", table)))
    graph = one_op(dense(_rng, 3, 2, ops.Mish()), [(3,)])
    with pytest.raises(UnsupportedOpError, match="node 'y' .mish.: add a lowering"):
        LoweredGraph(graph, LoweringContext(Lowerings("tensorflow", table)))
    with pytest.raises(LoweringError, match="node 'y'.*4 axes"):
        program(one_op(conv(_rng, (1, 1, 1, 1), 1, 1), [(2, 2, 2, 2, 1)]))
