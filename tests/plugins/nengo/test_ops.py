"""Every op, as an output, in front of neurons and behind them, gives in Nengo what it gives in numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from snnc_nengo.backend import NengoBackend

from snnc.api import (
    Graph,
    LoweringContext,
    Lowerings,
    Neurons,
    Op,
    Synapse,
    UnsupportedOpError,
    neurons,
    op,
    ops,
)
from snnc.testing import random_inputs
from tests.ops.samples import SEVERAL
from tests.plugins.nengo.build import LOWERINGS, RELU, conv, graph, program, relative_errors

R = np.random.default_rng(0)


def per_channel(channels: int) -> ops.BatchNorm:
    gamma, beta, mean = R.normal(size=(3, channels))
    return ops.BatchNorm(gamma=gamma, beta=beta, mean=mean, variance=R.uniform(0.5, 2, size=channels))


def dense(inputs: int, units: int) -> ops.Dense:
    return ops.Dense(weight=R.normal(size=(inputs, units)), bias=R.normal(size=units))


def deconv(size, inputs, outputs, strides, dilation, crops) -> ops.ConvTranspose:
    kernel = R.normal(size=(*size, outputs, inputs))
    bias = R.normal(size=outputs)
    return ops.ConvTranspose(kernel=kernel, bias=bias, strides=strides, dilation=dilation, crops=crops)


CASES: dict[str, tuple[Op, Sequence[tuple[int, ...]]]] = {
    "dense": (dense(5, 3), [(5,)]),
    "dense, one unit": (dense(5, 1), [(5,)]),
    "dense over the last of 2 axes": (dense(5, 3), [(4, 5)]),
    "dense over the last of 4 axes": (dense(5, 3), [(2, 3, 2, 5)]),
    "conv 1d": (conv(R, (3,), 2, 4), [(7, 2)]),
    "conv 1d same, stride 2": (conv(R, (3,), 2, 4, strides=(2,), padding="same"), [(8, 2)]),
    "conv 1d causal": (conv(R, (3,), 2, 4, padding=((2, 0),)), [(7, 2)]),
    "conv 2d": (conv(R, (3, 2), 2, 4), [(6, 7, 2)]),
    "conv 2d same": (conv(R, (3, 2), 2, 4, padding="same"), [(6, 7, 2)]),
    "conv 2d same, strides": (conv(R, (3, 4), 2, 4, strides=(2, 3), padding="same"), [(8, 9, 2)]),
    "conv 2d valid, stride 2 leaves a rest": (conv(R, (3, 3), 1, 4, strides=(2, 2)), [(8, 8, 1)]),
    "conv 2d dilated": (conv(R, (3, 3), 2, 3, dilation=(2, 1)), [(7, 7, 2)]),
    "conv 2d dilated same": (conv(R, (3, 3), 2, 3, dilation=(2, 2), padding="same"), [(7, 6, 2)]),
    "conv 2d padded": (conv(R, (3, 3), 2, 3, strides=(2, 2), padding=((1, 0), (2, 1))), [(6, 6, 2)]),
    "conv 2d, 2 groups": (conv(R, (3, 3), 4, 6, groups=2), [(5, 5, 4)]),
    "conv 2d, 2 groups, dilated": (conv(R, (2, 2), 4, 6, groups=2, dilation=(2, 2)), [(5, 5, 4)]),
    "depthwise, 4 channels": (conv(R, (3, 3), 4, 8, groups=4, padding="same"), [(5, 5, 4)]),
    "depthwise, 16 channels": (conv(R, (3, 3), 16, 32, groups=16, strides=(2, 2), padding="same"), [(5, 5, 16)]),
    "16 groups of 2": (conv(R, (3, 3), 32, 48, groups=16), [(4, 4, 32)]),
    "conv 2d 1x1": (conv(R, (1, 1), 3, 4), [(5, 5, 3)]),
    "conv 3d": (conv(R, (2, 3, 2), 2, 3, strides=(1, 2, 1), padding="same"), [(3, 5, 4, 2)]),
    "avg pool": (ops.AvgPool(size=(2, 2), strides=(2, 2)), [(5, 6, 3)]),
    "avg pool same, overlapping": (ops.AvgPool(size=(3, 3), strides=(2, 2), padding="same"), [(6, 5, 2)]),
    "avg pool 1d": (ops.AvgPool(size=(3,), strides=(1,)), [(6, 2)]),
    "global avg pool": (ops.GlobalAvgPool(), [(3, 4, 5)]),
    "batch norm": (per_channel(3), [(4, 4, 3)]),
    "affine of every element": (ops.Affine(scale=R.normal(size=(3, 2)), shift=R.normal(size=(3, 2))), [(3, 2)]),
    "affine of one number": (ops.Affine(scale=np.float32([2.5]), shift=np.float32([1])), [(3, 2)]),
    "zero pad": (ops.ZeroPad(padding=((1, 2), (0, 1))), [(3, 4, 2)]),
    "reshape": (ops.Reshape(shape=(4, -1)), [(2, 6)]),
    "permute": (ops.Permute(order=(2, 0, 1)), [(2, 3, 4)]),
    "identity": (ops.Identity(), [(2, 3)]),
    "add": (ops.Add(), [(2, 3), (2, 3), (2, 3)]),
    "add, broadcast": (ops.Add(), [(4, 1), (4, 3), (3,)]),
    "concatenate, first axis": (ops.Concatenate(axis=0), [(2, 3), (1, 3)]),
    "concatenate, last axis": (ops.Concatenate(axis=-1), [(2, 2, 3), (2, 2, 1), (2, 2, 2)]),
    "concatenate, vectors": (ops.Concatenate(), [(3,), (4,)]),
    "slice": (ops.Slice(start=(1, 3, 0), size=(2, 2, 1), step=(1, -2, 1)), [(3, 4, 2)]),
    "repeat": (ops.Repeat(times=(2, 3, 1)), [(2, 3, 2)]),
    "resize": (ops.Resize(size=(5, 3)), [(3, 4, 2)]),
    "resize, bicubic": (ops.Resize(size=(7, 6), interpolation="bicubic"), [(4, 4, 2)]),
    "sum": (ops.Sum(axes=(1,)), [(2, 3, 4)]),
    "sum, kept": (ops.Sum(axes=(0, 2), keepdims=True), [(2, 3, 4)]),
    "mean": (ops.Mean(axes=(0, 1)), [(2, 3, 4)]),
    "conv transpose 1d": (deconv((3,), 2, 4, (2,), (1,), ((0, 0),)), [(5, 2)]),
    "conv transpose 2d": (deconv((3, 3), 2, 4, (2, 2), (1, 1), ((0, 1), (1, 0))), [(4, 5, 2)]),
    "conv transpose, wide crops": (deconv((2, 2), 2, 4, (1, 3), (1, 1), ((2, 1), (0, 2))), [(5, 4, 2)]),
    "conv transpose, zeros around": (deconv((2, 2), 2, 4, (2, 1), (1, 1), ((-1, 0), (0, -2))), [(3, 3, 2)]),
    "conv transpose, dilated": (deconv((3, 2), 2, 4, (1, 1), (2, 3), ((1, 1), (0, 0))), [(4, 4, 2)]),
    "conv transpose 3d": (deconv((2, 2, 2), 2, 1, (2, 1, 2), (1, 1, 1), ((0, 0),) * 3), [(2, 3, 2, 2)]),
    "dense in each slice": (ops.EachSlice(op=dense(6, 3)), [(4, 6)]),
    "conv in each slice": (ops.EachSlice(op=conv(R, (2, 2), 2, 3)), [(3, 4, 4, 2)]),
    "sum in each slice": (ops.EachSlice(op=ops.Add()), [(3, 4), (3, 4)]),
    "softmax in each slice": (ops.EachSlice(op=ops.Softmax()), [(3, 4)]),
    **{
        f"{i}, {op.kind} in each slice": (ops.EachSlice(op=op), [(3, *shape) for shape in shapes])
        for i, (op, shapes) in enumerate(SEVERAL)
    },
    "time filter": (ops.TimeFilter(tau=R.uniform(size=2), initial=R.normal(size=2), dt=0.5), [(4, 2)]),
    "multiply": (ops.Multiply(), [(2, 3), (2, 1), (3,)]),
    "maximum": (ops.Maximum(), [(2, 3), (2, 3)]),
    "minimum": (ops.Minimum(), [(2, 3), (2, 3)]),
    "divide": (ops.Divide(), [(2, 3), (2, 3)]),
    "einsum": (ops.Einsum(equation="ij,jk->ik"), [(2, 3), (3, 4)]),
    "clip": (ops.Clip(low=-0.5, high=0.5), [(6,)]),
    "abs": (ops.Function(name="abs"), [(6,)]),
    "mish": (ops.Mish(), [(6,)]),
    "square": (ops.Power(exponent=2.0), [(6,)]),
    "not equal": (ops.NotEqual(value=0.0), [(6,)]),
    "max": (ops.Max(axes=(1,)), [(2, 3)]),
    "min": (ops.Min(axes=(0,)), [(2, 3)]),
    "standardize": (ops.Standardize(axes=(1,)), [(2, 3)]),
    "unit norm": (ops.UnitNorm(axes=(1,)), [(2, 3)]),
    "masked mean": (ops.MaskedMean(), [(4, 3), (4,)]),
    "embedding": (ops.Embedding(table=R.normal(size=(5, 2))), [(3,)]),
    "simple rnn": (
        ops.SimpleRnn(kernel=R.normal(size=(2, 3)), recurrent=R.normal(size=(3, 3)), bias=R.normal(size=3)),
        [(4, 2)],
    ),
    "max pool": (ops.MaxPool(size=(2, 2), strides=(1, 1), padding="same"), [(4, 4, 2)]),
    "global max pool": (ops.GlobalMaxPool(), [(3, 3, 2)]),
    "softmax": (ops.Softmax(), [(5,)]),
    "log softmax over the first axis": (ops.LogSoftmax(axis=0), [(3, 4)]),
    "prelu": (ops.PRelu(alpha=np.float32([0.1, 0.2])), [(3, 2)]),
    "relu with a ceiling": (ops.Relu(max_value=0.5, negative_slope=0.1), [(6,)]),
    "hard sigmoid": (ops.HardSigmoid(slope=0.2), [(6,)]),
    **{
        cls.kind: (cls(), [(6,)])
        for cls in (
            ops.Relu,
            ops.Elu,
            ops.Selu,
            ops.Gelu,
            ops.Swish,
            ops.Sigmoid,
            ops.HardSwish,
            ops.Tanh,
            ops.Softplus,
            ops.Softsign,
            ops.Exponential,
        )
    },
    "dense with an activation": (ops.Dense(weight=np.eye(3), bias=np.ones(3), activation=ops.Elu()), [(3,)]),
    "relu neurons": (RELU, [(3, 2)]),
    "relu neurons, scaled": (Neurons(model=neurons.ReluRate(), scale=0.01), [(3, 2)]),
    "relu neurons, scaled by channel": (Neurons(model=neurons.ReluRate(), scale=np.float32([0.5, 3])), [(3, 2)]),
    "sigmoid neurons": (Neurons(model=neurons.SigmoidRate()), [(3, 2)]),
    "sigmoid neurons, scaled": (Neurons(model=neurons.SigmoidRate(), scale=0.5), [(3, 2)]),
    "tanh neurons": (Neurons(model=neurons.TanhRate()), [(3, 2)]),
    "lif-rate neurons": (Neurons(model=neurons.LifRate(tau_rc=0.03), scale=0.01), [(3, 2)]),
}


def in_a_row(op: Op, shapes: Sequence[tuple[int, ...]]) -> dict[str, Graph]:
    """Return the op alone, in front of neurons and a dense layer, and behind biased neurons."""
    g = Graph("alone")
    for i, shape in enumerate(shapes):
        g.add(f"x{i}", ops.Input(shape=shape))
    g.add("op", op, [f"x{i}" for i in range(len(shapes))])
    alone, size = g.copy(), g["op"].type.size
    g.add("neurons", RELU, ["op"])
    g.add("flat", ops.Reshape(shape=(-1,)), ["neurons"])
    g.add("read", dense(size, 3), ["flat"])
    before = Graph("behind")
    for i, shape in enumerate(shapes):
        before.add(f"x{i}", ops.Input(shape=shape))
        before.add(f"bias{i}", ops.Affine(scale=np.ones(1), shift=R.normal(size=shape)), [f"x{i}"])
        before.add(f"neurons{i}", RELU, [f"bias{i}"])
        before.add(f"shift{i}", ops.Affine(scale=-np.ones(1), shift=np.ones(1)), [f"neurons{i}"])
    before.add("op", op, [f"shift{i}" for i in range(len(shapes))])
    alone.set_outputs({"op": "op"})
    g.set_outputs({"read": "read"})
    before.set_outputs({"op": "op"})
    return {"alone": alone, "before neurons": g, "behind neurons": before}


@pytest.mark.parametrize("name", CASES)
def test_an_op_gives_what_it_gives_in_numpy(name: str) -> None:
    for where, g in in_a_row(*CASES[name]).items():
        inputs = random_inputs(g, 2)
        want = g.evaluate(inputs)
        got = program(g).run(inputs, 2)
        for step in range(2):
            errors = relative_errors({o: y[:, step] for o, y in got.outputs.items()}, want)
            assert max(errors.values()) < 1e-6, f"{where}, step {step}"


@pytest.mark.parametrize("name", CASES)
def test_an_op_makes_no_dense_matrix_but_of_its_own_weights(name: str) -> None:
    op, shapes = CASES[name]
    g = in_a_row(op, shapes)["alone"]
    weights = [w for w in op.attrs().values() if isinstance(w, np.ndarray)]
    for connection in program(g).network.all_connections:
        init = getattr(connection.transform, "init", None)
        if isinstance(init, np.ndarray) and init.ndim > 1:
            assert any(np.count_nonzero(init) == np.count_nonzero(w) for w in weights), connection


@pytest.mark.parametrize("model", [neurons.Lowpass(tau=0.005), neurons.Alpha(tau=0.003)])
def test_a_synapse_settles_at_its_input(model: neurons.SynapseModel) -> None:
    g = graph(["filtered"], x=((3,),), neurons=(RELU, "x"), filtered=(Synapse(model=model), "neurons"))
    inputs = random_inputs(g, 2)
    y = program(g).run(inputs, 100).outputs["filtered"]
    want = g.evaluate(inputs)["filtered"]
    assert relative_errors({"y": y[:, -1]}, {"y": want})["y"] < 1e-6
    assert np.all(y[:, 0] == 0)


def test_a_lowpass_is_the_zero_order_hold_filter_one_step_late() -> None:
    tau, dt, steps = 0.005, 0.001, 6
    g = graph(["y"], x=((2,),), y=(Synapse(model=neurons.Lowpass(tau=tau)), "x"))
    y = program(g).run({"x": np.ones((1, 2), np.float32)}, steps).outputs["y"]
    assert np.allclose(y[0, :, 0], 1 - np.exp(-dt / tau * np.arange(steps)), atol=1e-6)


@op
class Unknown(Op):
    kind = "unknown"

    def infer(self, *inputs):
        return inputs[0]

    def evaluate(self, *inputs):
        return inputs[0]


@op
class Strange(neurons.ReluRate):
    kind = "strange"


@op
class Odd(neurons.Lowpass):
    kind = "odd"


def test_an_op_without_a_lowering_runs_on_the_host() -> None:
    g = graph(["b"], x=((2,),), a=(Unknown(), "x"), b=(Unknown(), "a"))
    inputs = random_inputs(g, 2)
    assert np.array_equal(program(g).run(inputs, 1).outputs["b"][:, 0], inputs["x"])


def test_all_ops_without_a_lowering_are_named_where_there_is_none_for_all_ops() -> None:
    g = graph(["b"], x=((2,),), a=(Unknown(), "x"), b=(Unknown(), "a"))
    table = {cls: function for cls, function in LOWERINGS.table.items() if cls is not Op}
    with pytest.raises(UnsupportedOpError, match=r"'nengo' cannot build 2 op\(s\): node 'a' \(unknown\).*'b'"):
        NengoBackend().lower(g, LoweringContext(Lowerings("nengo", table)))


def test_neurons_and_synapses_of_models_of_ones_own_run_by_their_rules() -> None:
    own = graph(["s"], x=((2,),), n=(Neurons(model=Strange()), "x"), s=(Synapse(model=Odd(tau=0.005)), "n"))
    ours = graph(["s"], x=((2,),), n=(RELU, "x"), s=(Synapse(model=neurons.Lowpass(tau=0.005)), "n"))
    inputs = random_inputs(ours, 2)
    got, want = (program(g).run(inputs, 5).outputs["s"] for g in (own, ours))
    assert np.allclose(got, want, atol=1e-6) and np.any(want)
