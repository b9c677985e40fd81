"""Eleven families of networks, trained plainly and kept: what ``accuracy.py`` compiles.

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
        x = layers.DepthwiseConv2D(name=f"{name}_dw", **{"kernel_size": 3, **settings})(x)
    elif len(x.shape) == 3:
        x = layers.Conv1D(filters, name=f"{name}_conv", kernel_initializer="he_normal", **settings)(x)
    else:
        x = layers.Conv2D(filters, name=f"{name}_conv", kernel_initializer="he_normal", **settings)(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    if activation is None:
        return x
    if activation not in ("relu", "relu6"):
        return layers.Activation(activation, name=f"{name}_{activation}")(x)
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


def swish(keras, inputs):
    """Five convolutions with batch normalisation and swish."""
    x = inputs
    for k, (filters, strides) in enumerate(((16, 1), (24, 2), (24, 1), (48, 2), (48, 1))):
        x = normalised(keras, x, f"c{k}", "swish", filters=filters, kernel_size=3, strides=strides)
    return keras.layers.GlobalAveragePooling2D(name="pool")(x)


def convnext(keras, inputs):
    """ConvNeXt's blocks (Liu et al. 2022): depthwise 7 x 7, LayerNormalization, GELU; no LayerScale."""
    layers = keras.layers

    def norm(x, name):
        return layers.LayerNormalization(epsilon=1e-6, name=name)(x)

    x = norm(layers.Conv2D(16, 2, strides=2, name="stem")(inputs), "stem_norm")
    for stage, (filters, blocks) in enumerate(((16, 2), (32, 3), (64, 1))):
        if stage:
            x = layers.Conv2D(filters, 2, strides=2, name=f"s{stage}_down")(norm(x, f"s{stage}_norm"))
        for block in range(blocks):
            name, before = f"s{stage}b{block}", x
            x = norm(layers.DepthwiseConv2D(7, padding="same", name=f"{name}_dw")(x), f"{name}_norm")
            x = layers.Dense(4 * filters, activation="gelu", name=f"{name}_up")(x)
            x = layers.Add(name=f"{name}_add")([before, layers.Dense(filters, name=f"{name}_down")(x)])
    return norm(layers.GlobalAveragePooling2D(name="pool")(x), "norm")


def gated(keras, x, name, squeezed, inner, outer):
    """Return what a squeeze-and-excite gate (Hu et al. 2018) lets through, as keras.applications writes it."""
    layers = keras.layers
    gate = layers.Reshape((1, 1, x.shape[-1]), name=f"{name}_shape")(
        layers.GlobalAveragePooling2D(name=f"{name}_squeeze")(x)
    )
    gate = inner(layers.Conv2D(squeezed, 1, name=f"{name}_reduce")(gate))
    gate = outer(layers.Conv2D(x.shape[-1], 1, name=f"{name}_expand")(gate))
    return layers.Multiply(name=f"{name}_excite")([x, gate])


