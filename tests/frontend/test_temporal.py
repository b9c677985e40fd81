"""Temporal models: every step of the graph is what Keras gives for that step, or the layer is refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest

import snnc
from snnc.engine.presentation import presentation
from snnc.errors import FrontendError, UsageError
from tests.frontend.against_keras import keras_2, outputs_of, randomise
from tests.frontend.loading import relative_error
from tests.models import dense_layer, input_layer, layer, sequential, write_keras

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own
SEQUENCE, IMAGES = (7, 4), (None, 6, 6, 2)


@pytest.fixture(scope="module")
def keras():
    keras = keras_2()
    keras.utils.set_random_seed(0)
    return keras


def build(keras, shape, layers, dtype="float32"):
    """Return a model of (class, arguments) rows in a chain, or of a function of the input."""
    source = x = keras.Input(shape, dtype=dtype)
    if callable(layers):
        return keras.Model(source, layers(keras.layers, source))
    for name, arguments in layers:
        x = made(keras, name, arguments)(x)
    return keras.Model(source, x)


def made(keras, name, arguments):
    """Return a layer; ``Each:Name`` is one inside TimeDistributed."""
    outer, _, inner = name.rpartition(":")
    found = getattr(keras.layers, inner)(**arguments)
    return keras.layers.TimeDistributed(found) if outer else found


def check(model, x):
    """Assert that a model is the same slice by slice, before and after the exact passes."""
    want = outputs_of(model, [x])
    for level in (None, 0, 1):
        if level is None:
            graph = snnc.import_model(model, temporal=True)
        else:
            graph = snnc.compile(model, temporal=True, level=level, neurons="relu", build=False, verify=False).graph
        got = presentation(graph).as_keras(graph.evaluate(x))
        assert max(relative_error(a, b) for a, b in zip(got.values(), want, strict=True)) < 1e-5


EXACT = {
    "dense": (SEQUENCE, [("Dense", {"units": 3, "activation": "relu"})]),
    "any length": ((None, 4), [("Dense", {"units": 3, "activation": "relu"})]),
    "each dense": (SEQUENCE, [("Each:Dense", {"units": 3, "activation": "relu"})]),
    "each convolution": (
        IMAGES,
        [("Each:Conv2D", {"filters": 3, "kernel_size": 3, "activation": "relu"}), ("Each:MaxPooling2D", {})],
    ),
    "each global pool": (IMAGES, [("Each:GlobalAveragePooling2D", {})]),
    "each flatten": (IMAGES, [("Each:Flatten", {}), ("Dense", {"units": 3})]),
    "each recurrent layer": ((None, 5, 2), [("Each:LSTM", {"units": 3})]),
    "each channels first": (IMAGES, [("Each:ZeroPadding2D", {"data_format": "channels_first"})]),
    "convolution with more axes": (IMAGES, [("Conv2D", {"filters": 3, "kernel_size": 3, "activation": "relu"})]),
    "1-D convolution with more axes": ((None, 6, 2), [("Conv1D", {"filters": 3, "kernel_size": 2})]),
    "causal": (SEQUENCE, [("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal", "activation": "relu"})]),
    "causal, dilated": (
        SEQUENCE,
        [("Conv1D", {"filters": 3, "kernel_size": 2, "padding": "causal", "dilation_rate": 3})],
    ),
    "causal, in groups": (
        SEQUENCE,
        [("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "groups": 2, "activation": "relu"})],
    ),
    "causal, separable": (SEQUENCE, [("SeparableConv1D", {"filters": 3, "kernel_size": 3, "padding": "causal"})]),
    "kernel of one": (SEQUENCE, [("Conv1D", {"filters": 3, "kernel_size": 1})]),
    "SimpleRNN": (SEQUENCE, [("SimpleRNN", {"units": 3, "return_sequences": True})]),
    "LSTM": (SEQUENCE, [("LSTM", {"units": 3, "return_sequences": True}), ("LSTM", {"units": 2})]),
    "GRU": (SEQUENCE, [("GRU", {"units": 3}), ("Dense", {"units": 2, "activation": "softmax"})]),
    "states": (SEQUENCE, lambda layers, x: layers.LSTM(3, return_state=True)(x)),
    "masked": (SEQUENCE, [("Masking", {}), ("GRU", {"units": 3}), ("Dense", {"units": 2})]),
    "masked mean": (SEQUENCE, [("Masking", {}), ("Dense", {"units": 3}), ("GlobalAveragePooling1D", {})]),
    "average over time": (SEQUENCE, [("Dense", {"units": 3, "activation": "relu"}), ("GlobalAveragePooling1D", {})]),
    "maximum over time": (SEQUENCE, [("GlobalMaxPooling1D", {"keepdims": True}), ("Flatten", {})]),
    "window of all steps": (SEQUENCE, [("AveragePooling1D", {"pool_size": 7}), ("Flatten", {})]),
    "reshape": ((None, 2, 3), [("Reshape", {"target_shape": (-1, 6)}), ("Dense", {"units": 2})]),
    "reshape of a known length": ((7, 2, 3), [("Reshape", {"target_shape": (7, -1)})]),
    "permute": ((None, 2, 3), [("Permute", {"dims": (1, 3, 2)})]),
    "normalisations": (
        SEQUENCE,
        [("BatchNormalization", {}), ("LayerNormalization", {}), ("Dropout", {"rate": 0.5}), ("UnitNormalization", {})],
    ),
    "normalisation over another axis": ((None, 2, 3), [("BatchNormalization", {"axis": 2})]),
    "softmax": ((None, 2, 3), [("Softmax", {"axis": 2})]),
    "learned slopes": ((None, 2, 3), [("PReLU", {"shared_axes": [1, 2]})]),
    "rescaling": (SEQUENCE, [("Rescaling", {"scale": 0.5, "offset": 1.0})]),
    "joined": (SEQUENCE, lambda layers, x: layers.Concatenate()([x, layers.Dense(3)(x)])),
    "sum": (SEQUENCE, lambda layers, x: layers.Add()([x, layers.Dense(4)(x)])),
    "joined at the end": (
        SEQUENCE,
        lambda layers, x: layers.Concatenate(axis=1)([layers.GlobalAveragePooling1D()(x), layers.GRU(2)(x)]),
    ),
    "arithmetic": (SEQUENCE, lambda layers, x: x * 2.0 + 1.0),
    "last slice": (SEQUENCE, lambda layers, x: layers.Dense(3)(x)[:, -1, 1:]),
    "last slice with its axis": (SEQUENCE, lambda layers, x: x[:, -1:]),
    "part of each slice": (SEQUENCE, lambda layers, x: x[:, :, 1:3]),
}


@pytest.mark.parametrize("case", EXACT)
def test_every_step_is_what_keras_gives(case, keras, rng):
    shape, layers = EXACT[case]
    model = build(keras, shape, layers)
    randomise(model, rng)
    x = rng.normal(size=(3, shape[0] or 9, *shape[1:])).astype(np.float32)
    if "masked" in case:
        x[0, 2:4], x[1, 5:] = 0, 0
    check(model, x)


def test_a_model_inside_time_distributed(keras, rng):
    inner = keras.Sequential([keras.layers.Dense(5, activation="relu", input_shape=(4,)), keras.layers.Dense(2)])
    model = build(keras, (None, 4), lambda layers, x: layers.TimeDistributed(inner)(x))
    randomise(model, rng)
    check(model, rng.normal(size=(3, 5, 4)).astype(np.float32))


def test_an_embedding_looks_up_one_index_a_step(keras, rng):
    layers = [("Embedding", {"input_dim": 9, "output_dim": 4, "mask_zero": True}), ("LSTM", {"units": 3})]
    model = build(keras, (None,), layers, dtype="int32")
    randomise(model, rng)
    check(model, np.array([[1, 2, 3, 8, 5], [4, 4, 0, 0, 0]], dtype=np.float32))


def test_reductions_over_time(keras, rng):
    tf = pytest.importorskip("tensorflow")
    for reduce, axis in ((tf.reduce_mean, 1), (tf.reduce_sum, -2), (tf.reduce_max, 1), (tf.reduce_mean, 2)):
        model = build(keras, SEQUENCE, lambda layers, x, f=reduce, a=axis: f(x, axis=a))
        check(model, rng.normal(size=(3, 7, 4)).astype(np.float32))


REFUSED = {
    "backwards": (SEQUENCE, [("LSTM", {"units": 2, "go_backwards": True})], "from its end"),
    "convolution that looks ahead": (
        SEQUENCE,
        [("Conv1D", {"filters": 2, "kernel_size": 3, "padding": "same"})],
        "slices that come later",
    ),
    "valid convolution": (SEQUENCE, [("Conv1D", {"filters": 2, "kernel_size": 3})], "slices that come later"),
    "stride": (
        SEQUENCE,
        [("Conv1D", {"filters": 2, "kernel_size": 2, "strides": 2, "padding": "causal"})],
        "stride leaves steps out",
    ),
    "kernel over time and space": ((7, 6, 2), [("Conv2D", {"filters": 2, "kernel_size": 3})], "time and space"),
    "transposed convolution": (SEQUENCE, [("Conv1DTranspose", {"filters": 2, "kernel_size": 3})], "each step"),
    "flatten": (SEQUENCE, [("Flatten", {})], "joins the steps"),
    "reshape": ((7, 2, 3), [("Reshape", {"target_shape": (14, 3)})], "between steps"),
    "permute": (SEQUENCE, [("Permute", {"dims": (2, 1)})], "the axis of time"),
    "windows": (SEQUENCE, [("AveragePooling1D", {"pool_size": 3})], "not the whole sequence"),
    "pool over time and space": ((7, 6, 2), [("GlobalAveragePooling2D", {})], "each step"),
    "batch normalisation": (SEQUENCE, [("BatchNormalization", {"axis": 1})], "axis 1 is time"),
    "layer normalisation": (SEQUENCE, [("LayerNormalization", {"axis": [1, 2]})], "axis 1 is time"),
    "group normalisation": (SEQUENCE, [("GroupNormalization", {"groups": 2})], "each step"),
    "softmax": (SEQUENCE, [("Softmax", {"axis": 1})], "goes over time"),
    "softmax from the end": (SEQUENCE, [("Softmax", {"axis": -2})], "axis -2 is not an axis"),
    "slope of each step": (SEQUENCE, [("PReLU", {})], "a slope of its own for each step"),
    "zero padding": (SEQUENCE, [("ZeroPadding1D", {})], "each step"),
    "cropping": (SEQUENCE, [("Cropping1D", {})], "each step"),
    "upsampling": (SEQUENCE, [("UpSampling1D", {})], "each step"),
    "joined over time": (SEQUENCE, lambda layers, x: layers.Concatenate(axis=1)([x, x]), "axis 1 is time"),
    "product over time": (SEQUENCE, lambda layers, x: layers.Dot(1)([x, x]), "each step"),
    "both directions": (SEQUENCE, lambda layers, x: layers.Bidirectional(layers.GRU(2))(x), "from its end"),
    "initial state": (
        SEQUENCE,
        lambda layers, x: layers.GRU(4)(x, initial_state=layers.GlobalMaxPooling1D()(x)),
        "only its last step decides",
    ),
    "sequence and its end": (
        SEQUENCE,
        lambda layers, x: layers.Add()([x, layers.GlobalMaxPooling1D(keepdims=True)(x)]),
        "only its last step decides",
    ),
    "ranks": ((4, 4, 4), lambda layers, x: layers.Add()([x, layers.TimeDistributed(layers.LSTM(4))(x)]), "of axes"),
    "nothing but time": ((7,), [("Dense", {"units": 2})], "no features besides time"),
    "first slice": (SEQUENCE, lambda layers, x: x[:, 0], "other slices than the last"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_needs_other_slices_is_refused_by_name(case, keras):
    shape, layers, reason = REFUSED[case]
    with pytest.raises(FrontendError, match=rf"layer '.+' \(.+\): .*{reason}.*compile without --temporal"):
        snnc.import_model(build(keras, shape, layers), temporal=True)


def test_attention_has_no_importer_at_all(keras):
    model = build(keras, SEQUENCE, lambda layers, x: layers.Attention()([x, x]))
    with pytest.raises(FrontendError, match="attention"):
        snnc.import_model(model, temporal=True)


def test_operators_of_keras_3():
    keras = pytest.importorskip("keras")
    if keras.__version__.split(".")[0] == "2":
        pytest.skip("these are of Keras 3")
    rng = np.random.default_rng(0)
    x, ops = keras.Input((None, 4)), keras.ops
    good = [
        ops.mean(x, axis=1),
        ops.sum(x, axis=-2),
        ops.max(x, axis=2),
        ops.concatenate([x, x * 2.0 + 1.0], axis=-1),
        ops.stack([x, ops.relu(x)], axis=2),
        ops.split(x, 2, axis=2)[1],
        ops.softmax(x, axis=-1),
        x[:, -1, 1:],
        x[:, :, 1:3],
    ]
    values = rng.normal(size=(3, 6, 4)).astype(np.float32)
    graph = snnc.import_model(keras.Model(x, good), temporal=True)
    got = presentation(graph).as_keras(graph.evaluate(values)).values()
    for a, b in zip(got, keras.Model(x, good)(values), strict=True):
        assert relative_error(a, np.asarray(b)) < 1e-5
    for bad in (
        x[:, 0],
        ops.softmax(x, axis=1),
        ops.flip(x, axis=1),
        ops.transpose(x, (0, 2, 1)),
        ops.stack([x], axis=1),
    ):
        with pytest.raises(FrontendError, match="compile without --temporal"):
            snnc.import_model(keras.Model(x, bad), temporal=True)


# ------------------------------------------------------------------ files, without Keras


def rows(*shape):
    """Return the config of a model over sequences and its weights by group."""
    rng = np.random.default_rng(2)
    document = sequential([input_layer(*shape), dense_layer("hidden", 3, "relu"), dense_layer("out", 2)])
    weights = {"dense": [rng.normal(size=(4, 3)), rng.normal(size=3)], "dense_1": [rng.normal(size=(3, 2)), np.ones(2)]}
    return document, weights


def test_the_length_of_a_model_is_kept_and_an_open_one_is_open(tmp_path):
    for steps in (5, None):
        graph = snnc.import_model(write_keras(tmp_path / "m.keras", *rows(steps, 4)), temporal=True)
        assert (presentation(graph).length, graph[graph.inputs[0]].type.shape) == (steps, (4,))
        assert presentation(graph).of_last_step == set()


def test_input_shape_is_of_a_slice(tmp_path):
    path = write_keras(tmp_path / "m.keras", *rows(None, None))
    with pytest.raises(FrontendError, match=r"input_shape \(None\) leaves sizes open"):
        snnc.import_model(path, temporal=True)
    assert snnc.import_model(path, (4,), temporal=True)["input"].type.shape == (4,)


def test_inputs_with_different_numbers_of_steps_are_refused(keras):
    a, b = keras.Input((5, 4), name="a"), keras.Input((6, 4), name="b")
    with pytest.raises(FrontendError, match=r"different numbers of steps \(a: 5, b: 6\)"):
        snnc.import_model(keras.Model([a, b], [a, b]), temporal=True)


def test_an_input_without_a_second_axis_has_no_time(tmp_path):
    path = write_keras(tmp_path / "m.keras", sequential([input_layer(), layer("ReLU", "relu")]), {})
    with pytest.raises(FrontendError, match="has no time axis"):
        snnc.import_model(path, temporal=True)


def test_a_graph_that_was_saved_without_time_has_none(tmp_path):
    graph = snnc.import_model(write_keras(tmp_path / "m.keras", *rows(5, 4)))
    with pytest.raises(UsageError, match="imported without temporal"):
        snnc.import_model(graph, temporal=True)


def spiking(dt, name="spiking"):
    return {**layer("SpikingActivation", name, activation="relu", dt=dt), "module": "keras_spiking.layers"}


def test_the_step_is_the_dt_of_the_spiking_layers(tmp_path):
    document, weights = rows(None, 4)
    document["config"]["layers"].insert(2, spiking(0.005))
    graph = snnc.import_model(write_keras(tmp_path / "m.keras", document, weights), temporal=True)
    assert presentation(graph).seconds == 0.005
    document["config"]["layers"].append(spiking(0.01, "other"))
    with pytest.raises(FrontendError, match="spiking: 0.005 s, other: 0.01 s.*one network has one step"):
        snnc.import_model(write_keras(tmp_path / "m.keras", document, weights), temporal=True)


def test_a_custom_layer_says_whether_it_works_slice_by_slice(tmp_path):
    from snnc.api import importer, ops
    from tests.frontend.loading import import_model

    def twice(layer, inputs, build):
        """Double."""
        assert layer.temporal
        return build.add(ops.Affine(scale=np.full(1, 2.0), shift=np.zeros(1)), *inputs)

    document = sequential([input_layer(5, 4), layer("Twice", "twice", registered="mine>Twice")])
    path = write_keras(tmp_path / "m.keras", json.loads(json.dumps(document)), {})
    for slicewise in (True, False):
        own = importer("keras", "mine>Twice", slicewise=slicewise)(twice)
        if not slicewise:
            with pytest.raises(FrontendError, match="'twice'.*compile without --temporal"):
                import_model(path, more=[own], temporal=True)
            continue
        x = np.ones((1, 5, 4), dtype=np.float32)
        assert (import_model(path, more=[own], temporal=True).evaluate(x)["twice"] == 2).all()
