"""Ops of several inputs inside wrappers: no input is forgotten, on any backend."""

import numpy as np
import pytest

import snnc

BACKENDS = ("nengo", "nengo-dl", "tensorflow")


@pytest.fixture(scope="module")
def model():
    """Return a model in which one wrapper each holds a way to join two tensors, all next to each other."""
    keras = pytest.importorskip("tensorflow").keras
    layers = keras.layers
    joints = {
        "add": layers.Add(),
        "subtract": layers.Subtract(),
        "multiply": layers.Multiply(),
        "average": layers.Average(),
        "maximum": layers.Maximum(),
        "minimum": layers.Minimum(),
        "rows": layers.Concatenate(axis=1),
        "columns": layers.Concatenate(),
        "dot": layers.Dot((2, 2)),
        "cosines": layers.Dot(1, normalize=True),
        "attention": layers.Attention(),
        "operators": lambda pair: pair[0] - 2.0 * pair[1] / (1.0 + pair[0]),
    }

    def joined(join):
        x = keras.Input((3, 2))
        a, b = (layers.Dense(2, activation="relu", bias_initializer="ones")(x) for _ in range(2))
        return keras.Model(x, join([a, b]))

    x = keras.Input((2, 3, 2))
    inside = {name: layers.TimeDistributed(joined(join), name=name)(x) for name, join in joints.items()}
    twice = layers.TimeDistributed(layers.TimeDistributed(joined_rows(keras)), name="twice")(x)
    state = layers.Bidirectional(layers.SimpleRNN(3), merge_mode="mul", name="both")(layers.Reshape((2, 6))(x))
    return keras.Model(x, [*inside.values(), twice, state])


def joined_rows(keras):
    """Return a model of vectors that is a residual block."""
    x = keras.Input((2,))
    return keras.Model(x, keras.layers.Add()([x, keras.layers.Dense(2, activation="relu")(x)]))


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_input_of_an_op_in_a_wrapper_counts(model, backend, level):
    pytest.importorskip("nengo_dl") if backend == "nengo-dl" else None
    x = np.random.default_rng(1).normal(size=(4, 2, 3, 2)).astype(np.float32)
    want = model.predict(x, verbose=0)
    got = snnc.compile(model, backend=backend, level=level, neurons="relu", verify=False).predict(x, 3)
    assert len(got) == len(want)
    for (name, y), wanted in zip(got.items(), want, strict=True):
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5, err_msg=name)
