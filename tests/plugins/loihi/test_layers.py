"""Each kind of layer on the chip: where it ends up, and how close the network comes to the model."""

import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

from snnc_loihi.placement_queries import on_chip

import snnc
from snnc.api import Graph, Neurons, SnncError, ops
from snnc.ops import resample
from tests.plugins.loihi.graphs import conv, dense, random, row
from tests.plugins.loihi.networks import IGNORED
from tests.plugins.loihi.test_program import assert_same, digits

pytestmark = pytest.mark.filterwarnings(*IGNORED)

RELU = ops.Relu()
FLAT = ops.Reshape(shape=(-1,))
IMAGE = (8, 8, 2)


def norm(channels):
    return ops.BatchNorm(
        gamma=random(channels, low=0.5),
        beta=random(channels),
        mean=random(channels),
        variance=random(channels, low=0.5),
    )


def up(inputs, outputs):
    kernel, none = random(2, 2, outputs, inputs), ((0, 0), (0, 0))
    return ops.ConvTranspose(kernel=kernel, bias=random(outputs), strides=(2, 2), dilation=(1, 1), crops=none)


def images(*steps, size):
    """Return an image model: a convolution, the layers in question, and two dense ones."""
    return row(IMAGE, conv(3, 2, 4), RELU, *steps, RELU, FLAT, dense(size, 16), RELU, dense(16, 5))


ON_CHIP = {
    "dense": row((6,), dense(6, 16), RELU, dense(16, 16), RELU, dense(16, 5)),
    "dense, linear inside": row((6,), dense(6, 16), dense(16, 16), RELU, dense(16, 5)),
    "conv, strided, same": images(conv(3, 4, 6, strides=2, padding="same"), size=54),
    "conv, dilated": images(conv(2, 4, 6, dilation=2), size=96),
    "conv, grouped": images(conv(3, 4, 6, groups=2), size=96),
    "depthwise": images(conv(3, 4, 4, groups=4, padding="same"), size=144),
    "separable": images(conv(3, 4, 4, groups=4), conv(1, 4, 6), size=96),
    "conv 1-D": row((12, 3), conv(3, 3, 6, rank=1), RELU, conv(3, 6, 4, rank=1, strides=2), RELU, FLAT, dense(16, 5)),
    "conv 3-D": row((4, 4, 4, 1), conv(2, 1, 4, rank=3), RELU, conv(2, 4, 4, rank=3), RELU, FLAT, dense(32, 5)),
    "conv transposed": images(up(4, 3), size=432),
    "batch norm": images(conv(3, 4, 6), norm(6), size=96),
    "batch norm behind": images(norm(4), conv(3, 4, 6), size=96),
    "average pooling": images(ops.AvgPool(size=(2, 2), strides=(2, 2)), conv(2, 4, 6), size=24),
    "average pooling, same": images(ops.AvgPool(size=(4, 4), strides=(4, 4), padding="same"), conv(1, 4, 6), size=24),
    "global average pooling": images(ops.GlobalAvgPool(), dense(4, 12), size=12),
    "max pooling": images(ops.MaxPool(size=(2, 2), strides=(2, 2)), conv(2, 4, 6), size=24),
    "padding": images(ops.ZeroPad(padding=((1, 2), (0, 1))), conv(3, 4, 3), size=105),
    "cropping": images(resample.crop((6, 6, 4), ((1, 1), (1, 0), (0, 0))), conv(2, 4, 6), size=72),
    "upsampling": images(ops.Repeat(times=(2, 2, 1)), conv(3, 4, 2), size=200),
    "upsampling, bilinear": images(ops.Resize(size=(9, 9)), conv(3, 4, 2), size=98),
    "permuting": images(ops.Permute(order=(1, 0, 2)), conv(3, 4, 4), size=64),
    "leaky ReLU": row((6,), dense(6, 16), ops.Relu(negative_slope=0.3), dense(16, 5)),
    "PReLU": row((6,), dense(6, 16), ops.PRelu(alpha=random(16)), dense(16, 5)),
    "ReLU6": row((6,), dense(6, 16), ops.Relu(max_value=0.7), dense(16, 5)),
    "ReLU6 of many readers": row(
        (10, 10, 2),
        conv(1, 2, 4),
        ops.Relu(max_value=0.7),
        conv(1, 4, 24),
        ops.Relu(max_value=0.7),
        FLAT,
        dense(2400, 5),
    ),
    "softmax": row((6,), dense(6, 16), RELU, dense(16, 5), ops.Softmax()),
    "swish": images(conv(3, 4, 6), ops.Swish(), size=96),
    "sigmoid": row((6,), dense(6, 16), RELU, dense(16, 8), ops.Sigmoid(), dense(8, 5)),
    "tanh": row((6,), dense(6, 8), ops.Tanh(), dense(8, 16), RELU, dense(16, 5)),
    "gelu": row((6,), dense(6, 16), ops.Gelu(), dense(16, 8), ops.Gelu(), dense(8, 5)),
    "elu": images(ops.Elu(), conv(3, 4, 6), size=96),
}

LSTM = ops.Lstm(kernel=random(6, 32), recurrent=random(8, 32), bias=random(32), gives="last")
ON_HOST = {
    "tanh before": (row((6,), ops.Tanh(), dense(6, 16), RELU, dense(16, 5)), 1),
    "softmax between": (row((6,), dense(6, 24), RELU, dense(24, 8), ops.Softmax(), dense(8, 5), RELU), 1),
    "layer norm": (row((6,), dense(6, 24), RELU, ops.Standardize(axes=(0,)), dense(24, 8), RELU, dense(8, 5)), 1),
    "LSTM": (row((4, 6), LSTM, dense(8, 16), RELU, dense(16, 5)), 1),
}


