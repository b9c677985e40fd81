import numpy as np
import pytest

from snnc import ops
from snnc.passes.decompose_activations import DecomposeActivations
from snnc.testing import apply, assert_same_outputs, chain, kinds


@pytest.mark.parametrize(
    "activation",
    [
        ops.Relu(max_value=6.0),
        ops.Relu(max_value=0.5),
        ops.Relu(negative_slope=0.3),
        ops.Relu(negative_slope=0.1, max_value=1.0),
        ops.PRelu(alpha=np.array([0.1, -0.5, 2.0])),
        ops.HardSigmoid(slope=0.2),
    ],
)
def test_becomes_a_sum_of_plain_relus(activation):
    before = chain(ops.Input(shape=(2, 3)), activation, names=["x", "y"])
    after = apply(DecomposeActivations(), before)
    assert set(kinds(after)) <= {"input", "relu", "affine", "add"}
    assert all(node.op.plain for node in after if isinstance(node.op, ops.Relu))
    assert after.outputs == ("y",)
    assert after["y.2"].origin.layers == ("y",)
    values = np.linspace(-10, 10, 300, dtype=np.float32).reshape(-1, 2, 3)
    assert_same_outputs(before, after, {"x": values})


@pytest.mark.parametrize("activation", [ops.Relu(), ops.Relu(threshold=1.0), ops.Tanh(), ops.Softmax()])
def test_leaves_what_is_plain_or_no_such_sum(activation):
    before = chain(ops.Input(shape=(3,)), activation)
    assert apply(DecomposeActivations(), before) == before
