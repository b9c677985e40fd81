"""Layers that the NengoDL Converter ran outside the network, refused with an exception, or computed wrongly.

Each case is a row of its layer table. Here each is exact in rate mode, as imported and after every exact pass, or
refused with the remedy.
"""

from __future__ import annotations

import numpy as np
import pytest

import snnc
from snnc.errors import FrontendError
from tests.frontend.against_keras import keras_2, largest_error, normal_inputs, outputs_of, randomise
from tests.frontend.loading import relative_error

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own
SEQUENCE, IMAGE, VOLUME = (8, 4), (6, 6, 4), (4, 4, 5, 2)
RECURRENT = ("SimpleRNN", "LSTM", "GRU")


@pytest.fixture(scope="module")
def keras():
    keras = keras_2()
    keras.utils.set_random_seed(0)
    return keras


def exact(keras, rng, sources, outputs, *xs):
    """Assert that levels 0 and 1 give what Keras gives for random weights and inputs."""
    model = keras.Model(sources, outputs)
    randomise(model, rng)
    inputs = list(xs) or normal_inputs(model, rng)
    want = outputs_of(model, inputs)
    for level in (0, 1):
        graph = snnc.compile(model, level=level, neurons="relu", build=False, verify=False).graph
        assert largest_error(graph, inputs, want) < 1e-5


def exact_in_time(keras, rng, sources, outputs):
    """Assert that Nengo gives, slice by slice, what Keras gives at every step, or after the last one."""
    model = keras.Model(sources, outputs)
    randomise(model, rng)
    inputs = [rng.normal(size=(3, t.shape[1] or 6, *t.shape[2:])).astype(np.float32) for t in model.inputs]
    (want,) = outputs_of(model, inputs)
    c = snnc.compile(model, temporal=True, neurons="relu", verify=False)
    (got,) = c.run(dict(zip(c.source.inputs, inputs, strict=True))).values()
    assert relative_error(got if got.ndim == want.ndim else got[:, -1], want) < 1e-5


def refused(model, reason):
    with pytest.raises(FrontendError, match=reason):
        snnc.import_model(model)


