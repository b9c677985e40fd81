"""Every registered op, over the registry: types, values, round trip."""

import itertools

import numpy as np
import pytest

from snnc import builtin, neurons, ops
from snnc.errors import GraphError, ShapeError
from snnc.ir.graph import Graph
from snnc.ir.types import TensorType
from snnc.ops.conv_transpose import ConvTranspose
from tests.conftest import batch_norm, conv, dense
from tests.ops.samples import OPS

KINDS = {op.kind: op for op in builtin.snnc_register_ops()}


def test_there_is_a_sample_of_every_registered_op():
    assert len(KINDS) > 30
    assert set(KINDS) == {op.kind for op, _ in OPS}


@pytest.mark.parametrize(("op", "shapes"), OPS, ids=lambda v: getattr(v, "kind", ""))
def test_infer_agrees_with_evaluate(op, shapes, rng):
    if op.arity == 0:
        assert op.infer().shape == tuple(op.shape)
        return
    inputs = [rng.uniform(0.1, 0.9, size=(2, *shape)).astype(np.float32) for shape in shapes]
    y = np.asarray(op.evaluate(*inputs))
    assert y.shape == (2, *op.infer(*(TensorType(shape) for shape in shapes)).shape)
    assert y.dtype in (np.float32, np.float64)
    assert np.isfinite(y).all()


@pytest.mark.parametrize(("op", "shapes"), OPS, ids=lambda v: getattr(v, "kind", ""))
def test_samples_do_not_depend_on_each_other(op, shapes, rng):
    if op.arity == 0:
        return
    inputs = [rng.uniform(0.1, 0.9, size=(3, *shape)).astype(np.float32) for shape in shapes]
    alone = op.evaluate(*(x[1:2] for x in inputs))
    assert np.allclose(op.evaluate(*inputs)[1:2], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("op", "shapes"), OPS, ids=lambda v: getattr(v, "kind", ""))
def test_how_an_input_lies_in_memory_does_not_matter(op, shapes, rng):
    if op.arity == 0:
        return
    inputs = [rng.uniform(0.1, 0.9, size=(3, *shape)).astype(np.float32) for shape in shapes]
    want = op.evaluate(*inputs)
    for laid_out in (np.asfortranarray, lambda x: x.repeat(2, axis=-1)[..., ::2], lambda x: x[::-1].copy()[::-1]):
        assert np.allclose(op.evaluate(*map(laid_out, inputs)), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("op", "shapes"), OPS, ids=lambda v: getattr(v, "kind", ""))
def test_an_affine_op_is_affine(op, shapes, rng):
    if not op.is_linear:
        return
    a, b = ([rng.normal(size=(1, *shape)).astype(np.float32) for shape in shapes] for _ in range(2))
    zero = op.evaluate(*(np.zeros_like(x) for x in a))
    joint = op.evaluate(*(x + y for x, y in zip(a, b, strict=True)))
    assert np.allclose(joint + zero, op.evaluate(*a) + op.evaluate(*b), rtol=1e-4, atol=1e-4)


def naive_conv(x, op):
    """Return a convolution by the definition, one multiplication at a time."""
    pads = op.pads(x.shape[1:-1])
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    groups, per_in = op.groups, op.kernel.shape[-2]
    per_out = op.kernel.shape[-1] // groups
    space = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, s, d in zip(x.shape[1:-1], op.size, op.strides, op.dilation, strict=True)
    ]
    y = np.zeros((len(x), *space, op.kernel.shape[-1]))
    for out in itertools.product(*map(range, space)):
        for tap in itertools.product(*map(range, op.size)):
            where = tuple(o * s + t * d for o, s, t, d in zip(out, op.strides, tap, op.dilation, strict=True))
            for g in range(groups):
                part = x[(slice(None), *where, slice(g * per_in, (g + 1) * per_in))]
                weight = op.kernel[(*tap, slice(None), slice(g * per_out, (g + 1) * per_out))]
                y[(slice(None), *out, slice(g * per_out, (g + 1) * per_out))] += part @ weight
    return y + op.bias


