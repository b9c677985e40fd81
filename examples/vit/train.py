"""Train the example of a transformer: a small vision transformer (Dosovitskiy et al. 2021) that reads digits.

Writes ``mnist_vit.keras`` (zip format, no optimizer state) beside this file. Run it from the environment of
``make test``, which has TensorFlow: ``.venv-test/bin/python examples/vit/train.py``.
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
SEED, BATCH, EPOCHS, RATE = 0, 128, 10, 2e-3
PATCH, WIDTH, BLOCKS, HEADS = 7, 64, 2, 4
"""Pixels along a side of a patch, channels of a token, blocks, and heads of attention in each."""

Digits = tuple[np.ndarray, np.ndarray]
"""Images, float32 ``(n, 28, 28, 1)`` in 0..1, and their labels, ``(n,)``."""


def load(path: Path) -> tuple[Digits, Digits]:
    """Return the digits to train on and those to test with.

    Args:
        path: an ``.npz`` with ``x_train``, ``y_train``, ``x_test`` and ``y_test``, as Keras distributes MNIST.
    """
    if not path.is_file():
        raise SystemExit(f"{path} is not there; give MNIST, as Keras gives it out, by --data")
    with np.load(path) as data:
        return scaled(data["x_train"], data["y_train"]), scaled(data["x_test"], data["y_test"])


def scaled(x: np.ndarray, y: np.ndarray) -> Digits:
    """Return bytes as the model takes them."""
    return x.reshape(-1, 28, 28, 1).astype(np.float32) / 255, y.astype(np.int64)


def block(x: tf.Tensor, name: str) -> tf.Tensor:
    """Return tokens behind attention between them and two layers for each, with a shortcut past either."""
    layers = tf.keras.layers
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    y = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, name=f"{name}_attention")(y, y)
    x = layers.Add(name=f"{name}_add1")([x, y])
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
    y = layers.Dense(2 * WIDTH, activation="gelu", name=f"{name}_up")(y)
    return layers.Add(name=f"{name}_add2")([x, layers.Dense(WIDTH, name=f"{name}_down")(y)])


def build() -> tf.keras.Model:
    """Return the untrained model; its outputs are logits.

    Positions are learned: the layer ``positions`` has a bias of its own for each patch and channel.
    """
    layers = tf.keras.layers
    inputs = layers.Input((28, 28, 1), name="image")
    x = layers.Conv2D(WIDTH, PATCH, strides=PATCH, name="patches")(inputs)
    x = layers.Reshape((-1, WIDTH), name="tokens")(x)
    x = layers.EinsumDense("bnc,cd->bnd", (x.shape[1], WIDTH), bias_axes="nd", name="positions")(x)
    for k in range(BLOCKS):
        x = block(x, f"block{k}")
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    return tf.keras.Model(inputs, layers.Dense(10, name="logits")(x), name="mnist_vit")


def train(model: tf.keras.Model, digits: Digits, epochs: int = EPOCHS) -> None:
    """Fit the model's weights in place: Adam, its rate falling to nothing; no noise, dropout or augmentation."""
    x, y = digits
    # a twin with the same layers is compiled: the model itself keeps no optimizer
    twin = tf.keras.Model(model.inputs, model.outputs)
    twin.compile(
        optimizer=tf.keras.optimizers.Adam(
            tf.keras.optimizers.schedules.CosineDecay(RATE, epochs * math.ceil(len(x) / BATCH))
        ),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    for epoch in range(epochs):
        history = twin.fit(x, y, batch_size=BATCH, verbose=0)
        print(f"epoch {epoch + 1}/{epochs}: loss {history.history['loss'][0]:.4f}", flush=True)


def accuracy(model: tf.keras.Model, digits: Digits) -> float:
    """Return the share of digits that the model gets right."""
    x, y = digits
    return float(np.mean(model.predict(x, batch_size=500, verbose=0).argmax(axis=-1) == y))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, report the accuracy on the test digits, and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "mnist.npz", help="MNIST as Keras gives it out")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args(arguments)

    tf.keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    digits, test = load(options.data)
    model = build()
    train(model, digits, options.epochs)
    print(f"{len(digits[0])} digits trained on; accuracy on {len(test[0])} others: {accuracy(model, test):.2%}")
    model.save(options.out / "mnist_vit.keras", save_format="keras_v3")


if __name__ == "__main__":
    main()
