"""Live models of Keras 2 or 3 against Keras itself; skipped where there is none."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from snnc.errors import FrontendError, UnsupportedLayerError
from snnc.frontend.keras_live import KerasLiveFrontend
from tests.frontend.against_live_keras import agree, generation
from tests.frontend.loading import import_model, relative_error

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own


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
