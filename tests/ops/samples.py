"""One instance of every built-in op, with the shapes of inputs that it takes."""

import numpy as np

from snnc import neurons, ops
from snnc.ops.conv_transpose import ConvTranspose
from snnc.ops.each_slice import EachSlice
from snnc.ops.spiking_max_pool import SpikingMaxPool
from snnc.ops.stateful import Stateful
from tests.conftest import batch_norm, conv, dense

_rng = np.random.default_rng(7)

OPS = [
    (ops.Input(shape=(2, 3)), []),
    (ops.Identity(), [(3,)]),
    (dense(_rng, 3, 4, ops.Relu()), [(2, 3)]),
    (dense(_rng, 3, 4), [(2, 3)]),
    (conv(_rng, (3, 3), 2, 4, padding="same", strides=(2, 1)), [(5, 6, 2)]),
    (ops.AvgPool(size=(2, 2), strides=(2, 1), padding="same"), [(5, 6, 2)]),
    (ops.MaxPool(size=(2,), strides=(2,)), [(5, 2)]),
    (SpikingMaxPool(size=(2, 3), strides=(1, 2), padding="same"), [(5, 6, 2)]),
    (ops.GlobalAvgPool(), [(4, 5, 2)]),
    (ops.GlobalMaxPool(), [(4, 5, 2)]),
    (batch_norm(_rng, 3), [(2, 3)]),
    (ops.Affine(scale=_rng.normal(size=(2, 1)), shift=_rng.normal(size=3)), [(2, 3)]),
    (ops.ZeroPad(padding=((1, 0), (2, 1))), [(3, 4, 2)]),
    (ops.Reshape(shape=(3, -1)), [(2, 6)]),
    (ops.Permute(order=(2, 0, 1)), [(2, 3, 4)]),
    (ops.Add(), [(2, 3), (2, 1), (3,)]),
    (ops.Concatenate(axis=0), [(2, 3), (1, 3)]),
    (ops.Relu(negative_slope=0.1, threshold=0.2, max_value=0.7), [(4,)]),
    (ops.PRelu(alpha=_rng.normal(size=(1, 3))), [(2, 3)]),
    (ops.Linear(), [(4,)]),
    (ops.Elu(alpha=0.5), [(4,)]),
    (ops.Selu(), [(4,)]),
    (ops.Gelu(), [(4,)]),
    (ops.Swish(), [(4,)]),
    (ops.Sigmoid(), [(4,)]),
    (ops.HardSigmoid(slope=0.2), [(4,)]),
    (ops.HardSwish(), [(4,)]),
    (ops.Tanh(), [(4,)]),
    (ops.SpikingActivation(activation=ops.Tanh()), [(4,)]),
    (ops.Softplus(), [(4,)]),
    (ops.Softsign(), [(4,)]),
    (ops.Squareplus(), [(4,)]),
    (ops.Exponential(), [(4,)]),
    (ops.Softmax(), [(2, 4)]),
    (ops.LogSoftmax(axis=0), [(2, 4)]),
    (ops.ReadOutActivation(activation=ops.Softmax()), [(3,)]),
    (neurons.Neurons(model=neurons.Lif(tau_rc=0.05), scale=0.01), [(4,)]),
    (neurons.Synapse(model=neurons.Alpha(tau=0.01)), [(4,)]),
    (ops.Difference(), [(2, 3)]),
    (ops.Increment(), [(2, 3)]),
    (ops.Accumulate(initial=_rng.normal(size=3)), [(2, 3)]),
    (ops.Multiply(), [(2, 3), (2, 1), (3,)]),
    (ops.Maximum(), [(2, 3), (3,)]),
    (ops.Minimum(), [(3,), (2, 3)]),
    (ops.Divide(), [(2, 3), (3,)]),
    (ops.Einsum(equation="ij,jk->ki"), [(2, 3), (3, 4)]),
    (ops.Einsum(equation="abc,Abc->baA"), [(2, 3, 4), (5, 3, 4)]),
    (ops.Function(name="sqrt"), [(4,)]),
    (ops.Power(exponent=3.0), [(4,)]),
    (ops.Clip(low=0.3, high=0.6), [(4,)]),
    (ops.Mish(), [(4,)]),
    (ops.NotEqual(value=0.0), [(4,)]),
    (ops.Pairwise(name="hypot"), [(2, 3), (3,)]),
    (ops.Where(), [(3,), (2, 3), (2, 1)]),
    (ops.Threshold(threshold=0.5, value=-1.0), [(4,)]),
    (ops.Shrink(threshold=0.3, soft=True), [(4,)]),
    (ops.Celu(alpha=0.7), [(4,)]),
    (ops.Sparsemax(axis=0), [(4, 2)]),
    (ops.Glu(), [(3, 4)]),
    (ops.Sum(axes=(0, 2)), [(2, 3, 4)]),
    (ops.Mean(axes=(1,), keepdims=True), [(2, 3, 4)]),
    (ops.Max(axes=(0,)), [(2, 3)]),
    (ops.Min(axes=(1,)), [(2, 3)]),
    (ops.Prod(axes=(0, 1)), [(2, 3, 4)]),
    (ops.Variance(axes=(1,), keepdims=True), [(2, 3)]),
    (ops.Norm(axes=(0,), order=3.0), [(2, 3)]),
    (ops.LogSumExp(axes=(1,)), [(2, 3)]),
    (ops.Sort(axis=0), [(4, 2)]),
    (ops.ArgSort(axis=1, descending=True), [(2, 4)]),
    (ops.CumulativeProduct(axis=0), [(4, 2)]),
    (ops.TakeAlong(axis=0), [(3, 2), (5, 2)]),
    (ops.MaskedMean(), [(4, 3), (4,)]),
    (ops.Standardize(axes=(0, 1)), [(2, 3)]),
    (ops.Standardize(axes=(1,), keep_mean=True), [(2, 3)]),
    (ops.UnitNorm(axes=(1,)), [(2, 3)]),
    (ops.Slice(start=(1, 4), size=(2, 3), step=(1, -2)), [(3, 5)]),
    (ops.Take(axis=1, indices=(3, 0, 3)), [(2, 4, 2)]),
    (ops.Repeat(times=(2, 1, 3)), [(2, 3, 1)]),
    (ops.Resize(size=(5, 2)), [(3, 4, 2)]),
    (ops.Embedding(table=_rng.normal(size=(3, 2))), [(4,)]),
    (
        ConvTranspose(
            kernel=_rng.normal(size=(3, 2, 4, 2)),
            bias=_rng.normal(size=4),
            strides=(2, 3),
            dilation=(1, 1),
            crops=((1, 0), (0, -1)),
        ),
        [(3, 4, 2)],
    ),
    (
        ops.SimpleRnn(kernel=_rng.normal(size=(2, 3)), recurrent=_rng.normal(size=(3, 3)), bias=_rng.normal(size=3)),
        [(4, 2)],
    ),
    (
        ops.Lstm(
            kernel=_rng.normal(size=(2, 12)),
            recurrent=_rng.normal(size=(3, 12)),
            bias=_rng.normal(size=12),
            gives="cell",
            masked=True,
            states=2,
        ),
        [(4, 2), (4,), (3,), (3,)],
    ),
    (
        ops.Gru(
            kernel=_rng.normal(size=(2, 9)),
            recurrent=_rng.normal(size=(3, 9)),
            bias=_rng.normal(size=(2, 9)),
            backwards=True,
        ),
        [(4, 2)],
    ),
    (
        ops.ConvLstm(
            kernel=_rng.normal(size=(2, 3, 2, 12)),
            recurrent=_rng.normal(size=(2, 3, 3, 12)),
            bias=_rng.normal(size=12),
            strides=(1, 2),
            dilation=(1, 1),
            padding="same",
            masked=True,
        ),
        [(3, 4, 5, 2), (3,)],
    ),
    (ops.TimeFilter(tau=np.full(3, 0.01), initial=np.ones(3), order=2), [(4, 3)]),
    (
        ops.SparseMap(
            rows=np.array([0, 2, 2, 5]), columns=np.array([3, 0, 1, 3]), values=np.arange(1, 5), shape=(2, 3)
        ),
        [(2, 2)],
    ),
    (ops.Shift(shift=_rng.normal(size=(2, 3))), [(2, 3)]),
    (EachSlice(op=ops.GlobalAvgPool()), [(2, 3, 4)]),
    (ops.LastStep(), [(2, 3)]),
    (ops.DelayLine(taps=3, dilation=2), [(2, 3)]),
    (ops.Running(function="max"), [(2, 3)]),
    (
        ops.Cell(
            op=ops.SimpleRnn(
                kernel=_rng.normal(size=(2, 3)),
                recurrent=_rng.normal(size=(3, 3)),
                bias=_rng.normal(size=3),
                masked=True,
            )
        ),
        [(2,), ()],
    ),
    (ops.Filter(op=ops.TimeFilter(tau=np.full(3, 0.01), initial=np.ones(3))), [(3,)]),
]

SEVERAL = [(op, shapes) for op, shapes in OPS if len(shapes) > 1 and not isinstance(op, Stateful)]
OPS += [(EachSlice(op=op), [(3, *shape) for shape in shapes]) for op, shapes in SEVERAL]
