"""One instance of every built-in op, with the shapes of inputs that it takes."""

import numpy as np

from snnc.ir import activations as act
from snnc.ir import neurons, ops
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
    (act.Softplus(), [(4,)]),
    (act.Softsign(), [(4,)]),
    (act.Exponential(), [(4,)]),
    (act.Softmax(), [(2, 4)]),
    (act.LogSoftmax(axis=0), [(2, 4)]),
    (neurons.Neurons(model=neurons.Lif(tau_rc=0.05), scale=0.01), [(4,)]),
    (neurons.Synapse(model=neurons.Alpha(tau=0.01)), [(4,)]),
]
