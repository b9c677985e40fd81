"""Live models of Keras 2 or 3 against Keras itself; skipped where there is none."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from snnc.errors import FrontendError, UnsupportedLayerError
from snnc.frontend.keras_live import KerasLiveFrontend
from snnc.ir.check import check
from tests.frontend.loading import import_model, relative_error

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own


@pytest.fixture(scope="module")
def keras():
    """Return tf.keras where there is TensorFlow, else Keras by itself: generation 2 or 3."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from tensorflow import keras
        except ImportError:
            keras = pytest.importorskip("keras")
        keras.utils.set_random_seed(0)
        return keras


def generation(keras):
    return int(keras.__version__.split(".")[0])


def randomise(model, rng):
    """Give all weights values that tell mix-ups apart; variances stay positive."""
    for w in model.weights:
        low, high = (0.5, 1.5) if "variance" in w.name or "gamma" in w.name else (-0.5, 0.5)
        if "float" in str(w.dtype):
            w.assign(rng.uniform(low, high, size=w.shape))


def agree(model, rng, *xs, tolerance=1e-5):
    """Assert that the imported graph gives what Keras gives, and return the graph."""
    randomise(model, rng)
    xs = xs or tuple(rng.normal(size=(3, *t.shape[1:])).astype(np.float32) for t in model.inputs)
    graph = import_model(model)
    check(graph)
    got = list(graph.evaluate(dict(zip(graph.inputs, xs, strict=True))).values())
    want = model(list(xs) if len(xs) > 1 else xs[0], training=False)
    want = want if isinstance(want, (list, tuple)) else [want]
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert relative_error(a, np.asarray(b)) < tolerance
    return graph


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


