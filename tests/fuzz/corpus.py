"""What is mutated: small models of many layers, written by hand, artifacts, samples, and the shared models if any."""

from __future__ import annotations

import io
import os
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from snnc.files import npz_bytes
from tests.conftest import ROOT
from tests.frontend.keras_files import (
    by_class,
    dense,
    functional,
    keras3_node,
    kernel,
    layer,
    norm,
    sequential,
    source,
    write_h5,
    write_zip,
)

LARGEST = 200_000
"""Bytes of a shared model that is taken too: small ones mutate fast, and everywhere."""


@cache
def models() -> dict[str, bytes]:
    """Return Keras files by name, ``.keras`` and ``.h5``."""
    with tempfile.TemporaryDirectory() as folder:
        for make in (_image, _zip, _nested, _sequence, _operators):
            make(Path(folder), np.random.default_rng(0))
        found = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    shared = Path(os.environ.get("SNNC_SHARED", ROOT.parent / "shared")) / "models"
    for part in ("generated", "reports", "networks", "real"):
        for path in sorted((shared / part).rglob("*")):
            if path.suffix in (".keras", ".h5") and path.stat().st_size <= LARGEST:
                found[path.relative_to(shared).as_posix()] = path.read_bytes()
    return found


@cache
def artifacts() -> dict[str, dict[str, bytes]]:
    """Return folders of artifacts and of saved graphs, by name: the bytes of their files by name."""
    golden = ROOT / "tests" / "golden"
    folders = sorted(path.parent for path in golden.rglob("graph.json"))
    return {
        folder.relative_to(golden).as_posix(): {
            path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != "values.npz"
        }
        for folder in folders
    }


@cache
def nir_files() -> dict[str, bytes]:
    """Return NIR files by name: of snnc, and of others."""
    from snnc_nir.exporter import NirExporter

    import snnc
    from tests.plugins.nir.files import affine, chain, conv, fires, node
    from tests.plugins.nir.networks import networks

    found = {}
    for name, arguments in (
        ("chain", {}),
        ("residual", {"neurons": "soft-reset-if", "level": 1}),
        ("conv1d", {"neurons": "lif", "level": 1, "synapse": 0.005}),
        ("several_ends", {"neurons": "signed-if"}),
        ("softmax_at_the_end", {}),
    ):
        c = snnc.compile(networks()[name], verify=False, **arguments)
        found[name] = NirExporter().to_bytes(c.exported)
    ones = np.ones(3)
    leaky = {"r": ones, "v_leak": 0 * ones, "v_threshold": ones, "v_reset": 0 * ones}
    others = chain(
        (2, 6, 6),
        conv(np.ones((4, 1, 3, 3)), groups=2, padding="same", input_shape=(6, 6)),
        fires(4, 6, 6, v_reset=np.zeros((4, 6, 6))),
        node("SumPool2d", kernel_size=2, stride=2, padding=0),
        node("Flatten", start_dim=1, end_dim=-1),
        affine(np.ones((3, 36))),
        node("CubaLIF", tau_syn=1e-3 * ones, tau_mem=2e-3 * ones, w_in=ones, **leaky),
        node("Scale", scale=2 * ones),
        node("LIF", tau=2e-3 * ones, **leaky),
        node("LI", tau=2e-3 * ones, r=ones, v_leak=0 * ones),
        out=(3,),
    )
    found["others"] = others.to_bytes()
    return found


@cache
def samples() -> bytes:
    """Return an ``.npz`` of samples for ``artifacts()["v1/artifact"]``."""
    x = np.random.default_rng(0).normal(size=(6, 6, 6, 1)).astype(np.float32)
    return npz_bytes({"x": x, "y": np.arange(6) % 3})


@cache
def reproducer() -> dict[str, bytes]:
    """Return the files that a pass leaves that fails in the middle of a calibration, by name."""
    import snnc
    from snnc.errors import PassError

    source = ROOT / "tests" / "golden" / "v1" / "artifact"
    failing = ["calibrate-scales", "insert-synapses{synapse.nowhere=1}"]
    with tempfile.TemporaryDirectory() as folder:
        try:
            snnc.compile(source, neurons="soft-reset-if", passes=failing, skip=["scale-rates"], dump=f"{folder}/dump")
        except PassError:
            return {path.name: path.read_bytes() for path in sorted(Path(folder, "dump", "reproducer").iterdir())}
    raise AssertionError("the pass did not fail")


def weights_of(archive: bytes) -> bytes:
    """Return the HDF5 file inside a ``.keras`` archive."""
    import zipfile

    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return file.read("model.weights.h5")


def _image(folder, rng):
    layers = [
        source("x", 8, 8, 2),
        layer("ZeroPadding2D", "pad", [[["x", 0, 0]]], padding=[[1, 1], [1, 1]], data_format="channels_last"),
        layer("Conv2D", "conv", [[["pad", 0, 0]]], filters=4, kernel_size=[3, 3], strides=[1, 1], padding="valid",
              dilation_rate=[1, 1], groups=1, activation="relu", use_bias=True),
        norm("norm", [[["conv", 0, 0]]]),
        layer("ReLU", "relu", [[["norm", 0, 0]]], max_value=6.0, negative_slope=0.0, threshold=0.0),
        layer("MaxPooling2D", "pool", [[["relu", 0, 0]]], pool_size=[2, 2], strides=[2, 2], padding="valid"),
        layer("DepthwiseConv2D", "depth", [[["pool", 0, 0]]], kernel_size=[3, 3], strides=[1, 1], padding="same",
              depth_multiplier=1, use_bias=False, activation="linear"),
        layer("Add", "add", [[["pool", 0, 0], ["depth", 0, 0]]]),
        layer("UpSampling2D", "up", [[["add", 0, 0]]], size=[2, 2], interpolation="bilinear"),
        layer("Cropping2D", "crop", [[["up", 0, 0]]], cropping=[[1, 1], [1, 1]]),
        layer("GlobalAveragePooling2D", "mean", [[["crop", 0, 0]]]),
        dense("out", 3, [[["mean", 0, 0]]], activation="softmax"),
    ]  # fmt: skip
    statistics = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {
        "conv": {"conv/kernel:0": kernel(rng, 3, 3, 2, 4), "conv/bias:0": kernel(rng, 4)},
        "norm": {f"norm/{name}:0": np.abs(kernel(rng, 4)) for name in statistics},
        "depth": {"depth/depthwise_kernel:0": kernel(rng, 3, 3, 4, 1)},
        "out": {"out/kernel:0": kernel(rng, 4, 3), "out/bias:0": kernel(rng, 3)},
    }
    write_h5(folder / "image.h5", functional([["x", 0, 0]], [["out", 0, 0]], *layers), weights)