@pytest.mark.parametrize(
    ("shape", "size", "channels", "fields"),
    [
        ((7,), (3,), (2, 4), {}),
        ((8,), (4,), (2, 4), {"padding": "same", "strides": (3,)}),
        ((9,), (3,), (2, 4), {"padding": ((4, 0),), "dilation": (2,)}),
        ((6, 7), (3, 2), (3, 4), {"padding": "same"}),
        ((6, 7), (3, 3), (4, 6), {"strides": (2, 2), "groups": 2, "padding": "same"}),
        ((7, 7), (3, 3), (3, 6), {"groups": 3, "dilation": (2, 1)}),
        ((7, 7), (3, 3), (3, 3), {"groups": 3, "strides": (2, 3), "padding": "same"}),
        ((6, 7), (3, 2), (3, 3), {"groups": 3}),
        ((6, 7), (3, 2), (3, 3), {"groups": 3, "padding": "same"}),
        ((5, 6), (1, 1), (3, 4), {"strides": (2, 2)}),
        ((5, 6), (2, 3), (3, 4), {"padding": ((0, 1), (2, 0))}),
        ((4, 5, 4), (2, 3, 2), (2, 3), {"padding": "same", "strides": (1, 2, 1)}),
    ],
)
def test_convolution_is_what_its_definition_says(rng, shape, size, channels, fields):
    op = conv(rng, size, *channels, **fields)
    x = rng.normal(size=(2, *shape, channels[0])).astype(np.float32)
    want = naive_conv(x, op)
    for laid_out in (x, np.asfortranarray(x), x.swapaxes(0, -1).copy().swapaxes(0, -1), x.repeat(2, axis=1)[:, ::2]):
        assert np.allclose(op.evaluate(laid_out), want, rtol=1e-4, atol=1e-4)


def test_average_over_padding_counts_the_real_elements_only():
    x = np.ones((1, 5, 5, 1), dtype=np.float32)
    pooled = ops.AvgPool(size=(2, 2), strides=(2, 2), padding="same").evaluate(x)
    assert np.array_equal(pooled, np.ones((1, 3, 3, 1)))


def test_max_pool_of_negative_values_ignores_the_padding():
    x = -np.ones((1, 5, 5, 1), dtype=np.float32)
    assert (ops.MaxPool(size=(2, 2), strides=(2, 2), padding="same").evaluate(x) == -1).all()


def test_weights_are_read_only_float32_copies():
    weight = np.ones((2, 2))
    op = ops.Dense(weight=weight, bias=np.zeros(2))
    weight[0, 0] = 5
    assert op.weight.dtype == np.float32
    assert op.weight[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        op.weight[0, 0] = 3


def test_ops_compare_by_their_fields(rng):
    a = dense(np.random.default_rng(1), 3, 2)
    assert a == dense(np.random.default_rng(1), 3, 2)
    assert a != dense(np.random.default_rng(2), 3, 2)
    assert a != batch_norm(rng, 2)


def no_taps(cls, **more):
    """Return a convolution whose kernel has no position."""
    return cls(kernel=np.ones((0, 2, 2)), bias=np.ones(2), strides=(1,), dilation=(1,), **more)


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (ops.Dense(weight=np.ones((3, 2)), bias=np.ones(2)), [(4,)], "takes 3 inputs, got rate"),
        (ops.Dense(weight=np.ones((3, 2)), bias=np.ones(3)), [(3,)], "do not fit each other"),
        (ops.Add(), [(2, 3), (4,)], "do not broadcast"),
        (ops.Concatenate(axis=1), [(2, 3), (3, 3)], "only axis 1 may differ"),
        (ops.Reshape(shape=(5,)), [(2, 3)], "does not fit into shape"),
        (ops.MaxPool(size=(3, 3), strides=(1, 1)), [(2, 2, 1)], "larger than the input"),
        (no_taps(ops.Conv), [(4, 2)], "holds no weights"),
        (no_taps(ConvTranspose, crops=((0, 0),)), [(4, 2)], "holds no weights"),
        (ops.PRelu(alpha=np.ones(3)), [(2,)], "does not broadcast"),
        (neurons.Neurons(model=neurons.ReluRate(), scale=0.0), [(2,)], "finite and positive"),
        (neurons.Synapse(model=neurons.Lowpass(tau=-1.0)), [(2,)], "positive time constant"),
    ],
)
def test_what_does_not_fit_is_a_shape_error_that_names_the_node(op, shapes, message):
    graph = Graph()
    for i, shape in enumerate(shapes):
        graph.add(f"x{i}", ops.Input(shape=shape))
    with pytest.raises(ShapeError, match=f"node 'it'.*{message}"):
        graph.add("it", op, list(graph.inputs), layers=["layer"])


def test_a_wrong_number_of_inputs_is_a_graph_error():
    graph = Graph()
    graph.add("x", ops.Input(shape=(2,)))
    with pytest.raises(GraphError, match="takes 1 input"):
        graph.add("relu", ops.Relu(), ["x", "x"])
