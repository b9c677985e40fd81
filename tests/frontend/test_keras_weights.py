"""Arrays find their layers in both layouts, through nesting, sharing, freezing and renaming."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from snnc.errors import FrontendError
from snnc.frontend.keras_weights import snake_case
from tests.frontend.keras_files import (
    dense,
    functional,
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


def norm_weights(rng, n, start=""):
    """Return gamma, beta, mean and variance by their names."""
    names = ("gamma:0", "beta:0", "moving_mean:0", "moving_variance:0")
    return {f"{start}{name}": rng.uniform(0.5, 1.5, size=n).astype(np.float32) for name in names}


def nested(frozen_dense=False, frozen_norm=False):
    inner = sequential(
        layer("InputLayer", "inner_input", batch_input_shape=[None, 3]),
        dense("d", 2, trainable=not frozen_dense),
        norm("n", trainable=not frozen_norm),
        dense("e", 2),
        name="inner",
    )
    return functional(["x", 0, 0], ["inner", 1, 0], source("x", 3), {**inner, "inbound_nodes": [[["x", 0, 0, {}]]]})


@pytest.mark.parametrize(
    ("frozen", "order"),
    [
        ({}, ["dk", "db", "gamma", "beta", "ek", "eb", "mean", "variance"]),
        ({"frozen_dense": True}, ["gamma", "beta", "ek", "eb", "dk", "db", "mean", "variance"]),
        ({"frozen_norm": True}, ["dk", "db", "ek", "eb", "gamma", "beta", "mean", "variance"]),
    ],
)
def test_a_nested_model_lists_trainable_weights_first(rng, tmp_path, frozen, order):
    arrays = {"dk": ("d/kernel:0", kernel(rng, 3, 2)), "db": ("d/bias:0", kernel(rng, 2))}
    arrays |= {"ek": ("e/kernel:0", kernel(rng, 2, 2)), "eb": ("e/bias:0", kernel(rng, 2))}
    names = {"gamma": "gamma:0", "beta": "beta:0", "mean": "moving_mean:0", "variance": "moving_variance:0"}
    arrays |= {key: (f"n/{name}", rng.uniform(0.5, 1, size=2).astype(np.float32)) for key, name in names.items()}
    stored = {arrays[key][0]: arrays[key][1] for key in order}
    graph = import_model(write_h5(tmp_path / "m.h5", nested(**frozen), {"inner": stored}))
    np.testing.assert_array_equal(graph["inner/d"].op.weight, arrays["dk"][1])
    np.testing.assert_array_equal(graph["inner/e"].op.weight, arrays["ek"][1])
    op = graph["inner/n"].op
    for name, key in (("gamma", "gamma"), ("beta", "beta"), ("mean", "mean"), ("variance", "variance")):
        np.testing.assert_array_equal(getattr(op, name), arrays[key][1])


def test_an_order_that_fits_no_config_is_refused(rng, tmp_path):
    stored = {**norm_weights(rng, 2, "n/"), "d/kernel:0": kernel(rng, 3, 2), "d/bias:0": kernel(rng, 2)}
    stored |= {"e/bias:0": kernel(rng, 2), "e/kernel:0": kernel(rng, 2, 2)}
    with pytest.raises(FrontendError, match="not in an order that fits"):
        import_model(write_h5(tmp_path / "m.h5", nested(), {"inner": stored}))


def test_weights_of_one_layer_in_another_order_are_told_by_name(rng, tmp_path):
    w, b = kernel(rng, 3, 2), kernel(rng, 2)
    document = sequential(dense("dense", 2, batch_input_shape=[None, 3]))
    graph = import_model(write_h5(tmp_path / "m.h5", document, {"dense": {"dense/bias:0": b, "dense/kernel:0": w}}))
    np.testing.assert_array_equal(graph["dense"].op.weight, w)
    np.testing.assert_array_equal(graph["dense"].op.bias, b)


def test_renamed_layers_are_matched_by_order(rng, tmp_path):
    arrays = [kernel(rng, 3, 2), kernel(rng, 2), kernel(rng, 2, 2), kernel(rng, 2)]
    document = sequential(dense("a", 2, batch_input_shape=[None, 3]), layer("Dropout", "drop", rate=0.5), dense("b", 2))
    stored = {
        "dense_7": {"dense_7/kernel:0": arrays[0], "dense_7/bias:0": arrays[1]},
        "dropout": {},
        "dense_8": {"dense_8/kernel:0": arrays[2], "dense_8/bias:0": arrays[3]},
    }
    graph = import_model(write_h5(tmp_path / "m.h5", document, stored))
    np.testing.assert_array_equal(graph["b"].op.weight, arrays[2])
    del stored["dense_8"]
    with pytest.raises(FrontendError, match="layer 'a'.*1 layers with weights cannot be matched with the config's 2"):
        import_model(write_h5(tmp_path / "m.h5", document, stored))


def test_attributes_that_keras_had_to_split(rng, tmp_path):
    layers = [dense(f"d{k}", 3, **({"batch_input_shape": [None, 3]} if k == 0 else {})) for k in range(7)]
    stored = {f"d{k}": {f"d{k}/kernel:0": kernel(rng, 3, 3), f"d{k}/bias:0": kernel(rng, 3)} for k in range(7)}
    graph = import_model(write_h5(tmp_path / "m.h5", sequential(*layers), stored, split=1))
    for k in range(7):
        np.testing.assert_array_equal(graph[f"d{k}"].op.bias, stored[f"d{k}"][f"d{k}/bias:0"])


@pytest.mark.parametrize("stored", [1, 3])
def test_too_few_or_too_many_arrays(rng, tmp_path, stored):
    arrays = {f"dense/w{k}:0": kernel(rng, 3, 2) for k in range(stored)}
    document = sequential(dense("dense", 2, batch_input_shape=[None, 3]))
    with pytest.raises(
        FrontendError, match=rf"layer 'dense' \(Dense\): {stored} array\(s\) stored, its config needs 2"
    ):
        import_model(write_h5(tmp_path / "m.h5", document, {"dense": arrays}))
    with pytest.raises(FrontendError, match="its config needs 2"):
        import_model(write_zip(tmp_path / "m.keras", document, {"layers/dense": list(arrays.values())}))


def test_lora_weights_are_named_with_their_remedy(rng, tmp_path):
    path, *_ = small(rng, tmp_path / "m.h5", lora_rank=2)
    with h5py.File(path, "a") as file:
        group = file["model_weights/dense"]
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0", b"dense/lora_a", b"dense/lora_b"]
    with pytest.raises(FrontendError, match="merge its LoRA weights"):
        import_model(path)


@pytest.mark.parametrize(
    ("container", "groups"),
    [
        ("layers", ["dense", "dense_1", "dense_2", "sequential/layers/dense"]),
        ("_layer_checkpoint_dependencies", ["dense", "dense_2", "dense_4", "sequential/layers/dense"]),
    ],
)
def test_groups_are_counted_by_class_not_by_name(rng, tmp_path, container, groups):
    """Keras 2.12 counts layers with weights twice. The names of layers are misleading on purpose."""
    inner = sequential(dense("dense_1", 2, batch_input_shape=[None, 2]), name="sequential")
    document = sequential(
        dense("dense_2", 2, batch_input_shape=[None, 2]), dense("dense", 2), inner, dense("last", 2), name="m"
    )
    arrays = {group.replace("layers", container): [kernel(rng, 2, 2), kernel(rng, 2)] for group in groups}
    path = write_zip(tmp_path / "m.keras", document, {f"{container}/{g}": a for g, a in arrays.items()})
    graph = import_model(path)
    for name, group in zip(("dense_2", "dense", "last", "sequential/dense_1"), arrays, strict=True):
        np.testing.assert_array_equal(graph[name].op.weight, arrays[group][0])


def test_more_than_ten_arrays_are_in_the_order_of_numbers(rng, tmp_path):
    from snnc.frontend.base import importer
    from snnc.ops.layers import Affine

    @importer("keras", "Many", [f"w{k}" for k in range(12)])
    def many(layer, inputs, builder):
        for k in range(12):
            assert layer.weight(f"w{k}", (1,))[0] == k
        return builder.add(Affine(scale=layer.weights["w11"], shift=layer.weights["w0"]), *inputs)

    document = sequential(layer("Many", "many", batch_input_shape=[None, 3]))
    groups = {"layers/many": [np.full(1, k, dtype=np.float32) for k in range(12)]}
    graph = import_model(write_zip(tmp_path / "m.keras", document, groups), more=[many])
    assert graph["many"].op.scale[0] == 11


def test_a_layer_shared_by_an_outer_and_an_inner_model_is_stored_once(rng, tmp_path):
    shared = dense("shared", 3, [[("x", 0, 0)]])
    inner = functional(
        ["y", 0, 0],
        ["shared", 1, 0],
        source("y", 3),
        dense("shared", 3, [[("y", 0, 0)]]),
        name="inner",
        inbound=[[("shared", 0, 0)]],
    )
    document = functional(["x", 0, 0], ["inner", 1, 0], source("x", 3), shared, inner)
    w, b = kernel(rng, 3, 3), kernel(rng, 3)
    graph = import_model(write_zip(tmp_path / "m.keras", document, {"layers/dense": [w, b]}))
    assert graph["inner/shared"].op.weight is graph["shared"].op.weight
    with pytest.raises(FrontendError, match="0 array"):
        import_model(write_zip(tmp_path / "m.keras", document, {"layers/other": [w, b]}))


def test_the_name_beside_the_weights_must_be_the_layers(rng, tmp_path):
    document = sequential(dense("mine", 2, batch_input_shape=[None, 3]))
    groups = {"layers/dense": [kernel(rng, 3, 2), kernel(rng, 2)]}
    import_model(write_zip(tmp_path / "m.keras", document, groups, names={"layers/dense": "mine"}))
    with pytest.raises(FrontendError, match="holds the weights of 'other'"):
        import_model(write_zip(tmp_path / "m.keras", document, groups, names={"layers/dense": "other"}))


@pytest.mark.parametrize("mark", [True, False])
def test_bfloat16_and_float16(rng, tmp_path, mark):
    w = np.array([[1.5, -2.0], [0.25, 3.0], [0.0, -0.125]], dtype=np.float32)
    raw = (w.view(np.uint32) >> 16).astype(np.uint16).view("V2")
    policy = {"class_name": "DTypePolicy", "config": {"name": "bfloat16"}}
    document = sequential(dense("dense", 2, batch_input_shape=[None, 3], dtype="float32" if mark else policy))
    path = write_h5(tmp_path / "m.h5", document, {"dense": {"kernel": raw, "bias": np.ones(2, dtype=np.float16)}})
    if mark:
        with h5py.File(path, "a") as file:
            file["model_weights/dense/kernel"].attrs["dtype"] = "bfloat16"
    op = import_model(path)["dense"].op
    np.testing.assert_array_equal(op.weight, w)
    np.testing.assert_array_equal(op.bias, [1, 1])
    assert op.bias.dtype == np.float32


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("GlobalAveragePooling1D_Mask0", "global_average_pooling1d__mask0"),
        ("PReLU", "p_re_lu"),
        ("ReLU", "re_lu"),
        ("Conv2D", "conv2d"),
        ("DepthwiseConv2D", "depthwise_conv2d"),
        ("LSTM", "lstm"),
        ("TimeDistributed", "time_distributed"),
    ],
)
def test_class_names_as_keras_writes_them(class_name, name):
    assert snake_case(class_name) == name
