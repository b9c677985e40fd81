"""Record what keras-spiking itself gives: run this where keras-spiking 0.3.0 and TensorFlow 2.12 are installed.

``python tests/frontend/keras_spiking/record.py`` writes ``model.h5`` and ``record.npz`` beside it: the sequences ``x``,
what each layer gives for one sequence at a time (so that every sequence starts at the same voltages), and the voltages.
"""

from __future__ import annotations

from pathlib import Path

import keras_spiking
import numpy as np
import tensorflow as tf

FOLDER = Path(__file__).parent
DT = 0.05


def build() -> tf.keras.Model:
    """Return a model with two layers of spiking neurons and both filters."""
    layers = tf.keras.layers
    x = source = tf.keras.Input((None, 4), name="x")
    x = layers.TimeDistributed(layers.Dense(6), name="first")(x)
    x = keras_spiking.SpikingActivation("relu", dt=DT, seed=3, name="spiking_relu")(x)
    x = keras_spiking.Lowpass(0.1, dt=DT, name="lowpass")(x)
    x = layers.Dense(5, name="second")(x)
    x = keras_spiking.SpikingActivation("tanh", dt=DT, seed=4, name="spiking_tanh")(x)
    x = keras_spiking.Alpha(0.15, dt=DT, name="alpha")(x)
    x = layers.GlobalAveragePooling1D(name="mean")(x)
    return tf.keras.Model(source, layers.Dense(3, name="out")(x))


def main() -> None:
    """Write the files."""
    tf.keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    model = build()
    for weights in model.weights:
        if "kernel" in weights.name or "bias" in weights.name:
            weights.assign(rng.uniform(-1, 1, size=weights.shape))
        elif "tau" in weights.name:
            weights.assign(weights * rng.uniform(0.5, 2, size=weights.shape))
        elif "level" in weights.name:
            weights.assign(rng.uniform(-0.5, 0.5, size=weights.shape))
    names = [layer.name for layer in model.layers[1:]]
    probe = tf.keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    x = rng.uniform(0, 40, size=(2, 30, 4)).astype(np.float32)
    one_by_one = [[np.asarray(y) for y in probe(x[k : k + 1], training=False)] for k in range(len(x))]
    record = {name: np.concatenate([ys[i] for ys in one_by_one]) for i, name in enumerate(names)}
    for name in ("spiking_relu", "spiking_tanh"):
        cell = model.get_layer(name).layer.cell
        record[f"{name}.voltage"] = np.asarray(cell.get_initial_state(batch_size=1, dtype="float32"))[0]
    np.savez_compressed(FOLDER / "record.npz", x=x, **record)
    model.save(FOLDER / "model.h5")


if __name__ == "__main__":
    main()
