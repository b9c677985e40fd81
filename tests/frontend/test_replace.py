"""What stands for Python code of a model: activations, ops and layers in place of lambdas, functions and classes."""

from __future__ import annotations

import numpy as np
import pytest

import snnc
from snnc import ops
from snnc.cli import _run
from snnc.errors import FrontendError, UsageError
from snnc.ops.functions import Function
from tests.frontend.keras_files import dense, kernel, layer, sequential, write_h5, write_zip

LAMBDA = {"class_name": "__lambda__", "config": {"code": "x"}}


def custom(class_name, name, **config):
    """Return a layer of a class of the user's own, as Keras 3 writes it."""
    own = {"module": "my.layers", "registered_name": f"my>{class_name}"}
    return {**layer(class_name, name, **config), **own}


def document(*layers):
    return sequential(layer("InputLayer", "x", batch_shape=[None, 3]), *layers)


def read(tmp_path, *layers, **replace):
    """Import a model without weights."""
    return snnc.import_model(write_h5(tmp_path / "m.h5", document(*layers), {}), replace=replace)


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("leaky_relu{alpha=0.1 max=20}", ops.Relu(negative_slope=0.1, max_value=20.0)),
        ("relu{negative_slope=0.1 max_value=6 theta=0.5}", ops.Relu(negative_slope=0.1, threshold=0.5, max_value=6.0)),
        ("elu{alpha=0.5}", ops.Elu(alpha=0.5)),
        ("hard_sigmoid", ops.HardSigmoid(slope=0.2)),
        ("gelu{approximate=true}", ops.Gelu(approximate=True)),
        ("identity", ops.Identity()),
        ("none", ops.Identity()),
        ("square", Function(name="square")),
        ("clip{min=-1 max=1}", ops.Clip(low=-1.0, high=1.0)),
        ("power{exponent=3}", ops.Power(exponent=3.0)),
        ("reshape{shape=3:1}", ops.Reshape(shape=(3, 1))),
        ("LeakyReLU{alpha=0.25}", ops.Relu(negative_slope=0.25)),
        ("ReLU{max_value=6}", ops.Relu(max_value=6.0)),
    ],
)
def test_a_lambda_is_what_the_user_says(tmp_path, text, op):
    assert read(tmp_path, layer("Lambda", "a", function=["4wEAAA==", None, None]), a=text)["a"].op == op


@pytest.mark.parametrize("value", ["my_act", "my>my_act", LAMBDA, "<lambda>"])
def test_an_unknown_activation_of_a_layer_is_replaced_and_its_weights_stay(rng, tmp_path, value):
    w, b = kernel(rng, 3, 2), kernel(rng, 2)
    made = document(dense("d", 2, activation=value))
    path = write_h5(tmp_path / "m.h5", made, {"d": {"d/kernel:0": w, "d/bias:0": b}})
    with pytest.raises(FrontendError, match=r"unknown activation .*--replace 'd=relu'"):
        snnc.import_model(path)
    by_function = "<lambda>" if value == LAMBDA else value
    for name in ("d", by_function, str(by_function).removeprefix("my>")):
        found = snnc.import_model(path, replace={name: "leaky_relu{alpha=0.1}"})["d"].op
        assert found.activation == ops.Relu(negative_slope=0.1)
        np.testing.assert_array_equal(found.weight, w)
    assert snnc.import_model(path, replace={"d": "none"})["d"].op.activation is None


def test_only_the_strange_activations_of_a_layer_are_replaced(rng, tmp_path):
    shapes = {"kernel": (3, 8), "recurrent_kernel": (2, 8), "bias": (8,)}
    fields = {"units": 2, "activation": "tanh", "recurrent_activation": "mine"}
    made = sequential(layer("InputLayer", "x", batch_shape=[None, 4, 3]), layer("LSTM", "r", **fields))
    path = write_h5(tmp_path / "m.h5", made, {"r": {f"r/{k}:0": kernel(rng, *s) for k, s in shapes.items()}})
    found = snnc.import_model(path, replace={"r": "hard_sigmoid"})["r"].op
    assert (found.gate, found.activation) == (ops.HardSigmoid(slope=0.2), ops.Tanh())


@pytest.mark.parametrize("name", ["MyDense", "my>MyDense", "own"])
def test_a_class_of_ones_own_is_read_as_the_layer_that_it_extends(rng, tmp_path, name):
    made = document(custom("MyDense", "own", units=2, activation="my_act"), dense("d", 2))
    arrays = {
        "layers/my_dense": [kernel(rng, 3, 2), kernel(rng, 2)],
        "layers/dense": [kernel(rng, 2, 2), kernel(rng, 2)],
    }
    path = write_zip(tmp_path / "m.keras", made, arrays)
    with pytest.raises(FrontendError, match="--replace 'my>MyDense=Dense'"):
        snnc.import_model(path)
    graph = snnc.import_model(path, replace={name: "Dense", "my_act": "relu6"})
    np.testing.assert_array_equal(graph["own"].op.weight, arrays["layers/my_dense"][0])
    np.testing.assert_array_equal(graph["d"].op.weight, arrays["layers/dense"][0])
    assert graph["own"].op.activation == ops.Relu(max_value=6.0)


