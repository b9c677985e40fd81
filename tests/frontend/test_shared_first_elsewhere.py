"""Layers and models that were called first in another model, which Keras 2 files tell of in part only."""

import numpy as np
import pytest

from tests.frontend.loading import import_model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own


def alone(keras):
    """Return a model whose layer was called in another model before, and is called twice."""
    shared = keras.layers.Dense(4, name="shared", activation="tanh")
    elsewhere = keras.Input((4,))
    keras.Model(elsewhere, shared(elsewhere))
    x = keras.Input((4,))
    return keras.Model(x, keras.layers.Dense(2)(shared(shared(x))))


def nested(keras):
    """Return a model of a nested one that was called in another model before."""
    inside = keras.Input((4,))
    part = keras.Model(inside, keras.layers.Dense(4, activation="tanh")(inside), name="part")
    elsewhere = keras.Input((4,))
    keras.Model(elsewhere, part(elsewhere))
    x = keras.Input((4,))
    return keras.Model(x, keras.layers.Dense(2)(part(x)))


def inside_and_outside(keras):
    """Return a model that calls a layer before a nested model, which has it too."""
    shared = keras.layers.Dense(4, name="shared", activation="tanh")
    x = keras.Input((4,))
    y = shared(x)
    inside = keras.Input((4,))
    part = keras.Model(inside, shared(inside), name="part")
    return keras.Model(x, keras.layers.Dense(2)(part(y)))


@pytest.mark.parametrize("build", [alone, nested, inside_and_outside])
@pytest.mark.parametrize("saved", [".keras", ".h5", None])
def test_every_call_reads_what_it_read(keras, build, saved, tmp_path):
    model = build(keras)
    source = model
    if saved is not None:
        source = tmp_path / f"model{saved}"
        model.save(source)
    graph = import_model(source)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    (got,) = graph.evaluate(x).values()
    assert np.allclose(got, np.asarray(model(x)), atol=1e-5)
