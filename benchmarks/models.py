"""The models that the benchmarks measure, trained once and kept in ``benchmarks/cache`` (not in the repository).

What ``accuracy.py`` compiles is in ``networks.py``.
"""

from __future__ import annotations

from pathlib import Path

import datasets
from networks import CACHE

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "mnist" / "mnist_cnn.keras"


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


def vgg_like(layers):
    """Return the layers of an eight-convolution network for 32x32 colour images."""
    listed = [layers.Input((32, 32, 3))]
    for k, filters in enumerate((32, 32, 64, 64, 128, 128, 128, 128)):
        listed.append(layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"c{k}"))
        if k % 2:
            listed.append(layers.AveragePooling2D(name=f"p{k}"))
    return [
        *listed,
        layers.Flatten(name="flatten"),
        layers.Dense(128, activation="relu", name="d1"),
        layers.Dense(10, name="out"),
    ]


def dense_stack(layers, depth, width=64):
    """Return the layers of a network of so many dense layers, for measuring what depth costs."""
    hidden = [layers.Dense(width, activation="relu", name=f"d{k}") for k in range(depth - 1)]
    return [layers.Input((width,)), *hidden, layers.Dense(10, name="out")]


def untrained(name):
    """Return a live functional Keras model by its name in the benchmarks of speed; weights do not change what it costs.

    The NengoDL Converter needs the very tensors of a functional model, which it loses when it rebuilds a Sequential.
    """
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    keras = tf.keras
    if name == "example":
        loaded = keras.models.load_model(EXAMPLE, compile=False)
        return keras.Model(loaded.inputs, loaded.outputs)
    if name == "mobilenet":
        return keras.applications.MobileNetV2((96, 96, 3), weights=None, classifier_activation=None)
    if name == "resnet":
        return keras.applications.ResNet50(
            input_shape=(64, 64, 3), weights=None, classes=1000, classifier_activation=None
        )
    if name.startswith("dense"):
        listed = dense_stack(keras.layers, int(name.removeprefix("dense")))
    else:
        listed = {"five_layer": five_layer, "vgg_like": vgg_like}[name](keras.layers)
    model = keras.Sequential(listed, name=name)
    return keras.Model(model.inputs, model.outputs)


def four_convolutions(layers):
    """Return the layers of a network with batch normalisation, ``same`` padding and global pooling."""
    stages = []
    for i, (filters, strides) in enumerate(((8, 2), (16, 1), (16, 2), (32, 1))):
        stages += [
            layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, name=f"conv{i}"),
            layers.BatchNormalization(name=f"bn{i}"),
            layers.ReLU(name=f"relu{i}"),
        ]
    return [
        layers.Input((28, 28, 1)),
        *stages,
        layers.GlobalAveragePooling2D(name="pool"),
        layers.Dense(10, name="logits"),
    ]


BUILDERS = {"four_convolutions": four_convolutions}


def trained(name, epochs):
    """Return the file of a trained model, plain training without any trick; trains it where it is not there."""
    path = CACHE / f"{name}.h5"
    if path.exists():
        return path
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    data = datasets.images()
    model = tf.keras.Sequential(BUILDERS[name](tf.keras.layers), name=name)
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(data["x_train"], data["y_train"], epochs=epochs, batch_size=128, verbose=2)
    CACHE.mkdir(parents=True, exist_ok=True)
    model.save(path, include_optimizer=False)
    return path
