"""Names, sharing, order, inputs and refusals of imported graphs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from snnc import neurons, ops
from snnc.errors import FrontendError, UnsupportedLayerError, UsageError
from snnc.frontend import frontends, importers
from snnc.frontend.base import ImportOptions, importer
from snnc.frontend.saved import SavedFrontend
from snnc.ir import store
from snnc.ir.check import check
from tests.frontend.keras_files import (
    dense,
    functional,
    keras3_node,
    kernel,
    layer,
    norm,
    sequential,
    small,
    source,
    write_h5,
    write_zip,
)
from tests.frontend.loading import import_model


def no_weights(tmp_path, document, version="2.12.0", **options):
    """Import a model without weights."""
    return import_model(write_h5(tmp_path / "m.h5", document, {}, version), **options)


def test_nodes_are_named_after_layers_and_know_them(rng, tmp_path):
    path, *_ = small(rng, tmp_path / "m.h5", activation="relu")
    graph = import_model(path)
    check(graph)
    assert [node.name for node in graph] == ["dense_input", "dense"]
    assert graph["dense"].op.activation == ops.Relu()
    assert graph["dense"].origin.layers == ("dense",)
    assert (graph.inputs, graph.outputs) == (("dense_input",), ("dense",))


def test_inputs_and_outputs_are_in_the_order_of_the_model(tmp_path):
    layers = [source("b", 3), source("a", 3), layer("Add", "sum", [[("a", 0, 0), ("b", 0, 0)]])]
    document = functional([["a", 0, 0], ["b", 0, 0]], [["sum", 0, 0], ["b", 0, 0], ["sum", 0, 0]], *layers)
    graph = no_weights(tmp_path, document)
    assert graph.inputs == ("a", "b")
    assert graph.outputs == ("sum", "b", "sum_1")
    assert dict(graph.output_nodes) == {"sum": "sum", "b": "b", "sum_1": "sum"}


def test_dicts_of_inputs_and_outputs_give_their_keys_for_names(tmp_path):
    layers = [source("one", 3), source("two", 3), layer("Add", "sum", [[("one", 0, 0), ("two", 0, 0)]])]
    inputs = {"image": ["two", 0, 0], "about": ["one", 0, 0]}
    outputs = {"total": ["sum", 0, 0], "again": ["one", 0, 0], "both": [["one", 0, 0], ["two", 0, 0]]}
    graph = no_weights(tmp_path, functional(inputs, outputs, *layers), input_shape={"image": (3,)})
    check(graph)
    assert graph.inputs == ("about", "image")
    assert graph.sources("sum") == ("about", "image")
    assert graph["image"].origin.layers == ("two",)
    assert dict(graph.output_nodes) == {"again": "about", "both": "about", "both_1": "image", "total": "sum"}
    with pytest.raises(UsageError, match="unknown input 'two'"):
        no_weights(tmp_path, functional(inputs, outputs, *layers), input_shape={"two": (3,)})


def test_a_key_that_layers_have_for_a_name_is_no_name_of_an_input(tmp_path):
    layers = [source("one", 3), source("two", 3), layer("Add", "sum", [[("one", 0, 0), ("two", 0, 0)]])]
    graph = no_weights(
        tmp_path, functional({"sum": ["two", 0, 0], "two": ["one", 0, 0]}, {"sum": ["sum", 0, 0]}, *layers)
    )
    check(graph)
    assert graph.inputs == ("two", "one")
    graph = no_weights(tmp_path, functional({"": ["two", 0, 0], "sum.x": ["one", 0, 0]}, ["sum", 0, 0], *layers))
    assert graph.inputs == ("two", "one")
    with pytest.raises(FrontendError, match="has no printable name"):
        no_weights(tmp_path, functional(["one", 0, 0], {"a\nb": ["one", 0, 0]}, layers[0]))


def test_calls_of_a_shared_layer_share_its_arrays(rng, tmp_path):
    document = functional(
        ["x", 0, 0],
        [["d", 1, 0], ["n", 0, 0], ["n", 1, 0]],
        source("x", 3),
        dense("d", 3, [[("x", 0, 0)], [("d", 0, 0)]], use_bias=False),
        norm("n", [[("d", 0, 0)], [("d", 1, 0)]], scale=False, center=False),
    )
    stored = {"d": {"d/kernel:0": kernel(rng, 3, 3)}}
    stored["n"] = {"n/moving_mean:0": kernel(rng, 3), "n/moving_variance:0": np.ones(3, dtype=np.float32)}
    graph = import_model(write_h5(tmp_path / "m.h5", document, stored))
    first, second = graph["d"].op, graph["d_1"].op
    assert first.weight is second.weight
    assert first.bias is second.bias
    assert graph["n"].op.gamma is graph["n_1"].op.gamma
    assert graph["d_1"].origin.layers == ("d",)
    assert len(store.dump({store.GRAPH_FILE: graph})["weights.npz"]) < 3000


def test_the_kth_smallest_call_number_is_the_kth_call(rng, tmp_path):
    """Keras numbers the calls of a layer over its whole life; a file may know only the fifth and the seventh."""
    document = functional(
        ["x", 0, 0],
        [["r", 4, 0], ["s", 6, 0]],
        source("x", 3),
        layer("ReLU", "r", [[("x", 0, 0)], [("s", 2, 0)]]),
        layer("Permute", "s", [[("x", 0, 0)], [("r", 9, 0)]], dims=[1]),
    )
    graph = no_weights(tmp_path, document)
    assert graph.sources("r_1") == ("s",)
    assert dict(graph.output_nodes) == {"r": "r", "s": "s_1"}


def test_layers_may_be_listed_in_any_order_and_unused_ones_are_left_out(tmp_path):
    document = functional(
        ["x", 0, 0],
        ["b", 0, 0],
        layer("ReLU", "b", [[("a", 0, 0)]]),
        layer("ReLU", "dead", [[("a", 0, 0)]]),
        layer("ReLU", "a", [[("x", 0, 0)]]),
        source("x", 3),
    )
    assert [node.name for node in no_weights(tmp_path, document)] == ["x", "a", "b"]


def test_a_long_chain_listed_backwards_is_one_sweep(tmp_path, monkeypatch):
    """The work grows with the number of layers, not with its square."""
    from snnc.frontend import keras_graph

    calls = []
    original = keras_graph.refs
    monkeypatch.setattr(keras_graph, "refs", lambda value: calls.append(1) or original(value))
    counts = []
    for n in (50, 100):
        layers = [layer("ReLU", f"r{k}", [[(f"r{k - 1}" if k else "x", 0, 0)]]) for k in range(n)]
        calls.clear()
        graph = no_weights(tmp_path, functional(["x", 0, 0], [f"r{n - 1}", 0, 0], *layers[::-1], source("x", 3)))
        assert [node.name for node in graph] == ["x", *(f"r{k}" for k in range(n))]
        counts.append(len(calls))
    assert counts[1] < 2.2 * counts[0]


def test_nested_models_have_their_name_before_a_slash(tmp_path):
    inner = functional(
        {"p": ["p", 0, 0], "q": ["q", 0, 0]},
        [["r", 0, 0], ["p", 0, 0]],
        source("q", 3),
        source("p", 3),
        layer("ReLU", "r", [[("q", 0, 0)]]),
        name="inner",
    )
    inner["inbound_nodes"] = [keras3_node({"p": ("a", 0, 0), "q": ("b", 0, 0)})]
    inner["inbound_nodes"][0]["args"] = [
        {
            k: {"class_name": "__keras_tensor__", "config": {"keras_history": [v, 0, 0]}}
            for k, v in (("p", "a"), ("q", "b"))
        }
    ]
    document = functional(
        [["a", 0, 0], ["b", 0, 0]], [["inner", 0, 0], ["inner", 0, 1]], source("a", 3), source("b", 3), inner
    )
    graph = no_weights(tmp_path, document, "3.3.3")
    assert graph.sources("inner/r") == ("b",)
    assert dict(graph.output_nodes) == {"inner": "inner/r", "inner_1": "a"}
    assert graph["inner/r"].origin.layers == ("inner/r",)


def test_all_unsupported_layers_are_reported_at_once(tmp_path):
    inner = sequential(layer("Own", "own"), name="inner")
    quantised = dense("q", 2, dtype={"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}})
    operator = {**layer("TFOpLambda", "tf.math.igamma", function="math.igamma")}
    other = {**layer("Dense", "theirs", units=2), "module": "my.layers", "registered_name": "my>Dense"}
    document = sequential(
        layer("InputLayer", "x", batch_input_shape=[None, 3]),
        layer("Lambda", "code", function=["4wEAAA==", None, None]),
        inner,
        layer("TimeDistributed", "steps", layer=layer("Own", "deep")),
        quantised,
        operator,
        other,
    )
    with pytest.raises(UnsupportedLayerError, match=r"cannot import 6 layer\(s\)") as caught:
        no_weights(tmp_path, document)
    rows = {name: (cls, reason) for name, cls, reason in caught.value.layers}
    assert {name: cls for name, (cls, _) in rows.items()} == {
        "code": "Lambda",
        "inner/own": "Own",
        "steps/deep": "Own",
        "q": "Dense",
        "tf.math.igamma": "tf.math.igamma",
        "theirs": "my>Dense",
    }
    assert "never executed" in rows["code"][1]
    assert "importer plugin" in rows["inner/own"][1]
    assert "quantised" in rows["q"][1]


@pytest.mark.parametrize("key", ["Scale", "my>Scale"])
def test_an_importer_of_a_custom_class(rng, tmp_path, key):
    @importer("keras", key, ("factor",))
    def scale(layer, inputs, builder):
        """Multiply by a learned factor."""
        return builder.add(ops.Affine(scale=layer.weight("factor", (3,)), shift=layer.zeros()), *inputs)

    assert (scale.name, scale.summary) == (f"keras:{key}", "Multiply by a learned factor.")
    own = {**layer("Scale", "own"), "module": "my.layers", "registered_name": "my>Scale", "inbound_nodes": []}
    document = sequential(layer("InputLayer", "x", batch_shape=[None, 3]), own)
    factor = kernel(rng, 3)
    graph = import_model(write_zip(tmp_path / "m.keras", document, {"layers/scale": [factor]}), more=[scale])
    np.testing.assert_array_equal(graph["own"].op.scale, factor)


def test_an_importer_that_stumbles_names_the_layer(tmp_path):
    for document in (layer("Reshape", "bad"), layer("Permute", "bad", dims=3), layer("Bidirectional", "bad", layer=[])):
        model = sequential(layer("InputLayer", "x", batch_shape=[None, 3]), document)
        with pytest.raises(FrontendError, match=r"layer 'bad' \(\w+\): its config cannot be read"):
            no_weights(tmp_path, model)


@pytest.mark.parametrize(
    ("stored", "given", "shape"),
    [
        ([None, 3], None, (3,)),
        ([7, 3], None, (3,)),
        ([None, None, 3], (4, 3), (4, 3)),
        ([None, None, 3], {"x": (4, 3)}, (4, 3)),
        ([None, 3], (3,), (3,)),
        ([None, 3], {}, (3,)),
        (None, (5,), (5,)),
    ],
)
def test_shapes_of_inputs(tmp_path, stored, given, shape):
    document = sequential(layer("InputLayer", "x", batch_shape=stored), layer("ReLU", "r"))
    assert no_weights(tmp_path, document, input_shape=given)["x"].type.shape == shape


@pytest.mark.parametrize(
    ("stored", "given", "error", "reason"),
    [
        ([None, None, 3], None, FrontendError, r"layer 'x' \(InputLayer\): its input_shape \(None, 3\).*--input-shape"),
        (None, None, FrontendError, "has no input shape.*--input-shape"),
        ([None, None, 3], (4, 4), UsageError, r"\(4, 4\) does not fit layer 'x'"),
        ([None, None, 3], (4,), UsageError, "does not fit"),
        ([None, None, 3], (0, 3), UsageError, "does not fit"),
        ([None, 3], {"y": (3,)}, UsageError, "unknown input 'y'.*known: x"),
        ([None, -1], None, FrontendError, "cannot be read"),
    ],
)
def test_shapes_that_are_open_or_wrong(tmp_path, stored, given, error, reason):
    document = sequential(layer("InputLayer", "x", batch_shape=stored), layer("ReLU", "r"))
    with pytest.raises(error, match=reason):
        no_weights(tmp_path, document, input_shape=given)


def test_one_shape_goes_to_the_open_ones_of_several_inputs(tmp_path):
    layers = [source("a", 3), source("b", None), layer("Add", "sum", [[("a", 0, 0), ("b", 0, 0)]])]
    document = functional([["a", 0, 0], ["b", 0, 0]], ["sum", 0, 0], *layers)
    graph = no_weights(tmp_path, document, input_shape=(3,))
    assert graph["b"].type.shape == (3,)


def test_ragged_inputs_and_loose_ends_are_refused(tmp_path):
    ragged = sequential(layer("InputLayer", "x", batch_shape=[None, 3], ragged=True), layer("ReLU", "r"))
    loose = functional(["x", 0, 0], ["r", 0, 0], source("x", 3), layer("ReLU", "r", [[("y", 0, 0)]]))
    circle = functional(
        ["x", 0, 0],
        ["r", 0, 0],
        source("x", 3),
        layer("ReLU", "r", [[("s", 0, 0)]]),
        layer("ReLU", "s", [[("r", 0, 0)]]),
    )
    second = functional(["x", 0, 0], ["r", 0, 1], source("x", 3), layer("ReLU", "r", [[("x", 0, 0)]]))
    for document, reason in (
        (ragged, "ragged"),
        (loose, "inputs of layer.s. 'r' come from nowhere"),
        (circle, "come from nowhere"),
        (second, "reads output 1 of layer 'r', which has 1"),
        (functional(["r", 0, 0], ["r", 0, 0], layer("ReLU", "r")), "not an input layer"),
    ):
        with pytest.raises(FrontendError, match=reason):
            no_weights(tmp_path, document)


def test_hard_sigmoid_means_what_its_keras_meant(tmp_path):
    document = sequential(
        layer("InputLayer", "x", batch_shape=[None, 3]), layer("Activation", "a", activation="hard_sigmoid")
    )
    assert no_weights(tmp_path, document, "2.15.0")["a"].op.slope == 0.2
    assert no_weights(tmp_path, document, "3.0.5")["a"].op.slope == 1 / 6
    assert no_weights(tmp_path, document, None)["a"].op.slope == 1 / 6  # batch_shape is of Keras 3


@pytest.mark.parametrize(
    ("value", "op"),
    [
        (None, ops.Identity()),
        ("relu6", ops.Relu(max_value=6.0)),
        ({"class_name": "LeakyReLU", "config": {"alpha": 0.2}}, ops.Relu(negative_slope=0.2)),
        ({"class_name": "ReLU", "config": {"max_value": [6.0]}}, ops.Relu(max_value=6.0)),
        ({"class_name": "function", "config": "gelu", "registered_name": "gelu"}, ops.Gelu()),
        ({"class_name": "Activation", "config": {"activation": "tanh"}}, ops.Tanh()),
    ],
)
def test_activations_in_every_form(tmp_path, value, op):
    document = sequential(layer("InputLayer", "x", batch_shape=[None, 3]), layer("Activation", "a", activation=value))
    assert no_weights(tmp_path, document)["a"].op == op


@pytest.mark.parametrize("value", ["relux", {"class_name": "__lambda__", "config": {"code": "x"}}, 3])
def test_unknown_activations_are_named(tmp_path, value):
    document = sequential(layer("InputLayer", "x", batch_shape=[None, 3]), layer("Activation", "a", activation=value))
    with pytest.raises(FrontendError, match=r"layer 'a' \(Activation\): unknown activation"):
        no_weights(tmp_path, document)


def test_every_importer_has_one_name():
    names = [found.name for found in importers()]
    assert len(names) == len(set(names))
    assert all(found.frontend == "keras" for found in importers())
    assert all(found.summary.endswith(".") for found in importers())
    assert len(names) > 150


def test_a_saved_graph_is_read_again(rng, tmp_path):
    path, *_ = small(rng, tmp_path / "m.h5", activation="relu")
    graph = import_model(path)
    folder = tmp_path / "saved"
    folder.mkdir()
    for name, data in store.dump({store.GRAPH_FILE: graph}).items():
        (folder / name).write_bytes(data)
    kinds = store.Kinds({cls.kind: cls for cls in (ops.Input, ops.Dense, ops.Relu)}, {}, neurons_by_kind())
    saved = SavedFrontend(kinds)
    assert saved.accepts(folder)
    assert not saved.accepts(path)
    assert not saved.accepts(tmp_path / "missing")
    assert saved.load(folder, {}, ImportOptions()) == graph
    assert [cls.name for cls in frontends()] == ["saved", "keras-live", "keras-file"]
    assert json.loads((folder / "graph.json").read_text())["format"] == "snnc-graph"


def neurons_by_kind():
    return {cls.kind: cls for cls in (neurons.Lowpass, neurons.Alpha)}