def test_a_class_takes_options_that_its_config_lacks_and_may_have_an_activation_said(tmp_path):
    graph = read(tmp_path, custom("Scale", "s", factor=2), custom("Act", "a"), Scale="Rescaling{scale=2}", a="relu")
    assert graph["s"].op == ops.Affine(scale=np.array(2), shift=np.array(0))
    assert graph["a"].op == ops.Relu()


def test_layers_inside_other_layers_are_replaced_too(rng, tmp_path):
    inner = sequential(custom("Act", "a"), name="inner")
    wrapped = layer("TimeDistributed", "t", layer=custom("Act", "b"))
    made = sequential(layer("InputLayer", "x", batch_shape=[None, 4, 3]), inner, wrapped)
    path = write_h5(tmp_path / "m.h5", made, {})
    assert len(snnc.import_model(path, replace={"Act": "relu"})) == 3
    assert len(snnc.import_model(path, replace={"inner/a": "relu", "b": "tanh"})) == 3
    cell = {"class_name": "MyCell", "config": {"units": 2, "activation": "tanh"}, "registered_name": "my>MyCell"}
    made = sequential(layer("InputLayer", "x", batch_shape=[None, 4, 3]), layer("RNN", "r", cell=cell))
    weights = {
        f"r/{k}:0": kernel(rng, *s) for k, s in (("kernel", (3, 2)), ("recurrent_kernel", (2, 2)), ("bias", (2,)))
    }
    path = write_h5(tmp_path / "m.h5", made, {"r": weights})
    with pytest.raises(FrontendError, match="'my>MyCell' inside of it cannot be imported; known"):
        snnc.import_model(path)
    assert snnc.import_model(path, replace={"MyCell": "SimpleRNNCell"})["r"].op.kind == "simple-rnn"


def test_an_operator_may_stand_for_a_lambda(tmp_path):
    graph = read(tmp_path, layer("Lambda", "a"), a="tf.math.reduce_sum{axis=1}")
    assert graph["a"].op.kind == "sum"


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        ({"b": "relu"}, "unknown layer, class or function 'b'; known: <lambda>, .*Lambda.*a, "),
        ({"a": "relux"}, r"replace 'a': unknown activation, op or layer 'relux' \(did you mean 'relu'\?\); known: "),
        ({"a": "relu{beta=1}"}, "replace 'a': unknown option 'beta'; known: max_value, negative_slope, threshold"),
        ({"a": "relu{alpha=x}"}, "'negative_slope' cannot be 'x'; it takes a number"),
        ({"a": "relu{"}, "replace 'a': cannot read 'relu{'"),
        ({"a": "softmax{axis=1}"}, "count the axis from the last one"),
        ({"<lambda>": "Dense"}, "replace '<lambda>': Dense cannot stand for an activation"),
        ({"a": "dense"}, "unknown activation, op or layer 'dense'"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, replace, message):
    with pytest.raises(UsageError, match=message) as caught:
        read(tmp_path, layer("Lambda", "a"), layer("Activation", "l", activation=LAMBDA), **replace)
    assert "\n" not in str(caught.value)


def test_a_file_cannot_say_it_by_itself(tmp_path):
    with pytest.raises(FrontendError, match="a file cannot hold an op"):
        read(tmp_path, {**layer("Op", "a", op="relu"), "class_name": "snnc>Op"})


def test_a_graph_has_nothing_to_replace(tmp_path):
    graph = read(tmp_path, layer("ReLU", "a"))
    with pytest.raises(UsageError, match="a graph already"):
        snnc.import_model(graph, replace={"a": "relu"})


def test_compile_and_the_command_line_take_replacements(tmp_path, capsys):
    path = write_h5(tmp_path / "m.h5", document(layer("Lambda", "a"), layer("ReLU", "b")), {})
    compiled = snnc.compile(path, level=1, replace={"a": "leaky_relu{alpha=0.1 max=20}"})
    assert compiled.source["a"].op == ops.Relu(negative_slope=0.1, max_value=20.0)
    assert _run(["show", str(path), "--replace", "a=square"]) == 0
    assert "function(%x)" in capsys.readouterr().out
    for wrong in (["a"], ["a=relu", "--replace", "a=elu"], ["c=relu"], ["a=relux"]):
        assert _run(["show", str(path), "--replace", *wrong]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