def test_time_distributed_layers_and_models(keras, rng):
    layers = keras.layers
    wrap = layers.TimeDistributed
    source = keras.Input((4, 9, 8, 3))
    y = wrap(layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"), name="first")(source)
    y = wrap(layers.BatchNormalization())(y)
    y = wrap(layers.ZeroPadding2D(1))(y)
    y = wrap(layers.MaxPooling2D(2))(wrap(layers.Dropout(0.5))(y))
    y = wrap(layers.Conv2DTranspose(2, 3, strides=2))(y)
    inner = keras.Sequential(
        [
            layers.InputLayer(y.shape[2:]),
            layers.Permute((2, 1, 3)),
            layers.Softmax(axis=1),
            layers.GlobalAveragePooling2D(),
        ]
    )
    outputs = [wrap(inner)(y), wrap(layers.Flatten())(y), wrap(layers.GlobalMaxPooling2D())(y)]
    graph = agree(keras.Model(source, outputs), rng)
    assert graph["first"].op.kind == "conv"


def test_operators_on_tensors(keras, rng):
    if generation(keras) == 3:
        pytest.skip("these are of TensorFlow and Keras 2")
    import tensorflow as tf

    x, z = keras.Input((4, 6)), keras.Input((4, 6))
    y = tf.nn.relu(x * 2.0 + 1.0)
    y = 2.0 - y + z
    y = tf.concat([y[:, :2], x[:, 2:]], axis=1)
    a, b = tf.split(y, 2, axis=-1)
    outputs = [
        a / (tf.square(b) + 1.0),
        -tf.reshape(y, (-1, 24)),
        tf.reduce_mean(y, axis=[1, 2], keepdims=True) ** 2,
        tf.matmul(y, tf.constant(rng.normal(size=(6, 2)).astype(np.float32))),
        tf.matmul(x, z, transpose_b=True),
        tf.nn.relu6(tf.transpose(y, (0, 2, 1)) + 3.0) * (1 / 6),
        tf.stack([a, b], axis=1)[:, 0, ..., ::-1],
        tf.maximum(tf.minimum(y, 0.5), 0.0),
        tf.clip_by_value(tf.expand_dims(y, -1), 0.0, 1.0),
        tf.squeeze(tf.reduce_max(y, axis=1, keepdims=True), axis=1),
        tf.pad(tf.tile(y, (1, 2, 1)), ((0, 0), (1, 0), (0, 2))),
        tf.nn.softmax(y * tf.constant([[[1.0], [2.0], [3.0], [4.0]]]), axis=1),
        3.0 / (tf.abs(tf.sigmoid(y)) + tf.exp(-tf.sqrt(tf.abs(z)))),
        tf.nn.leaky_relu(y, alpha=0.1) * tf.nn.gelu(z) - tf.nn.swish(x),
        tf.unstack(y, axis=1)[2] + tf.math.l2_normalize(x[:, 1], axis=-1),
        tf.add_n([x, y, z]),
        x[:, tf.newaxis, 1, :, None] * tf.ones((1, 3, 1, 1)),
        tf.image.resize(x[..., None], (8, 3)),
    ]
    agree(keras.Model([x, z], outputs), rng)


def test_operators_of_keras_3(keras, rng, tmp_path):
    if generation(keras) == 2:
        pytest.skip("these are of Keras 3")
    ops = keras.ops
    x, z = keras.Input((4, 6)), keras.Input((4, 6))
    outputs = [
        *ops.unstack(x, axis=1)[:2],
        2.0 - ops.gelu(x) * 3 + z,
        ops.stack([x, z], axis=2),
        ops.tile(x, (1, 2, 1)) / 2.0,
        ops.repeat(x, 3, axis=2),
        ops.flip(x, axis=1),
        ops.pad(x, ((0, 0), (1, 2), (0, 1))),
        ops.einsum("bij,bkj->bik", x, z),
        ops.matmul(x, ops.transpose(z, (0, 2, 1))),
        ops.matmul(x, np.ones((6, 2), dtype=np.float32)),
        ops.swapaxes(x, 1, 2),
        ops.maximum(x, 0.3) + ops.minimum(z, x) - ops.minimum(x, 0.1),
        ops.split(x, [1, 3], axis=2)[1],
        ops.hard_sigmoid(x) * ops.silu(z),
        ops.abs(x) / (ops.square(z) + 1),
        ops.sqrt(ops.exp(x)) ** 3,
        ops.log_softmax(x, axis=1),
        ops.sum(x, axis=(1, 2)),
        ops.cast(x, "float32") * np.ones((1, 4, 6), dtype=np.float32),
        x[..., 0],
        x[:, 1:3, ::2],
        ops.image.resize(ops.expand_dims(x, -1), (8, 3)),
        ops.elu(x, alpha=0.5) + ops.leaky_relu(z, negative_slope=0.3),
        ops.squeeze(ops.max(x, axis=1, keepdims=True), 1),
        ops.reshape(x, (-1, 24)),
        ops.clip(ops.concatenate([-x, z], axis=1), 0.0, 1.0),
    ]
    model = keras.Model([x, z], outputs)
    agree(model, rng)
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.h5")
    live = import_model(model)
    for name in ("m.keras", "m.h5"):
        assert import_model(tmp_path / name) == live


def test_saved_and_live_are_the_same_graph(keras, rng, tmp_path):
    layers = keras.layers
    source = keras.Input((6,))
    y = layers.Bidirectional(layers.GRU(4, return_sequences=True))(layers.Embedding(9, 3, mask_zero=True)(source))
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(4), layers.BatchNormalization()], name="inner")
    outputs = [layers.TimeDistributed(inner)(y), inner(layers.GlobalAveragePooling1D()(y))]
    model = keras.Model(source, outputs)
    inner.trainable = False
    live = agree(model, rng, rng.integers(0, 9, size=(3, 6)).astype(np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(tmp_path / "m.h5")
        model.save(tmp_path / "m.keras", **({"save_format": "keras_v3"} if generation(keras) == 2 else {}))
    assert import_model(tmp_path / "m.h5") == live
    assert import_model(tmp_path / "m.keras") == live


def test_an_adapted_normalization(keras, rng):
    data = rng.normal(3, 2, size=(50, 4, 3)).astype(np.float32)
    layer = keras.layers.Normalization()
    layer.adapt(data)
    source = keras.Input((4, 3))
    model = keras.Model(source, layer(source))
    (got,) = import_model(model).evaluate(data).values()
    assert relative_error(got, np.asarray(model(data))) < 1e-5
    assert abs(got.mean()) < 1e-3


def test_shared_layers_and_nested_models(keras, rng):
    layers = keras.layers
    shared = layers.Dense(5, activation="relu", name="shared")
    inner = keras.Sequential(
        [keras.Input((5,)), layers.Dense(4, name="dense"), layers.BatchNormalization()], name="inner"
    )
    a, b = keras.Input((5,), name="a"), keras.Input((5,), name="b")
    outer = keras.Model([b, a], [inner(shared(a)), inner(shared(b)), shared(shared(a)), b], name="outer")
    graph = agree(outer, rng)
    assert graph.inputs == ("b", "a")
    assert graph.outputs == ("inner", "inner_1", "shared", "b")
    assert graph["shared"].op.weight is graph["shared_1"].op.weight is graph["shared_3"].op.weight
    assert graph["inner/dense"].op.weight is graph["inner/dense_1"].op.weight
    twice = keras.Sequential([keras.Input((5,)), outer_of(keras, outer), layers.Dense(2)], name="twice")
    assert len(agree(twice, rng)) > 3


def outer_of(keras, model):
    """Return a model with one input and output around a model with several."""
    source = keras.Input((5,))
    return keras.Model(source, keras.layers.Concatenate()(model([source, source])), name="around")


def test_dict_inputs_and_outputs(keras, rng):
    u, v = keras.Input((3,), name="u"), keras.Input((3,), name="v")
    model = keras.Model({"v": v, "u": u}, {"z": keras.layers.Subtract()([u, v]), "y": keras.layers.ReLU()(u)})
    graph = import_model(model)
    x = rng.normal(size=(2, 4, 3)).astype(np.float32)
    got = graph.evaluate({"v": x[0], "u": x[1]})
    assert graph.inputs == ("u", "v")
    assert len(got) == 2
    wanted = model({"v": x[0], "u": x[1]})
    for name, key in zip(got, sorted(wanted), strict=True):
        np.testing.assert_allclose(got[name], np.asarray(wanted[key]), rtol=1e-6)


def test_a_model_is_left_as_it_was(keras, rng):
    layers = keras.layers
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dropout(0.5), layers.BatchNormalization()])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 3)), np.ones((8, 4)), verbose=0)
    before = [np.array(w) for w in (*model.weights, *model.optimizer.variables)]
    nodes = [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in model.layers]
    config, functions = model.get_config(), (model.train_function, model.predict_function)
    import_model(model)
    after = [np.array(w) for w in (*model.weights, *model.optimizer.variables)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert nodes == [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in model.layers]
    assert (config, functions) == (model.get_config(), (model.train_function, model.predict_function))


def test_what_cannot_be_read_is_said(keras):
    layers = keras.layers

    class Own(layers.Dense):
        pass

    class Subclassed(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(FrontendError, match="has no weights yet"):
        import_model(keras.Sequential([layers.Dense(3)]))
    built = Subclassed()
    built(np.ones((1, 2), dtype=np.float32))
    with pytest.raises(FrontendError, match="is subclassed"):
        import_model(built)
    source = keras.Input((3,))
    model = keras.Model(source, layers.Lambda(lambda v: v, name="code")(Own(3, name="mine")(source)))
    with pytest.raises(UnsupportedLayerError, match="2 layer") as caught:
        import_model(model)
    assert [row[:2] for row in caught.value.layers] == [("mine", "Own"), ("code", "Lambda")]

    class Mute(layers.Layer):
        def call(self, x):
            return x

        def get_config(self):
            raise ValueError("not today")

    with pytest.raises(FrontendError, match="cannot say its config, write get_config"):
        import_model(keras.Model(source, Mute()(source)))
    with pytest.raises(FrontendError, match="training=True"):
        import_model(keras.Model(source, layers.Dropout(0.5)(source, training=True)))
    with pytest.raises(FrontendError, match="stateful"):
        import_model(keras.Sequential([layers.Input(batch_shape=(1, 3, 2)), layers.LSTM(2, stateful=True)]))


def test_only_keras_models_are_accepted(keras):
    frontend = KerasLiveFrontend(None)
    assert frontend.accepts(keras.Sequential())
    assert not frontend.accepts("model.h5")
    assert not frontend.accepts(keras.layers.Dense(3))
