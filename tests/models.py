"""Small Keras files, written by hand so that no test needs Keras: the zip of Keras 3."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def layer(
    class_name: str, name: str, reads: str | None = None, registered: str | None = None, **config: Any
) -> dict[str, Any]:
    """Return the config of one layer of a Sequential model."""
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {"name": name, "trainable": True, **config},
        "registered_name": registered,
        "build_config": {},
    }


def input_layer(*shape: int | None) -> dict[str, Any]:
    return layer("InputLayer", "input", batch_shape=[None, *shape], dtype="float32", sparse=False)


def dense_layer(name: str, units: int, activation: str = "linear") -> dict[str, Any]:
    return layer("Dense", name, units=units, activation=activation, use_bias=True)


def conv_layer(name: str, filters: int, activation: str = "relu", **config: Any) -> dict[str, Any]:
    fields = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "valid", "dilation_rate": [1, 1], "groups": 1}
    return layer("Conv2D", name, filters=filters, activation=activation, use_bias=True, **{**fields, **config})


def sequential(layers: list[dict[str, Any]], name: str = "small") -> dict[str, Any]:
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": name, "layers": layers},
        "registered_name": None,
    }


def write_keras(path: Path, config: dict[str, Any], weights: dict[str, list[np.ndarray]], **extra: bytes) -> Path:
    """Write a ``.keras`` zip: ``weights`` by the group in ``layers/``, such as ``dense`` and ``dense_1``."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for group, arrays in weights.items():
            for i, array in enumerate(arrays):
                file[f"layers/{group}/vars/{i}"] = np.asarray(array, dtype=np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.5.0", "date_saved": "2024-01-01@00:00:00"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", buffer.getvalue())
        for name, data in extra.items():
            archive.writestr(name, data)
    return path


def small_cnn(path: Path, seed: int = 0) -> Path:
    """Write a model of two convolutions and a dense layer on 8 x 8 x 1 inputs, three classes."""
    rng = np.random.default_rng(seed)
    layers = [
        input_layer(8, 8, 1),
        conv_layer("conv_a", 4),
        conv_layer("conv_b", 6, strides=[2, 2]),
        layer("Flatten", "flatten"),
        layer("Dropout", "dropout", rate=0.5),
        dense_layer("out", 3),
    ]
    weights = {
        "conv2d": [rng.normal(size=(3, 3, 1, 4)) * 0.5, rng.uniform(0, 0.3, size=4)],
        "conv2d_1": [rng.normal(size=(3, 3, 4, 6)) * 0.3, rng.uniform(0, 0.3, size=6)],
        "dense": [rng.normal(size=(24, 3)), rng.normal(size=3)],
    }
    return write_keras(path, sequential(layers), weights)
