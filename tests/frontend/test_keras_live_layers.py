"""Layers of live models of Keras 2 or 3 against Keras itself; skipped where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.against_live_keras import agree, generation, randomise
from tests.frontend.loading import import_model, relative_error

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own


SEQUENCE, IMAGE, VOLUME = (9, 4), (9, 8, 3), (5, 6, 7, 2)
ONLY_KERAS_2 = [
    ("BatchNormalization", {"axis": [1, 3]}, IMAGE),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "padding": "causal", "depth_multiplier": 3}, SEQUENCE),
    ("ThresholdedReLU", {"theta": 0.4}, (20,)),
]
ONE_INPUT = [
    *ONLY_KERAS_2,
    ("Dense", {"units": 4, "activation": "softmax"}, (2, 3, 5)),
    ("Dense", {"units": 4, "use_bias": False, "activation": "elu"}, (5,)),
    *(
        ("Activation", {"activation": name}, (4, 3))
        for name in (
            "relu",
            "sigmoid",
            "tanh",
            "softmax",
            "elu",
            "selu",
            "gelu",
            "swish",
            "softplus",
            "softsign",
            "exponential",
            "hard_sigmoid",
            "linear",
        )
    ),
    ("ReLU", {"max_value": 0.8, "negative_slope": 0.1, "threshold": 0.2}, (20,)),
    ("LeakyReLU", {}, (20,)),
    ("LeakyReLU", {"alpha": 0.01}, (20,)),
    ("PReLU", {}, (4, 3)),
    ("PReLU", {"shared_axes": [1, 2]}, IMAGE),
    ("ELU", {"alpha": 0.7}, (20,)),
    ("Softmax", {"axis": 1}, (4, 3)),
    ("Softmax", {"axis": [1, 3]}, IMAGE),
    (
        "Conv1D",
        {"filters": 5, "kernel_size": 3, "padding": "causal", "dilation_rate": 2, "activation": "relu"},
        SEQUENCE,
    ),
    ("Conv1D", {"filters": 5, "kernel_size": 4, "strides": 3, "padding": "same"}, SEQUENCE),
    ("Conv2D", {"filters": 6, "kernel_size": (3, 2), "strides": (2, 1), "padding": "same"}, IMAGE),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "dilation_rate": 2, "use_bias": False}, IMAGE),
    ("Conv3D", {"filters": 3, "kernel_size": (2, 3, 1), "strides": 2, "padding": "same"}, VOLUME),
    ("Conv3D", {"filters": 3, "kernel_size": 2}, VOLUME),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, SEQUENCE),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, "strides": 2, "activation": "relu"}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": (3, 2), "dilation_rate": 2, "padding": "same"}, IMAGE),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "padding": "same", "depth_multiplier": 3}, SEQUENCE),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    *(
        ("Conv1DTranspose", {"filters": 3, "kernel_size": k, "strides": s, "padding": p}, SEQUENCE)
        for k, s, p in ((3, 2, "same"), (2, 3, "valid"), (2, 3, "same"), (5, 2, "valid"), (4, 1, "same"))
    ),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "output_padding": 1}, SEQUENCE),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": (3, 4), "strides": (2, 3), "activation": "relu"}, IMAGE),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same"}, IMAGE),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 0}, IMAGE),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, IMAGE),
    ("Conv3DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}, VOLUME),
    *(
        (f"{kind}Pooling{rank}D", {"pool_size": 3, "strides": 2, "padding": padding}, shape)
        for kind in ("Average", "Max")
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
        for padding in ("valid", "same")
    ),
    ("AveragePooling2D", {"pool_size": 2, "data_format": "channels_first"}, IMAGE),
    *(
        (f"Global{kind}Pooling{rank}D", {"keepdims": keep, "data_format": layout}, shape)
        for kind in ("Average", "Max")
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
        for keep in (False, True)
        for layout in ("channels_last", "channels_first")
    ),
    ("BatchNormalization", {}, IMAGE),
    ("BatchNormalization", {"axis": 1, "scale": False}, IMAGE),
    ("BatchNormalization", {"axis": 2, "center": False}, (4, 5)),
    ("LayerNormalization", {}, (4, 5)),
    ("LayerNormalization", {"axis": [1, 2], "epsilon": 1e-5, "scale": False}, IMAGE),
    ("LayerNormalization", {"axis": 1}, IMAGE),
    ("GroupNormalization", {"groups": 2}, (3, 4, 6)),
    ("GroupNormalization", {"groups": -1, "center": False}, (4, 3, 5)),
    ("UnitNormalization", {"axis": [1, 2]}, (4, 5)),
    ("Normalization", {"mean": [0.1, 0.2, 0.3], "variance": [1.0, 2.0, 0.5]}, (4, 3)),
    ("Normalization", {"mean": 0.5, "variance": 2.0, "axis": None}, (4, 3)),
    ("Rescaling", {"scale": 1 / 127.5, "offset": -1}, IMAGE),
    ("Rescaling", {"scale": [1.0, 2.0, 0.5], "offset": [0.1, 0.2, 0.3]}, IMAGE),
    *(
        ("Resizing", {"height": h, "width": w, "interpolation": how}, IMAGE)
        for how in ("nearest", "bilinear", "bicubic")
        for h, w in ((14, 5), (4, 16), (9, 8))
    ),
    ("Resizing", {"height": 4, "width": 12, "crop_to_aspect_ratio": True}, IMAGE),
    ("CenterCrop", {"height": 4, "width": 5}, IMAGE),
    ("CenterCrop", {"height": 12, "width": 5}, IMAGE),
    ("ZeroPadding1D", {"padding": (2, 1)}, SEQUENCE),
    ("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, IMAGE),
    ("ZeroPadding2D", {"padding": (1, 2), "data_format": "channels_first"}, IMAGE),
    ("ZeroPadding3D", {"padding": 1}, VOLUME),
    ("Cropping1D", {"cropping": (2, 1)}, SEQUENCE),
    ("Cropping2D", {"cropping": ((1, 2), (0, 3))}, IMAGE),
    ("Cropping2D", {"cropping": 1, "data_format": "channels_first"}, IMAGE),
    ("Cropping3D", {"cropping": ((1, 1), (0, 2), (2, 1))}, VOLUME),
    ("UpSampling1D", {"size": 3}, SEQUENCE),
    ("UpSampling2D", {"size": (2, 3)}, IMAGE),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, IMAGE),
    ("UpSampling2D", {"size": 2, "interpolation": "nearest", "data_format": "channels_first"}, IMAGE),
    ("UpSampling3D", {"size": (1, 2, 3)}, VOLUME),
    ("Flatten", {}, IMAGE),
    ("Flatten", {"data_format": "channels_first"}, IMAGE),
    ("Reshape", {"target_shape": (-1, 6)}, IMAGE),
    ("Permute", {"dims": (3, 1, 2)}, IMAGE),
    ("RepeatVector", {"n": 4}, (5,)),
    ("Dropout", {"rate": 0.5}, (5,)),
    ("SpatialDropout2D", {"rate": 0.5}, IMAGE),
    ("GaussianNoise", {"stddev": 1.0}, (5,)),
    ("AlphaDropout", {"rate": 0.5}, (5,)),
    ("ActivityRegularization", {"l1": 0.1}, (5,)),
    ("RandomFlip", {}, IMAGE),
    ("RandomRotation", {"factor": 0.2}, IMAGE),
    *(
        (name, {"units": 4, **fields}, SEQUENCE)
        for name in ("SimpleRNN", "LSTM", "GRU")
        for fields in (
            {},
            {"return_sequences": True, "go_backwards": True},
            {"use_bias": False, "activation": "relu", "dropout": 0.3},
        )
    ),
    ("GRU", {"units": 4, "reset_after": False, "recurrent_activation": "hard_sigmoid"}, SEQUENCE),
]


@pytest.mark.parametrize(
    ("name", "fields", "shape"), ONE_INPUT, ids=[f"{n}-{k}" for k, (n, *_) in enumerate(ONE_INPUT)]
)
def test_a_layer_is_what_keras_computes(keras, rng, name, fields, shape):
    if generation(keras) == 3 and (name, fields, shape) in ONLY_KERAS_2:
        pytest.skip("only Keras 2 has this")
    if generation(keras) == 3 and name == "LeakyReLU":
        fields = dict(zip(["negative_slope"], fields.values(), strict=False))
    source = keras.Input(shape)
    model = keras.Model(source, getattr(keras.layers, name)(name="layer", **fields)(source))
    # TensorFlow looks bicubic weights up in a table of 1024
    graph = agree(model, rng, tolerance=1e-3 if fields.get("interpolation") == "bicubic" else 1e-5)
    assert graph.outputs == ("layer",)
    assert graph.output_nodes["layer"] == "layer"


def test_channels_first_convolutions(keras, rng):
    """TensorFlow cannot run them on a CPU, so they are compared with their transposed twins."""
    layers = keras.layers
    for cls, shape, fields in (
        ("Conv1D", SEQUENCE, {"filters": 5, "kernel_size": 3, "padding": "same"}),
        ("Conv2D", IMAGE, {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same"}),
        ("Conv3D", VOLUME, {"filters": 3, "kernel_size": 2}),
        ("DepthwiseConv2D", IMAGE, {"kernel_size": 3, "depth_multiplier": 2}),
        ("SeparableConv2D", IMAGE, {"filters": 4, "kernel_size": 3}),
        ("Conv2DTranspose", IMAGE, {"filters": 4, "kernel_size": 3, "strides": 2, "activation": "relu"}),
    ):
        last = keras.Sequential([layers.InputLayer(shape), getattr(layers, cls)(**fields)])
        randomise(last, rng)
        first = keras.Sequential(
            [layers.InputLayer((shape[-1], *shape[:-1])), getattr(layers, cls)(data_format="channels_first", **fields)]
        )
        first.set_weights(last.get_weights())
        x = rng.normal(size=(2, *shape)).astype(np.float32)
        (got,) = import_model(first).evaluate(np.moveaxis(x, -1, 1)).values()
        assert relative_error(np.moveaxis(got, 1, -1), np.asarray(last(x))) < 1e-5, cls


@pytest.mark.parametrize("name", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"])
def test_merging_layers_broadcast(keras, rng, name):
    shapes = [(4, 3), (4, 1)] if name == "Subtract" else [(4, 3), (4, 1), (1, 3)]
    sources = [keras.Input(shape) for shape in shapes]
    agree(keras.Model(sources, getattr(keras.layers, name)()(sources)), rng)


@pytest.mark.parametrize(
    ("fields", "shapes"),
    [
        ({"axes": 1}, [(5,), (5,)]),
        ({"axes": (1, 2), "normalize": True}, [(5, 3), (4, 5)]),
        ({"axes": -1}, [(5, 3), (4, 3)]),
        ({"axes": (2, 1)}, [(5, 3), (3, 4)]),
    ],
)
def test_dot(keras, rng, fields, shapes):
    sources = [keras.Input(shape) for shape in shapes]
    agree(keras.Model(sources, keras.layers.Dot(**fields)(sources)), rng)


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_concatenate(keras, rng, axis):
    sources = [keras.Input((2, 3)), keras.Input((2, 3))]
    agree(keras.Model(sources, keras.layers.Concatenate(axis=axis)(sources)), rng)


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("sequences", [True, False])
def test_bidirectional(keras, rng, merge_mode, sequences):
    source = keras.Input(SEQUENCE)
    wrapped = keras.layers.Bidirectional(keras.layers.GRU(3, return_sequences=sequences), merge_mode=merge_mode)
    agree(keras.Model(source, wrapped(source)), rng)


def test_states_go_from_an_encoder_to_a_decoder(keras, rng):
    layers = keras.layers
    first, second = keras.Input((6, 3)), keras.Input((4, 2))
    _, h, c = layers.LSTM(5, return_state=True, name="encoder")(first)
    decoded, *_ = layers.LSTM(5, return_sequences=True, return_state=True, name="decoder")(second, initial_state=[h, c])
    agree(keras.Model([first, second], [decoded, h, c]), rng)


def test_masks_reach_recurrent_layers_and_means(keras, rng):
    layers = keras.layers
    words = keras.Input((6,))
    x = layers.Embedding(9, 4, mask_zero=True)(words)
    y = layers.Add()([x, layers.Dropout(0.2)(x)])
    seq = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(layers.Dense(4, "relu")(y))
    outputs = [layers.GRU(3)(seq), layers.GlobalAveragePooling1D()(seq), layers.TimeDistributed(layers.Dense(2))(seq)]
    values = rng.integers(0, 9, size=(4, 6)).astype(np.float32)
    values[0] = [0, 3, 0, 0, 5, 0]
    agree(keras.Model(words, outputs), rng, values)


def test_masking_by_value(keras, rng):
    layers = keras.layers
    a, b = keras.Input((6, 3)), keras.Input((6, 3))
    joined = layers.Concatenate()([layers.Masking(-1.0)(a), layers.Masking(2.0)(b)])
    xs = [rng.normal(size=(4, 6, 3)).astype(np.float32) for _ in range(2)]
    xs[0][:, 2], xs[1][0, 4] = -1.0, 2.0
    agree(keras.Model([a, b], layers.SimpleRNN(4)(joined)), rng, *xs)
