"""Six families of networks, trained plainly and kept: what ``accuracy.py`` compiles.

``python benchmarks/networks.py`` trains those that are not there yet. Plainly means: Adam on the images as they are,
no noise, no augmentation, no dropout, no regularisation, nothing that spiking networks like. A few epochs come within a
point or two of what these sizes can do. They go to ``--cache``, the folder that SNNC_BENCH_CACHE names, or
``benchmarks/cache``.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import datasets

CACHE = Path(os.environ.get("SNNC_BENCH_CACHE", Path(__file__).resolve().parent / "cache"))
SEED, BATCH, RATE = 0, 128, 2e-3


def mlp(keras, inputs):
    """Three hidden layers."""
    layers = keras.layers
    x = layers.Flatten(name="flatten")(inputs)
    for k, units in enumerate((256, 128, 64)):
        x = layers.Dense(units, activation="relu", name=f"dense{k}")(x)
    return x


def normalised(keras, x, name, activation="relu", **settings):
    """Return a convolution with batch normalisation, and an activation or None; ``filters`` None is depthwise."""
    layers = keras.layers
    filters = settings.pop("filters")
    settings = {"padding": "same", "use_bias": False, **settings}
    if filters is None:
        x = layers.DepthwiseConv2D(3, name=f"{name}_dw", **settings)(x)
    elif len(x.shape) == 3:
        x = layers.Conv1D(filters, name=f"{name}_conv", kernel_initializer="he_normal", **settings)(x)
    else:
        x = layers.Conv2D(filters, name=f"{name}_conv", kernel_initializer="he_normal", **settings)(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    if activation is None:
        return x
    return layers.ReLU(6.0 if activation == "relu6" else None, name=f"{name}_{activation}")(x)


def vgg(keras, inputs):
    """VGG's scheme (Simonyan & Zisserman 2015) with batch normalisation: max pooling behind each two convolutions."""
    x = inputs
    for k, filters in enumerate((16, 16, 32, 32, 64, 64)):
        x = normalised(keras, x, f"c{k}", filters=filters, kernel_size=3)
        if k % 2:
            x = keras.layers.MaxPooling2D(name=f"pool{k // 2}")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    return keras.layers.Dense(64, activation="relu", name="dense")(x)


def twenty(keras, inputs, shortcuts):
    """Nineteen convolutions in stages of 16, 32 and 64 channels, with ResNet's shortcuts or without.

    The first has a stride of 2: maps of 14 x 14, 7 x 7 and 4 x 4.
    """
    layers = keras.layers
    x = normalised(keras, inputs, "stem", filters=16, kernel_size=3, strides=2)
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            name, strides = f"s{stage}b{block}", 2 if stage and not block else 1
            before = x
            x = normalised(keras, x, f"{name}a", filters=filters, kernel_size=3, strides=strides)
            if not shortcuts:
                x = normalised(keras, x, f"{name}b", filters=filters, kernel_size=3)
                continue
            x = normalised(keras, x, f"{name}b", None, filters=filters, kernel_size=3)
            if strides == 2:
                before = normalised(keras, before, f"{name}s", None, filters=filters, kernel_size=1, strides=2)
            x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, before]))
    return layers.GlobalAveragePooling2D(name="pool")(x)


def resnet20(keras, inputs):
    """ResNet-20 (He et al. 2016) for images of 28 x 28."""
    return twenty(keras, inputs, shortcuts=True)


def plain20(keras, inputs):
    """The same layers without shortcuts (He et al. 2016)."""
    return twenty(keras, inputs, shortcuts=False)


