"""Layers that no installed Keras may have, or has in another form: against numpy, from configs written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from snnc import ops
from snnc.errors import FrontendError, ShapeError
from snnc.frontend import importers
from snnc.frontend.base import Builder, Layer, Slot
from snnc.ir.graph import Graph
from snnc.ops.activations import Relu
from tests.frontend.keras_files import functional, kernel, layer, sequential, source, write_h5, write_zip
from tests.frontend.loading import import_model


def run(tmp_path, x, *layers, weights=(), version="2.12.0"):
    """Import a chain of layers as HDF5, give it x and return its output."""
    document = sequential(layer("InputLayer", "x", batch_input_shape=[None, *x.shape[1:]]), *layers)
    stored = {layers[0]["name"]: {f"w/{name}": array for name, array in dict(weights).items()}}
    (y,) = import_model(write_h5(tmp_path / "m.h5", document, stored, version)).evaluate(x).values()
    return y


def grouped(x, groups, epsilon=1e-3):
    """Normalise over groups of the last axis."""
    shape = (*x.shape[:-1], groups, x.shape[-1] // groups)
    y = x.reshape(shape)
    axes = (*range(1, x.ndim - 1), x.ndim)
    y = (y - y.mean(axis=axes, keepdims=True)) / np.sqrt(y.var(axis=axes, keepdims=True) + epsilon)
    return y.reshape(x.shape)


def test_group_norm_over_the_first_axis(rng, tmp_path):
    x = kernel(rng, 3, 4, 5, 6)
    own = layer("GroupNormalization", "n", groups=2, axis=1, center=False)
    gamma = kernel(rng, 4)
    wanted = np.moveaxis(grouped(np.moveaxis(x, 1, -1), 2) * gamma, -1, 1)
    np.testing.assert_allclose(run(tmp_path, x, own, weights={"gamma": gamma}), wanted, rtol=1e-4, atol=1e-5)
    with pytest.raises(FrontendError, match="do not split into 3 groups"):
        run(tmp_path, x, layer("GroupNormalization", "n", groups=3, axis=1, center=False, scale=False))


def test_rms_norm_and_normalisations_without_weights(rng, tmp_path):
    x, scale = kernel(rng, 3, 4, 5), kernel(rng, 5)
    root = np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)
    got = run(tmp_path, x, layer("RMSNormalization", "n", axis=-1, epsilon=1e-6), weights={"scale": scale})
    np.testing.assert_allclose(got, x / root * scale, rtol=1e-4, atol=1e-5)
    plain = layer("LayerNormalization", "n", axis=[1, 2], epsilon=0.1, scale=False, center=False)
    y = x - x.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(
        run(tmp_path, x, plain), y / np.sqrt((y**2).mean(axis=(1, 2), keepdims=True) + 0.1), rtol=1e-4, atol=1e-5
    )
    by_deviation = layer("LayerNormalization", "n", rms_scaling=True, scale=False, epsilon=0.1)
    got = run(tmp_path, x, by_deviation, weights={"gamma": scale})
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + 0.1)
    np.testing.assert_allclose(got, x / deviation * scale, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("invert", [False, True])
def test_normalization_by_learned_and_by_given_numbers(rng, tmp_path, invert):
    x = kernel(rng, 3, 4, 2)
    mean, variance = np.array([1.0, -2.0], dtype=np.float32), np.array([4.0, 0.0], dtype=np.float32)
    deviation = np.maximum(np.sqrt(variance), 1e-7)
    wanted = x * deviation + mean if invert else (x - mean) / deviation
    learned = layer("Normalization", "n", axis=[-1], mean=None, variance=None, invert=invert)
    stored = {"mean:0": mean, "variance:0": variance, "count:0": np.array(7)}
    np.testing.assert_allclose(run(tmp_path, x, learned, weights=stored), wanted, rtol=1e-5, atol=1e-5)
    given = layer("Normalization", "n", axis=[-1], mean=mean.tolist(), variance=variance.tolist(), invert=invert)
    np.testing.assert_allclose(run(tmp_path, x, given), wanted, rtol=1e-5, atol=1e-5)
    with pytest.raises(FrontendError, match="its mean has 3 numbers"):
        run(tmp_path, x, layer("Normalization", "n", axis=[-1], mean=[1, 2, 3], variance=1))


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("name", ["Lowpass", "Alpha"])
def test_filters_of_keras_spiking(rng, tmp_path, name, sequences):
    x, dt = kernel(rng, 2, 5, 3, 2), 0.002
    shape = (1, 3, 2) if name == "Lowpass" else (6,)
    tau, level = rng.uniform(0.005, 0.02, size=shape).astype(np.float32), kernel(rng, *shape)
    own = {**layer(name, "f", dt=dt, return_sequences=sequences), "module": "keras_spiking.layers"}
    document = sequential(layer("InputLayer", "x", batch_shape=[None, 5, 3, 2]), own)
    path = write_zip(tmp_path / "m.keras", document, {f"layers/{name.lower()}/layer/cell": [level, tau]})
    (got,) = import_model(path).evaluate(x).values()
    tau, y, fine = tau.reshape(3, 2), np.broadcast_to(level.reshape(3, 2), (2, 3, 2)), 1000
    slope, outputs = np.zeros((2, 3, 2)), []
    for t in range(5):
        for _ in range(fine):
            if name == "Lowpass":
                y = y + dt / fine * (x[:, t] - y) / tau
            else:
                slope = slope + dt / fine * ((x[:, t] - y) / tau - 2 * slope) / tau
                y = y + dt / fine * slope
        outputs.append(y)
    wanted = np.stack(outputs, axis=1)
    np.testing.assert_allclose(got, wanted if sequences else wanted[:, -1], rtol=2e-3, atol=2e-3)


def test_spiking_activation_is_its_activation_until_passes_make_it_spike(rng, tmp_path):
    x = kernel(rng, 2, 5, 3)
    own = layer("SpikingActivation", "s", activation="relu", dt=0.001, return_sequences=False)
    np.testing.assert_array_equal(run(tmp_path, x, own), np.maximum(x[:, -1], 0))
    document = sequential(
        layer("InputLayer", "x", batch_shape=[None, 5, 3]), layer("SpikingActivation", "s", activation="relu")
    )
    assert import_model(write_h5(tmp_path / "n.h5", document, {}))["s"].op == Relu()
    with pytest.raises(FrontendError, match="stateful"):
        run(tmp_path, x, layer("SpikingActivation", "s", activation="relu", stateful=True))


def test_layers_of_keras_applications(rng, tmp_path):
    x, gamma = kernel(rng, 2, 4, 3), kernel(rng, 3)
    scaled = run(tmp_path, x, layer("LayerScale", "l", projection_dim=3), weights={"gamma": gamma})
    np.testing.assert_allclose(scaled, x * gamma, rtol=1e-6)
    np.testing.assert_array_equal(run(tmp_path, x, layer("StochasticDepth", "d", drop_path_rate=0.1)), x)
    document = functional(
        [["a", 0, 0], ["b", 0, 0]],
        ["c", 0, 0],
        source("a", 3),
        source("b", 3),
        layer("Custom>CustomScaleLayer", "c", [[("a", 0, 0), ("b", 0, 0)]], scale=0.5),
    )
    graph = import_model(write_h5(tmp_path / "m.h5", document, {}))
    a, b = kernel(rng, 2, 3), kernel(rng, 2, 3)
    np.testing.assert_allclose(graph.evaluate({"a": a, "b": b})["c"], a + 0.5 * b, rtol=1e-6)


def test_an_old_gru_resets_before(rng, tmp_path):
    """Files of Keras 2.0 do not say reset_after, and their bias has one row."""
    own = layer("GRU", "g", units=2, activation="tanh", recurrent_activation="hard_sigmoid")
    weights = {"kernel:0": kernel(rng, 3, 6), "recurrent_kernel:0": kernel(rng, 2, 6), "bias:0": kernel(rng, 6)}
    document = sequential(layer("InputLayer", "x", batch_input_shape=[None, 4, 3]), own)
    stored = {"g": {f"g/{name}": array for name, array in weights.items()}}
    op = import_model(write_h5(tmp_path / "m.h5", document, stored, "2.0.8"))["g"].op
    assert not op.reset_after
    assert op.gate.slope == 0.2


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (layer("Conv2D", "c", filters=2, kernel_size=3, padding="full"), "padding 'full' is unknown"),
        (layer("Conv2D", "c", filters=2, kernel_size=0), "not 2 positive"),
        (layer("Conv2D", "c", filters=0, kernel_size=3), "filters 0 is not a positive"),
        (layer("MaxPooling2D", "p", pool_size=[2, 2, 2]), "pool_size"),
        (layer("MaxPooling2D", "p", pool_size=2, data_format="channels_middle"), "data_format 'channels_middle'"),
        (layer("UpSampling2D", "u", size=2, interpolation="lanczos3"), "interpolation 'lanczos3'"),
        (layer("Resizing", "r", height=3, width=3, pad_to_aspect_ratio=True), "pad_to_aspect_ratio"),
        (layer("ZeroPadding2D", "z", padding=[[1, -1], [0, 0]]), "not a pair of whole numbers"),
        (layer("ZeroPadding2D", "z", padding=[1, 2, 3]), "does not fit 2 axes"),
        (layer("Cropping1D", "c", cropping=1), "1 spatial axes"),
        (layer("Softmax", "s", axis=0), "softmax over axis 0"),
        (layer("Softmax", "s", axis=[0, 1]), "its axis 0 is the batch axis"),
        (layer("Concatenate", "c", axis=0), "axis 0 is the batch axis"),
        (layer("Rescaling", "r", scale="x"), "not a number"),
        (layer("LeakyReLU", "l", alpha="x"), "where a number should be"),
        (layer("LSTM", "r", units=2, time_major=True), "time-major"),
    ],
)
def test_what_a_config_cannot_mean_is_refused_with_the_layers_name(rng, tmp_path, own, reason):
    shapes = {"Conv2D": {"kernel": (3, 3, 3, 2), "bias": (2,)}}
    shapes["LSTM"] = {"kernel": (3, 8), "recurrent_kernel": (2, 8), "bias": (8,)}
    weights = {name: kernel(rng, *shape) for name, shape in shapes.get(own["class_name"], {}).items()}
    with pytest.raises(FrontendError, match=reason) as caught:
        run(tmp_path, kernel(rng, 1, 6, 6, 3), own, weights=weights)
    assert f"layer {own['name']!r}" in str(caught.value)


def test_shapes_that_do_not_fit_name_the_node(rng, tmp_path):
    with pytest.raises(ShapeError, match="node 'p'"):
        run(tmp_path, kernel(rng, 1, 3, 3, 2), layer("MaxPooling2D", "p", pool_size=4))


def test_an_operator_takes_the_fields_of_its_activation_as_arguments():
    [found] = [importer for importer in importers() if importer.class_name == "ops.Squareplus"]
    for config, call, args in (({}, {}, (Slot(0), 1.0)), ({}, {"b": 1.0}, ()), ({"b": 1.0}, {}, ())):
        graph = Graph("g")
        graph.add("x", ops.Input(shape=(2,)))
        called = Layer("y", "ops.Squareplus", config, {}, (3,), call, args)
        found.function(called, ["x"], Builder(graph, "y", "y"))
        assert graph["y"].op == ops.Squareplus(b=1.0)