ONE_INPUT = {
    "dense on 3-D input": (SEQUENCE, [("Dense", {"units": 5, "activation": "relu"})]),
    "dense on 3-D input, linear, no bias": (SEQUENCE, [("Dense", {"units": 5, "use_bias": False})]),
    "regularizers and constraints": (
        (5,),
        [
            (
                "Dense",
                {
                    "units": 3,
                    "kernel_regularizer": "l2",
                    "bias_regularizer": "l1",
                    "activity_regularizer": "l2",
                    "kernel_constraint": "non_neg",
                    "activation": "relu",
                },
            )
        ],
    ),
    "frozen": ((5,), [("Dense", {"units": 3, "trainable": False})]),
    "causal": (SEQUENCE, [("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal", "activation": "relu"})]),
    "dilation": (IMAGE, [("Conv2D", {"filters": 3, "kernel_size": 2, "dilation_rate": 2, "activation": "relu"})]),
    "groups": (IMAGE, [("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 2, "activation": "relu"})]),
    **{
        f"transposed {rank}-D": (
            shape,
            [(f"Conv{rank}DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2, "activation": "relu"})],
        )
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
    },
    "depthwise": (IMAGE, [("DepthwiseConv2D", {"kernel_size": 3, "activation": "relu"})]),
    "separable 1-D": (SEQUENCE, [("SeparableConv1D", {"filters": 3, "kernel_size": 3})]),
    "separable 2-D": (IMAGE, [("SeparableConv2D", {"filters": 3, "kernel_size": 3, "padding": "same"})]),
    **{
        f"{kind} pooling {rank}-D, {padding}": (
            shape,
            [(f"{kind}Pooling{rank}D", {"pool_size": 3, "padding": padding})],
        )
        for kind, paddings in (("Average", ("same",)), ("Max", ("same", "valid")))
        for padding in paddings
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
    },
    **{
        f"global max pooling {rank}-D": (shape, [(f"GlobalMaxPooling{rank}D", {})])
        for rank, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))
    },
    "batch normalisation that is trainable": (
        IMAGE,
        [("Conv2D", {"filters": 2, "kernel_size": 3}), ("BatchNormalization", {})],
    ),
    "batch normalisation over two axes": (IMAGE, [("BatchNormalization", {"axis": [1, 2]})]),
    "batch normalisation of a sequence": (SEQUENCE, [("BatchNormalization", {})]),
    "batch normalisation of a sequence of rows, positive axis": ((5, 3, 2), [("BatchNormalization", {"axis": 3})]),
    "layer normalisation": (SEQUENCE, [("LayerNormalization", {})]),
    "group normalisation": (IMAGE, [("GroupNormalization", {"groups": 2})]),
    "normalisation of inputs": ((4,), [("Normalization", {"mean": 0.5, "variance": 2.0})]),
    "rescaling": (IMAGE, [("Rescaling", {"scale": 0.5, "offset": -1.0})]),
    **{
        name: (IMAGE, [(name, fields), ("Conv2D", {"filters": 2, "kernel_size": 3})])
        for name, fields in (
            ("Dropout", {"rate": 0.5}),
            ("SpatialDropout2D", {"rate": 0.5}),
            ("GaussianNoise", {"stddev": 1.0}),
            ("ActivityRegularization", {"l2": 0.1}),
        )
    },
    **{
        f"{cls} with {name}": (shape, [(cls, {**fields, "activation": name})])
        for cls, shape, fields in (
            ("Activation", (7,), {}),
            ("Dense", (7,), {"units": 5}),
            ("Conv1D", SEQUENCE, {"filters": 3, "kernel_size": 2}),
        )
        for name in "softmax elu selu gelu swish softplus softsign exponential hard_sigmoid".split()
    },
    "limited ReLU": ((20,), [("ReLU", {"max_value": 0.7})]),
    "ReLU with a threshold": ((20,), [("ReLU", {"threshold": 0.3, "negative_slope": 0.1, "max_value": 1.0})]),
    "PReLU": (IMAGE, [("PReLU", {"shared_axes": [1, 2]})]),
    "ELU": ((20,), [("ELU", {"alpha": 0.5})]),
    "ThresholdedReLU": ((20,), [("ThresholdedReLU", {"theta": 0.4})]),
    "Softmax": (SEQUENCE, [("Softmax", {"axis": 1})]),
    "flatten, channels first": (IMAGE, [("Flatten", {"data_format": "channels_first"}), ("Dense", {"units": 3})]),
    "Permute": (IMAGE, [("Permute", {"dims": (3, 1, 2)})]),
    "RepeatVector": ((4,), [("RepeatVector", {"n": 3})]),
    "Cropping1D": (SEQUENCE, [("Cropping1D", {"cropping": (1, 2)})]),
    "Cropping2D": (IMAGE, [("Cropping2D", {"cropping": 1})]),
    "Cropping3D": (VOLUME, [("Cropping3D", {"cropping": 1})]),
    "bilinear up-sampling": (IMAGE, [("UpSampling2D", {"interpolation": "bilinear"})]),
    "SimpleRNN": (SEQUENCE, [("SimpleRNN", {"units": 3})]),
    "LSTM": (SEQUENCE, [("LSTM", {"units": 3})]),
    "GRU over all steps": (SEQUENCE, [("GRU", {"units": 3, "return_sequences": True})]),
    "read-out over time": (
        SEQUENCE,
        [("Dense", {"units": 5, "activation": "relu"}), ("GlobalAveragePooling1D", {}), ("Dense", {"units": 2})],
    ),
}


@pytest.mark.parametrize("row", ONE_INPUT)
def test_a_layer_with_one_input(keras, rng, row):
    shape, run = ONE_INPUT[row]
    source = y = keras.Input(shape)
    for name, fields in run:
        y = getattr(keras.layers, name)(**fields)(y)
    exact(keras, rng, source, y)


def test_an_activation_that_is_a_layer(keras, rng):
    source = keras.Input((6,))
    exact(keras, rng, source, keras.layers.Dense(8, activation=keras.layers.LeakyReLU(0.2))(source))


@pytest.mark.parametrize("name", ["relu6", "leaky_relu"])
def test_an_activation_that_is_a_function_of_tensorflow(keras, rng, name):
    import tensorflow as tf

    source = keras.Input((6,))
    exact(keras, rng, source, keras.layers.Dense(20, activation=getattr(tf.nn, name))(source))


@pytest.mark.parametrize("cls", ["Subtract", "Multiply", "Maximum", "Minimum", "Add"])
def test_two_inputs_that_broadcast(keras, rng, cls):
    a, b = keras.Input((4, 1)), keras.Input((4, 3))
    y = getattr(keras.layers, cls)()([a, keras.layers.Activation("relu")(b)])
    exact(keras, rng, [a, b], keras.layers.Dense(2)(y))


def test_dot_products(keras, rng):
    a, b = keras.Input((4, 3)), keras.Input((4, 5))
    exact(keras, rng, [a, b], keras.layers.Dot(axes=1, normalize=True)([a, b]))


def test_sequences_joined_along_a_positive_axis(keras, rng):
    a, b = keras.Input((4, 3)), keras.Input((4, 5))
    exact(keras, rng, [a, b], keras.layers.Concatenate(axis=2)([a, b]))


def test_operators_and_slices(keras, rng):
    import tensorflow as tf

    x = keras.Input((6,))
    first, second = tf.split(x + 1, 2, axis=1)
    exact(keras, rng, x, [tf.nn.relu(x), x[:, :2], first * second])


def test_embedding_and_masks(keras, rng):
    layers, words = keras.layers, keras.Input((5,))
    y = layers.Embedding(7, 3, mask_zero=True)(words)
    exact(keras, rng, words, layers.LSTM(4)(y), rng.integers(0, 7, size=(4, 5)).astype(np.float32))
    sequence = keras.Input((5, 3))
    y = layers.Bidirectional(layers.GRU(2, return_sequences=True))(layers.Masking(0.0)(sequence))
    x = rng.normal(size=(4, 5, 3)).astype(np.float32)
    x[:2, 3:] = 0
    exact(keras, rng, sequence, y, x)


def test_time_distributed_layers(keras, rng):
    layers, source = keras.layers, keras.Input((3, 6, 6, 2))
    y = layers.TimeDistributed(layers.Conv2D(3, 3, activation="relu"))(source)
    y = layers.TimeDistributed(layers.Dropout(0.5))(y)
    exact(keras, rng, source, layers.TimeDistributed(layers.Flatten())(y))


IN_TIME = {
    "batch normalisation of a sequence": ((None, 4), [("BatchNormalization", {})]),
    "batch normalisation over an axis counted from the front": ((None, 3, 2), [("BatchNormalization", {"axis": 2})]),
    **{f"{name} over all steps": (SEQUENCE, [(name, {"units": 3, "return_sequences": True})]) for name in RECURRENT},
    **{f"{name} of the last step": ((None, 4), [(name, {"units": 3})]) for name in RECURRENT},
    "read-out over time": (
        (None, 4),
        [("Dense", {"units": 5, "activation": "relu"}), ("GlobalAveragePooling1D", {}), ("Dense", {"units": 2})],
    ),
    "dropout": (SEQUENCE, [("Dropout", {"rate": 0.5}), ("Dense", {"units": 3})]),
}


@pytest.mark.parametrize("row", IN_TIME)
def test_a_layer_in_a_temporal_model(keras, rng, row):
    shape, run = IN_TIME[row]
    source = y = keras.Input(shape)
    for name, fields in run:
        y = getattr(keras.layers, name)(**fields)(y)
    exact_in_time(keras, rng, source, y)


@pytest.mark.parametrize("steps", [10, None])
def test_time_distributed_layers_in_a_temporal_model(keras, rng, steps):
    layers, source = keras.layers, keras.Input((steps, 6, 6, 2))
    y = layers.TimeDistributed(layers.Conv2D(3, 3, activation="relu"))(source)
    y = layers.TimeDistributed(layers.Dropout(0.5))(y)
    y = layers.TimeDistributed(layers.Reshape((-1,)))(y)
    exact_in_time(keras, rng, source, layers.TimeDistributed(layers.Dense(2))(y))


def test_sequences_joined_along_a_positive_axis_in_a_temporal_model(keras, rng):
    a, b = keras.Input((None, 3)), keras.Input((None, 5))
    exact_in_time(keras, rng, [a, b], keras.layers.Concatenate(axis=2)([a, keras.layers.Activation("relu")(b)]))


def test_a_sequential_inside_a_functional_model(keras, rng):
    layers, source = keras.layers, keras.Input((5,))
    for inner in (
        keras.Sequential([layers.Dense(4, activation="relu"), layers.BatchNormalization()]),
        keras.Sequential([keras.Input((5,)), layers.Dense(4), keras.Sequential([layers.Dense(3, activation="relu")])]),
    ):
        exact(keras, rng, source, layers.Dense(2)(inner(source)))


def test_a_layer_with_weights_applied_twice(keras, rng):
    layers, a, b = keras.layers, keras.Input((5,)), keras.Input((5,))
    dense, norm = layers.Dense(5, activation="relu"), layers.BatchNormalization()
    exact(keras, rng, [a, b], [dense(a), norm(dense(dense(b))), norm(a)])


def test_sizes_left_open_are_asked_for(keras, rng):
    source = keras.Input((None, 3))
    model = keras.Model(source, keras.layers.Conv1D(2, 3)(source))
    refused(model, "input_shape")
    x = rng.normal(size=(2, 7, 3)).astype(np.float32)
    assert largest_error(snnc.import_model(model, input_shape=(7, 3)), [x], outputs_of(model, [x])) < 1e-5


def test_attention_and_local_weights_that_the_converter_refuses(keras, rng):
    source = keras.Input((6, 4))
    exact(keras, rng, source, keras.layers.MultiHeadAttention(2, 3)(source, source))
    if hasattr(keras.layers, "LocallyConnected1D"):  # Keras 3 has none
        exact(keras, rng, source, keras.layers.LocallyConnected1D(2, 3)(source))


def test_what_has_no_meaning_here_is_refused_with_the_remedy(keras):
    layers, source = keras.layers, keras.Input((6, 4))

    class Own(layers.Dense):
        pass

    plugin = "importer plugin"
    refused(keras.Model(source, layers.Concatenate(axis=0)([source, source])), "batch axis")
    refused(keras.Model(source, layers.Lambda(lambda v: v * 2)(source)), f"never executed.*{plugin}")
    refused(keras.Model(source, layers.Dense(3, activation=lambda v: v * 2)(source)), plugin)
    refused(keras.Model(source, Own(3)(source)), plugin)


def test_models_that_are_no_graph_are_refused(keras):
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    built = Subclassed()
    built(np.zeros((1, 2), dtype=np.float32))
    refused(built, "subclassed")
    refused(keras.Sequential([keras.layers.Dense(3)]), "no weights yet")
