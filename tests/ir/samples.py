"""One instance of every built-in op, with the shapes of inputs that it takes."""

import numpy as np

from snnc.ir import activations as act
from snnc.ir import causal, combine, deferred, functions, neurons, ops, recurrent, reduce, resample
from snnc.ir.slices import EachSlice
from snnc.ir.spiking_pool import SpikingMaxPool
from snnc.ir.transposed import ConvTranspose
from tests.conftest import batch_norm, conv, dense

_rng = np.random.default_rng(7)

OPS = [
    (ops.Input(shape=(2, 3)), []),
    (ops.Identity(), [(3,)]),
    (dense(_rng, 3, 4, act.Relu()), [(2, 3)]),
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
    (act.Relu(negative_slope=0.1, threshold=0.2, max_value=0.7), [(4,)]),
    (act.PRelu(alpha=_rng.normal(size=(1, 3))), [(2, 3)]),
    (act.Elu(alpha=0.5), [(4,)]),
    (act.Selu(), [(4,)]),
    (act.Gelu(), [(4,)]),
    (act.Swish(), [(4,)]),
    (act.Sigmoid(), [(4,)]),
    (act.HardSigmoid(slope=0.2), [(4,)]),
    (act.HardSwish(), [(4,)]),
    (act.Tanh(), [(4,)]),
    (act.Pulsed(activation=act.Tanh()), [(4,)]),
    (act.Softplus(), [(4,)]),
    (act.Softsign(), [(4,)]),
    (act.Exponential(), [(4,)]),
    (act.Softmax(), [(2, 4)]),
    (act.LogSoftmax(axis=0), [(2, 4)]),
    (deferred.Deferred(activation=act.Softmax()), [(3,)]),
    (neurons.Neurons(model=neurons.Lif(tau_rc=0.05), scale=0.01), [(4,)]),
    (neurons.Synapse(model=neurons.Alpha(tau=0.01)), [(4,)]),
    (combine.Multiply(), [(2, 3), (2, 1), (3,)]),
    (combine.Maximum(), [(2, 3), (3,)]),
    (combine.Minimum(), [(3,), (2, 3)]),
    (combine.Divide(), [(2, 3), (3,)]),
    (combine.Einsum(equation="ij,jk->ki"), [(2, 3), (3, 4)]),
    (functions.Function(name="sqrt"), [(4,)]),
    (functions.Power(exponent=3.0), [(4,)]),
    (functions.Clip(low=0.3, high=0.6), [(4,)]),
    (functions.Mish(), [(4,)]),
    (functions.NotEqual(value=0.0), [(4,)]),
    (reduce.Sum(axes=(0, 2)), [(2, 3, 4)]),
    (reduce.Mean(axes=(1,), keepdims=True), [(2, 3, 4)]),
    (reduce.Max(axes=(0,)), [(2, 3)]),
    (reduce.Min(axes=(1,)), [(2, 3)]),
    (reduce.MaskedMean(), [(4, 3), (4,)]),
    (reduce.Standardize(axes=(0, 1)), [(2, 3)]),
    (reduce.UnitNorm(axes=(1,)), [(2, 3)]),
    (resample.Slice(start=(1, 4), size=(2, 3), step=(1, -2)), [(3, 5)]),
    (resample.Repeat(times=(2, 1, 3)), [(2, 3, 1)]),
    (resample.Resize(size=(5, 2)), [(3, 4, 2)]),
    (resample.Embedding(table=_rng.normal(size=(3, 2))), [(4,)]),
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
        recurrent.SimpleRnn(
            kernel=_rng.normal(size=(2, 3)), recurrent=_rng.normal(size=(3, 3)), bias=_rng.normal(size=3)
        ),
        [(4, 2)],
    ),
    (
        recurrent.Lstm(
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
        recurrent.Gru(
            kernel=_rng.normal(size=(2, 9)),
            recurrent=_rng.normal(size=(3, 9)),
            bias=_rng.normal(size=(2, 9)),
            backwards=True,
        ),
        [(4, 2)],
    ),
    (recurrent.TimeFilter(tau=np.full(3, 0.01), initial=np.ones(3), order=2), [(4, 3)]),
    (EachSlice(op=ops.GlobalAvgPool()), [(2, 3, 4)]),
    (causal.LastStep(), [(2, 3)]),
    (causal.DelayLine(taps=3, dilation=2), [(2, 3)]),
    (causal.Running(function="max"), [(2, 3)]),
    (
        causal.Cell(
            op=recurrent.SimpleRnn(
                kernel=_rng.normal(size=(2, 3)),
                recurrent=_rng.normal(size=(3, 3)),
                bias=_rng.normal(size=3),
                masked=True,
            )
        ),
        [(2,), ()],
    ),
    (causal.Filter(op=recurrent.TimeFilter(tau=np.full(3, 0.01), initial=np.ones(3))), [(3,)]),
]
