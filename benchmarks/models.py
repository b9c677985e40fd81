"""The models that the benchmarks measure, trained once and kept in ``benchmarks/cache`` (not in the repository).

MNIST comes from ``../shared/data/mnist.npz`` or the file that SNNC_MNIST names: the ``.npz`` that Keras gives out.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

CACHE = Path(__file__).resolve().parent / "cache"
MNIST = Path(os.environ.get("SNNC_MNIST", Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist.npz"))


def digits() -> dict[str, np.ndarray]:
    """Return ``x_train``, ``y_train``, ``x_test`` and ``y_test``, images as float32 (n, 28, 28, 1) in 0..1."""
    with np.load(MNIST) as data:
        return {
            k: (v.astype(np.float32)[..., None] / 255 if k[0] == "x" else v.astype(np.int64)) for k, v in data.items()
        }


def tutorial(layers):
    """Return the layers of the keras-to-snn tutorial's network."""
    return [
        layers.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu", name="conv0"),
        layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1"),
        layers.Flatten(name="flatten"),
        layers.Dense(10, name="dense"),
    ]


def five_layer(layers):
    """Return the layers of a network with five spiking ones."""
    return [
        layers.Input((28, 28, 1)),
        layers.Conv2D(16, 3, activation="relu", name="c1"),
        layers.Conv2D(32, 3, strides=2, activation="relu", name="c2"),
        layers.Conv2D(32, 3, activation="relu", name="c3"),
        layers.AveragePooling2D(name="pool"),
        layers.Conv2D(64, 3, activation="relu", name="c4"),
        layers.Flatten(name="flatten"),
        layers.Dense(128, activation="relu", name="d1"),
        layers.Dense(10, name="out"),
    ]


def trained(name, epochs):
    """Return the file of a trained model, plain training without any trick; trains it where it is not there."""
    path = CACHE / f"{name}.h5"
    if path.exists():
        return path
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    data = digits()
    model = tf.keras.Sequential({"tutorial": tutorial, "five_layer": five_layer}[name](tf.keras.layers), name=name)
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(data["x_train"], data["y_train"], epochs=epochs, batch_size=128, verbose=2)
    CACHE.mkdir(exist_ok=True)
    model.save(path, include_optimizer=False)
    return path