def mobilenetv2(keras, inputs):
    """MobileNetV2's inverted residuals (Sandler et al. 2018) with ReLU6, in a size for small images."""
    x = normalised(keras, inputs, "stem", "relu6", filters=16, kernel_size=3)
    blocks = ((1, 16, 2), (4, 16, 1), (4, 24, 2), (4, 24, 1), (4, 32, 1))
    for k, (expansion, filters, strides) in enumerate(blocks):
        before = x
        if expansion > 1:
            x = normalised(keras, x, f"b{k}e", "relu6", filters=expansion * x.shape[-1], kernel_size=1)
        x = normalised(keras, x, f"b{k}d", "relu6", filters=None, strides=strides)
        x = normalised(keras, x, f"b{k}p", None, filters=filters, kernel_size=1)
        if strides == 1 and filters == before.shape[-1]:
            x = keras.layers.Add(name=f"b{k}_add")([x, before])
    x = normalised(keras, x, "head", "relu6", filters=128, kernel_size=1)
    return keras.layers.GlobalAveragePooling2D(name="pool")(x)


def conv1d(keras, inputs):
    """Four convolutions along the rows, whose 28 pixels are channels, with average pooling."""
    layers = keras.layers
    x = layers.Reshape((28, 28), name="rows")(inputs)
    for k, filters in enumerate((64, 64, 96, 96)):
        x = normalised(keras, x, f"c{k}", filters=filters, kernel_size=3)
        if k == 1:
            x = layers.AveragePooling1D(name="pool")(x)
    return layers.Dense(64, activation="relu", name="dense")(layers.Flatten(name="flatten")(x))


FAMILIES = {
    "mlp": (mlp, 6),
    "vgg": (vgg, 3),
    "resnet20": (resnet20, 2),
    "mobilenetv2": (mobilenetv2, 2),
    "conv1d": (conv1d, 4),
    "plain20": (plain20, 1),
}
"""What builds each family up to its last layer, and the epochs of its training on Fashion-MNIST.

MNIST takes one epoch of a third of its images.
"""


def built(name):
    """Return a Keras model of a family with fresh weights, logits of ten classes."""
    from tensorflow import keras

    keras.utils.set_random_seed(SEED)
    inputs = keras.Input((28, 28, 1), name="image")
    return keras.Model(inputs, keras.layers.Dense(10, name="logits")(FAMILIES[name][0](keras, inputs)), name=name)


def trained(name, dataset="fashion-mnist", data=None, cache=CACHE, images=None, epochs=None):
    """Return the ``.h5`` of a trained network of a family; trains it where it is not there."""
    path = Path(cache) / f"{dataset}-{name}.h5"
    if path.exists():
        return path
    from tensorflow import keras

    found = datasets.images(dataset, data)
    images = images or (20_000 if dataset == "mnist" else None)
    x, y = found["x_train"][:images], found["y_train"][:images]
    epochs = epochs or (1 if dataset == "mnist" else FAMILIES[name][1])
    model = built(name)
    falling = keras.optimizers.schedules.PolynomialDecay(RATE, epochs * -(-len(x) // BATCH), end_learning_rate=0.0)
    model.compile(
        keras.optimizers.Adam(falling),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    start = time.process_time()
    model.fit(x, y, epochs=epochs, batch_size=BATCH, verbose=0)
    _, right = model.evaluate(found["x_test"], found["y_test"], batch_size=500, verbose=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path, include_optimizer=False)
    print(f"{path.name}: {right:.2%} on {len(found['x_test'])} images, {time.process_time() - start:.0f} s", flush=True)
    return path


def add_data_options(parser):
    """Add the options that say which data, where it is and where trained networks are kept."""
    parser.add_argument("--dataset", choices=sorted(datasets.HOW), default="fashion-mnist")
    parser.add_argument("--data", type=Path, help="its .npz, or the folder with its four files")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where trained networks are kept")
    parser.add_argument("--networks", nargs="+", choices=FAMILIES, default=list(FAMILIES))


def main():
    """Train what is not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_options(parser)
    parser.add_argument("--images", type=int, help="train on the first of these only")
    parser.add_argument("--epochs", type=int, help="instead of those of each family")
    options = parser.parse_args()
    for name in options.networks:
        trained(name, options.dataset, options.data, options.cache, options.images, options.epochs)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