def mobilenetv3(keras, inputs):
    """MobileNetV3's blocks (Howard et al. 2019), hard_swish and hard sigmoid in keras.applications' arithmetic."""
    layers = keras.layers

    def hard_sigmoid(x):
        return layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)

    def hard_swish(x):
        return layers.Multiply()([x, hard_sigmoid(x)])

    x = hard_swish(normalised(keras, inputs, "stem", None, filters=16, kernel_size=3, strides=2))
    blocks = (  # expanded, filters, kernel, strides, gate, hard_swish
        (16, 16, 3, 1, True, False),
        (64, 24, 3, 2, False, False),
        (72, 24, 3, 1, False, False),
        (96, 32, 5, 1, True, True),
        (96, 32, 5, 1, True, True),
        (128, 48, 5, 2, True, True),
        (144, 48, 5, 1, True, True),
    )
    for k, (expanded, filters, kernel, strides, gate, hard) in enumerate(blocks):
        name, before, f = f"b{k}", x, hard_swish if hard else layers.ReLU()
        if k:
            x = f(normalised(keras, x, f"{name}e", None, filters=expanded, kernel_size=1))
        x = f(normalised(keras, x, f"{name}d", None, filters=None, kernel_size=kernel, strides=strides))
        if gate:
            x = gated(keras, x, name, expanded // 4, layers.ReLU(), hard_sigmoid)
        x = normalised(keras, x, f"{name}p", None, filters=filters, kernel_size=1)
        if strides == 1 and filters == before.shape[-1]:
            x = layers.Add(name=f"{name}_add")([before, x])
    x = hard_swish(normalised(keras, x, "head", None, filters=144, kernel_size=1))
    return layers.GlobalAveragePooling2D(name="pool")(x)


def efficientnet(keras, inputs):
    """EfficientNet's MBConv blocks (Tan & Le 2019) as keras.applications writes them.

    Ten blocks: 31 convolutions in series, and 20 of the gates.
    """
    layers = keras.layers
    x = normalised(keras, inputs, "stem", "swish", filters=16, kernel_size=3, strides=2)
    stages = ((1, 16, 3, 1, 1), (4, 24, 3, 2, 2), (4, 32, 5, 1, 3), (4, 48, 3, 2, 2), (4, 64, 5, 1, 2))
    for stage, (expansion, filters, kernel, strides, repeats) in enumerate(stages):
        for block in range(repeats):
            name, before, stride = f"s{stage}b{block}", x, 1 if block else strides
            if expansion > 1:
                wide = expansion * x.shape[-1]
                x = normalised(keras, x, f"{name}e", "swish", filters=wide, kernel_size=1)
            x = normalised(keras, x, f"{name}d", "swish", filters=None, kernel_size=kernel, strides=stride)
            swish, sigmoid = layers.Activation("swish"), layers.Activation("sigmoid")
            x = gated(keras, x, name, max(1, before.shape[-1] // 4), swish, sigmoid)
            x = normalised(keras, x, f"{name}p", None, filters=filters, kernel_size=1)
            if stride == 1 and filters == before.shape[-1]:
                x = layers.Add(name=f"{name}_add")([x, before])
    x = normalised(keras, x, "head", "swish", filters=128, kernel_size=1)
    return layers.GlobalAveragePooling2D(name="pool")(x)


def vit(keras, inputs, patch=4, width=48, blocks=3, heads=4):
    """A vision transformer (Dosovitskiy et al. 2021): patches, learned positions, MultiHeadAttention, GELU.

    The positions are a bias of each patch and channel.
    """
    layers = keras.layers
    x = layers.Conv2D(width, patch, strides=patch, name="patches")(inputs)
    x = layers.Reshape((-1, width), name="tokens")(x)
    x = layers.EinsumDense("bnc,cd->bnd", (x.shape[1], width), bias_axes="nd", name="positions")(x)
    for k in range(blocks):
        y = layers.LayerNormalization(epsilon=1e-6, name=f"b{k}_norm1")(x)
        x = layers.Add(name=f"b{k}_add1")(
            [x, layers.MultiHeadAttention(heads, width // heads, name=f"b{k}_attention")(y, y)]
        )
        y = layers.LayerNormalization(epsilon=1e-6, name=f"b{k}_norm2")(x)
        y = layers.Dense(2 * width, activation="gelu", name=f"b{k}_up")(y)
        x = layers.Add(name=f"b{k}_add2")([x, layers.Dense(width, name=f"b{k}_down")(y)])
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    return layers.GlobalAveragePooling1D(name="pool")(x)


FAMILIES = {
    "mlp": (mlp, 6),
    "vgg": (vgg, 3),
    "resnet20": (resnet20, 2),
    "mobilenetv2": (mobilenetv2, 2),
    "conv1d": (conv1d, 4),
    "plain20": (plain20, 1),
    "swish": (swish, 3),
    "convnext": (convnext, 3),
    "mobilenetv3": (mobilenetv3, 2),
    "efficientnet": (efficientnet, 2),
    "vit": (vit, 5),
}
"""What builds each family up to its last layer, and the epochs of its training on Fashion-MNIST.

MNIST takes one epoch of a third of its images.
"""
SMOOTH = ("swish", "convnext", "mobilenetv3", "efficientnet", "vit")
"""Those with other activations than ReLU, gates, normalisation of values or attention."""


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
