"""Configs of every generation in one form."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.errors import FrontendError
from snnc.frontend.keras_config import Call, Ref, parse_model, plain, refs
from tests.frontend.keras_files import dense, functional, keras3_node, layer, sequential, source


def parsed(document):
    return {spec.name: spec for spec in parse_model(document).layers}


@pytest.mark.parametrize(
    "document",
    [
        {"class_name": "Sequential", "config": [dense("a", 2, batch_input_shape=[None, 3]), dense("b", 1)]},
        sequential(dense("a", 2, batch_input_shape=[None, 3]), dense("b", 1)),
        sequential(dense("a", 2), dense("b", 1), build_input_shape=[None, 3]),
        sequential(layer("InputLayer", "a_input", batch_shape=[None, 3]), dense("a", 2), dense("b", 1)),
    ],
)
def test_a_sequential_model_is_a_chain_of_calls(document):
    model = parse_model(document)
    assert [spec.name for spec in model.layers] == ["a_input", "a", "b"]
    assert model.layers[0].config.get("batch_shape") == [None, 3]
    assert model.layers[2].calls == (Call((Ref("a", 0, 0),)),)
    assert (model.inputs, model.outputs) == (Ref("a_input", 0, 0), Ref("b", 0, 0))


def test_a_model_in_a_sequential_model_gives_its_shape_and_a_name():
    inner = {"class_name": "Sequential", "config": [dense("d", 2, batch_input_shape=[None, 3])]}
    model = parse_model({"class_name": "Sequential", "config": [inner, inner]})
    assert model.layers[0].config["batch_shape"] == [None, 3]
    names = [spec.name for spec in model.layers[1:]]
    assert len(set(names)) == 2
    assert all(spec.model is not None for spec in model.layers[1:])


def test_calls_of_keras_2_with_constants_and_tensors_among_the_keywords():
    add = layer("TFOpLambda", "op", function="math.add")
    add["inbound_nodes"] = [
        ["a", 0, 0, {"y": ["b", 0, 0], "name": None}],
        ["_CONSTANT_VALUE", -1, 2.0, {"y": ["a", 0, 0]}],
    ]
    join = layer("TFOpLambda", "join", function="compat.v1.concat")
    join["inbound_nodes"] = [[["a", 0, 0, {"axis": 1}], ["op", 0, 0, {"axis": 1}]]]
    pick = layer("SlicingOpLambda", "pick", function="__operators__.getitem")
    pick["inbound_nodes"] = [["op", 1, 0, {"slice_spec": [{"start": None, "stop": None, "step": None}, 1]}]]
    specs = parsed(
        functional([["a", 0, 0], ["b", 0, 0]], ["pick", 0, 0], source("a", 3), source("b", 3), add, join, pick)
    )
    assert specs["op"].class_name == "tf.math.add"
    assert specs["op"].calls[0] == Call((Ref("a", 0, 0),), {"y": Ref("b", 0, 0), "name": None})
    assert specs["op"].calls[1] == Call((2.0,), {"y": Ref("a", 0, 0)})
    assert specs["join"].class_name == "tf.concat"
    assert specs["join"].calls == (Call(([Ref("a", 0, 0), Ref("op", 0, 0)],), {"axis": 1}),)
    assert specs["pick"].calls[0].args == (Ref("op", 1, 0),)
    assert all(spec.operator for spec in (specs["op"], specs["join"], specs["pick"]))


def test_a_list_that_looks_like_a_tensor_is_one_only_by_the_name_of_a_layer():
    reshape = layer("TFOpLambda", "op", function="reshape")
    reshape["inbound_nodes"] = [["a", 0, 0, {"shape": ["b", 1, 2], "other": ["a", 0, 0]}]]
    specs = parsed(functional(["a", 0, 0], ["op", 0, 0], source("a", 3), reshape))
    assert specs["op"].calls[0].kwargs == {"shape": ["b", 1, 2], "other": Ref("a", 0, 0)}


def test_operators_of_keras_3_with_and_without_a_module():
    by_module = layer("Add", "add", **{"dtype": None})
    by_module.update(module="keras.src.ops.numpy", inbound_nodes=[keras3_node(("a", 0, 0), 2.0)])
    bare = layer("Add", "add_1")
    bare["inbound_nodes"] = [keras3_node(("add", 0, 0), 1)]
    real = layer("Add", "add_2", trainable=True, dtype="float32")
    real["inbound_nodes"] = [keras3_node([("add", 0, 0), ("add_1", 0, 0)])]
    specs = parsed(functional(["a", 0, 0], ["add_2", 0, 0], source("a", 3), by_module, bare, real))
    assert [specs[name].class_name for name in ("add", "add_1", "add_2")] == ["ops.Add", "ops.Add", "Add"]
    assert specs["add"].calls == (Call((Ref("a", 0, 0), 2.0)),)
    assert specs["add_2"].calls == (Call(([Ref("add", 0, 0), Ref("add_1", 0, 0)],)),)


def test_whose_class_it_is():
    documents = [
        {**layer("Dense", "ours"), "module": "keras.layers", "registered_name": None},
        {**layer("Dense", "theirs"), "module": "my.layers", "registered_name": "my>Dense"},
        layer("my>Scale", "older"),
        {**layer("Scale", "bare"), "registered_name": "Scale"},
    ]
    specs = parsed(functional(["a", 0, 0], ["a", 0, 0], source("a", 3), *documents))
    assert [specs[n].custom for n in ("ours", "theirs", "older", "bare")] == [False, True, True, False]
    assert (specs["older"].class_name, specs["older"].registered) == ("Scale", "my>Scale")


def test_inputs_and_outputs_of_every_form():
    layers = [source("a", 3), source("b", 3)]
    for inputs, order in (
        (["a", 0, 0], ["a"]),
        ([["b", 0, 0], ["a", 0, 0]], ["b", "a"]),
        ({"z": ["a", 0, 0], "y": ["b", 0, 0]}, ["b", "a"]),
    ):
        model = parse_model(functional(inputs, inputs, *layers))
        assert [ref.layer for ref in refs(model.inputs)] == order


def test_marked_up_values_become_plain():
    value = {
        "a": {"class_name": "__numpy__", "config": {"value": 6.0, "dtype": "float32"}},
        "b": {"class_name": "__tensor__", "config": {"value": [1, 2], "dtype": "int32"}},
        "c": ({"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": None}},),
        "d": {"class_name": "__ellipsis__", "config": {}},
        "e": np.float32(0.5),
        "g": {"type": "ndarray", "value": [0.3]},
        "f": np.arange(2),
    }
    assert plain(value) == {
        "a": 6.0,
        "b": [1, 2],
        "c": [slice(1, None)],
        "d": Ellipsis,
        "e": 0.5,
        "g": [0.3],
        "f": [0, 1],
    }


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (functional(["a", 0, 0], ["a", 0, 0], source("a", 3), source("a", 3)), "the same name"),
        (sequential(), "has no layers"),
        (functional(3, ["a", 0, 0], source("a", 3)), "inputs or outputs"),
        (sequential({"class_name": "Dense"}), "no config"),
        (
            functional(["a", 0, 0], ["b", 0, 0], {**dense("b", 1), "inbound_nodes": [{"args": 3}]}),
            "arguments of a call",
        ),
        ({"class_name": "Sequential", "config": {"layers": [3]}}, "no config"),
        ({"class_name": "Own", "config": {"x": 1}}, "is subclassed"),
    ],
)
def test_configs_that_cannot_be_read(document, reason):
    with pytest.raises(FrontendError, match=reason):
        parse_model(document)