def joined(join, after):
    """Return two branches that meet in an op, and what follows."""
    graph = Graph("branches")
    graph.add("x", ops.Input(shape=IMAGE), layers=["x"])
    graph.add("c0", conv(3, 2, 4, padding="same"), ["x"])
    graph.add("a", RELU, ["c0"])
    graph.add("c1", conv(3, 4, 4, padding="same"), ["a"])
    graph.add("b", RELU, ["c1"])
    previous = graph.add("join", join, ["a", "b"]).name
    for op in (*after, RELU, FLAT):
        previous = graph.add(graph.fresh_name(op.kind), op, [previous]).name
    graph.add("out", dense(graph[previous].type.size, 5), [previous])
    graph.set_outputs({"y": "out"})
    return graph


ON_CHIP |= {
    "residual": joined(ops.Add(), ()),
    "concatenation": joined(ops.Concatenate(), (conv(3, 8, 4),)),
}


def compiled(graph, **options):
    shapes = {name: graph[name].type.shape for name in graph.inputs}
    x = {name: digits(shape, count=48) for name, shape in shapes.items()}
    return snnc.compile(graph, backend="loihi", calibration=x, verify=False, **options), x


def likeness(c, x):
    """Return the correlation of the network's outputs with the model's; random weights have no margins to judge by."""
    wanted, got = c.source.evaluate(x)["y"], c.predict(x, 120)
    return np.corrcoef(wanted.ravel(), got.ravel())[0, 1]


@pytest.mark.parametrize("graph", ON_CHIP.values(), ids=ON_CHIP)
def test_on_the_chip(graph):
    c, x = compiled(graph)
    assert not c.census.host and not c.census.rate
    assert not any("the chip cannot do it" in note for note in c.notes)
    assert sum(on_chip(node) for node in c.graph) >= sum(node.op.kind in ("relu", "prelu") for node in graph)
    assert likeness(c, x) > 0.95


def test_a_network_that_cannot_be_put_on_a_board_is_told_and_its_cores_are_known():
    c, _ = compiled(ON_CHIP["max pooling"])
    assert [note for note in c.notes if note.startswith("hardware: nengo-loihi cannot put this network on a board")]
    assert len(c.program.core_map) == c.program.resources["cores"]


@pytest.mark.parametrize(("graph", "kept"), ON_HOST.values(), ids=ON_HOST)
def test_what_no_core_can_do_is_on_the_host_before_or_behind(graph, kept):
    c, x = compiled(graph)
    assert c.census.host or c.census.rate
    assert sum(on_chip(node) for node in c.graph) == kept
    assert likeness(c, x) > 0.95


def test_a_product_in_the_middle_is_refused_where_nothing_is_left():
    graph = joined(ops.Multiply(), ())
    c, _ = compiled(graph)
    assert any("join (multiply): the chip cannot do it" in note for note in c.notes)
    narrow = row((6,), dense(6, 16), RELU, ops.Standardize(axes=(0,)), ops.Softplus(), dense(16, 5))
    c, _ = compiled(narrow)
    assert sum(on_chip(node) for node in c.graph) == 1


@pytest.mark.parametrize("join", [ops.Multiply(), ops.Maximum()], ids=lambda op: op.kind)
def test_products_and_the_like_are_refused_by_name_before_anything_is_calibrated(join):
    graph = joined(join, (conv(3, 4, 8), RELU))
    with pytest.raises(SnncError, match=rf"join \({join.kind}\): the chip cannot do it.*another backend") as caught:
        compiled(graph, options={"loihi-place": {"least": 0.9}})
    assert "loihi-calibrate" not in str(caught.value)
    assert ("squares=true" in str(caught.value)) == isinstance(join, ops.Multiply)


def test_products_are_on_the_chip_as_squares_where_they_are_asked_for():
    c, x = compiled(joined(ops.Multiply(), ()), passes=["fit-activations{squares=true}"])
    assert not c.census.host and not c.census.rate
    assert likeness(c, x) > 0.9


def test_without_samples_the_remedy_is_named():
    graph = row((6,), dense(6, 16), ops.Swish(), dense(16, 5))
    with pytest.raises(SnncError, match="--calibration SAMPLES, swish becomes a sum of ReLUs"):
        snnc.compile(graph, backend="loihi")


def two_inputs():
    graph = Graph("two")
    graph.add("image", ops.Input(shape=IMAGE), layers=["image"])
    graph.add("facts", ops.Input(shape=(5,)), layers=["facts"])
    graph.add("c", conv(3, 2, 4), ["image"])
    graph.add("a", RELU, ["c"])
    graph.add("flat", FLAT, ["a"])
    graph.add("d", dense(5, 8), ["facts"])
    graph.add("b", RELU, ["d"])
    graph.add("join", ops.Concatenate(), ["flat", "b"])
    graph.add("e", dense(152, 10), ["join"])
    graph.add("f", RELU, ["e"])
    graph.add("out", dense(10, 3), ["f"])
    graph.set_outputs({"y": "out"})
    return graph


def test_two_inputs_on_the_emulator():
    c, x = compiled(two_inputs())
    assert likeness(c, x) > 0.95
    watch = [node.name for node in c.graph if isinstance(node.op, Neurons)]
    few = {name: values[:2] for name, values in x.items()}
    replica, emulator = (c.program.using(engine).run(few, 20, watch=watch) for engine in ("replica", "emulator"))
    for name in watch:
        np.testing.assert_array_equal(replica.totals[name], emulator.totals[name])


@pytest.mark.parametrize(
    "name", ["residual", "separable", "conv 1-D", "concatenation", "max pooling", "leaky ReLU", "swish"]
)
def test_on_the_emulator_too(name):
    c, x = compiled(ON_CHIP[name])
    assert_same(c, x["x"][:1])