def _zip(folder, rng):
    document = sequential(
        layer("InputLayer", "x", batch_shape=[None, 6]),
        layer("Rescaling", "scale", scale=0.5, offset=1.0),
        dense("first", 5, activation={"class_name": "function", "config": "relu", "module": "builtins"}),
        layer("Dropout", "drop", rate=0.5),
        layer("RepeatVector", "repeat", n=3),
        layer("Reshape", "shape", target_shape=[5, 3]),
        layer("Permute", "order", dims=[2, 1]),
        layer("Flatten", "flat"),
        layer("LayerNormalization", "ln", axis=[-1], epsilon=1e-3, center=True, scale=True),
        layer("LeakyReLU", "leaky", negative_slope=0.2),
        dense("last", 2),
    )
    groups = {
        "layers/dense": [kernel(rng, 6, 5), kernel(rng, 5)],
        "layers/layer_normalization": [kernel(rng, 15), kernel(rng, 15)],
        "layers/dense_1": [kernel(rng, 15, 2), kernel(rng, 2)],
    }
    write_zip(folder / "plain.keras", document, groups)
    write_zip(folder / "packed.keras", document, by_class(groups), compression=8)


def _nested(folder, rng):
    inner = functional(
        [["i", 0, 0]], [["d", 0, 0]], source("i", 4), dense("d", 4, [[["i", 0, 0]]], activation="tanh"),
        name="inner", inbound=[[["x", 0, 0]], [["inner", 0, 0]]],
    )  # fmt: skip
    layers = [source("x", 4), inner, layer("Concatenate", "join", [[["inner", 1, 0], ["x", 0, 0]]], axis=-1)]
    weights = {"inner": {"d/kernel:0": kernel(rng, 4, 4), "d/bias:0": kernel(rng, 4)}}
    write_h5(folder / "nested.h5", functional([["x", 0, 0]], [["join", 0, 0]], *layers), weights)


def _sequence(folder, rng):
    units = 3
    lstm = layer("LSTM", "lstm", units=units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 return_sequences=True, go_backwards=False, unit_forget_bias=True)  # fmt: skip
    gru = layer("GRU", "gru", units=units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                return_sequences=True, reset_after=True)  # fmt: skip
    document = sequential(
        layer("InputLayer", "x", batch_shape=[None, 5], dtype="int32"),
        layer("Embedding", "embed", input_dim=7, output_dim=4, mask_zero=True),
        layer("Bidirectional", "both", layer=lstm, merge_mode="concat"),
        gru,
        layer("TimeDistributed", "each", layer=dense("inside", 2, activation="relu")),
        layer("Conv1D", "conv", filters=2, kernel_size=[2], padding="causal", strides=[1], dilation_rate=[1], groups=1),
        layer("GlobalMaxPooling1D", "most"),
    )

    def gates(inputs, count):
        return [kernel(rng, inputs, count * units), kernel(rng, units, count * units)]

    groups = {
        "layers/embedding": [kernel(rng, 7, 4)],
        "layers/bidirectional/forward_layer/cell": [*gates(4, 4), kernel(rng, 4 * units)],
        "layers/bidirectional/backward_layer/cell": [*gates(4, 4), kernel(rng, 4 * units)],
        "layers/gru/cell": [*gates(2 * units, 3), kernel(rng, 2, 3 * units)],
        "layers/time_distributed/layer": [kernel(rng, units, 2), kernel(rng, 2)],
        "layers/conv1d": [kernel(rng, 2, 2, 2), kernel(rng, 2)],
    }
    write_zip(folder / "sequence.keras", document, groups)


def _operators(folder, rng):
    def operator(name, class_name, *args, **kwargs):
        return {"module": "keras.src.ops.numpy", "class_name": class_name, "config": {"name": name}, "name": name,
                "inbound_nodes": [keras3_node(*args, **kwargs)]}  # fmt: skip

    x = ("x", 0, 0)
    layers = [
        {**source("x", 4, 3), "inbound_nodes": []},
        operator("plus", "Add", x, 1.5),
        operator("turned", "Transpose", ("plus", 0, 0), axes=[0, 2, 1]),
        operator("product", "Matmul", ("plus", 0, 0), ("turned", 0, 0)),
        operator("part", "GetItem", ("product", 0, 0), [slice_(None, None), slice_(0, 2)]),
        operator("mean", "Mean", ("part", 0, 0), axis=[-1], keepdims=True),
        operator("root", "Power", ("mean", 0, 0), 2.0),
        operator("least", "Minimum", ("root", 0, 0), 3.0),
    ]
    document = functional([["x", 0, 0]], [["least", 0, 0]], *layers)
    write_zip(folder / "operators.keras", document, by_class({}))


def slice_(start, stop):
    return {"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": None}}
