"""Train the example network in Keras with firing rates kept in a band, before it is converted.

Needs the environment of ``make test``: ``.venv-test/bin/python examples/mnist/rates_in_keras.py --data mnist.npz``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from rates_in_nengo_dl import LAYERS, SCALE, report
from train import HERE, SEED, SHARED, Digits, load

from snnc.keras import RateRegularizer


def regularised(path: Path, low: float, high: float, strength: float) -> tf.keras.Model:
    """Return the model of a file with a regulariser on its hidden layers, which saves and converts like any other."""

    def clone(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
        config = layer.get_config()
        if layer.name in LAYERS:
            band = RateRegularizer(low=low, high=high, scale=SCALE, strength=strength)
            config["activity_regularizer"] = tf.keras.regularizers.serialize(band)
        return type(layer).from_config(config)

    before = tf.keras.models.load_model(path, compile=False)
    model = tf.keras.models.clone_model(before, clone_function=clone)
    model.set_weights(before.get_weights())
    return model


def train(model: tf.keras.Model, digits: Digits, epochs: int) -> None:
    """Fit the model's weights in place."""
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=tf.keras.optimizers.Adam(1e-3), loss=loss)
    model.fit(*digits, batch_size=50, epochs=epochs, verbose=2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, save, compile, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "mnist.npz", help="MNIST as Keras gives it out")
    parser.add_argument("--digits", type=int, default=10_000, help="how many to train on")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--low", type=float, default=50.0, help="Hz")
    parser.add_argument("--high", type=float, default=250.0, help="Hz")
    parser.add_argument("--strength", type=float, default=1e-5, help="of the squared distance in Hz to the band")
    parser.add_argument("--out", type=Path, default=Path("regularised.keras"), help="the file to write")
    options = parser.parse_args(arguments)

    tf.keras.utils.set_random_seed(SEED)
    (x, y), held_out = load(options.data)
    shown = (held_out[0][::20], held_out[1][::20])
    path = HERE / "mnist_cnn.keras"
    model = regularised(path, options.low, options.high, options.strength)
    train(model, (x[: options.digits], y[: options.digits]), options.epochs)
    model.save(options.out)
    for steps in (10, 30):
        report("as it was", path, shown, steps)
        report(f"trained to {options.low:g} to {options.high:g} Hz", options.out, shown, steps)


if __name__ == "__main__":
    main()
