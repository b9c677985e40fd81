"""Layers that make categories of numbers and encode them, live and saved, against Keras 2 or 3."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.errors import FrontendError, UnsupportedLayerError
from tests.frontend.against_live_keras import generation
from tests.frontend.keras_files import layer, sequential, write_h5
from tests.frontend.loading import import_model, relative_error

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:You are saving:UserWarning")
WORDS = [12, 36, 7, 100]
INTEGERS = np.array([[7, 12, 12], [36, 5, 100], [0, 8, 7], [-3, 100, 100]], dtype=np.int32)


def agree(keras, tmp_path, made, xs):
    """Assert that a layer gives what Keras gives, live and saved."""
    sources = [keras.Input(x.shape[1:], dtype=str(x.dtype)) for x in xs]
    model = keras.Model(sources if len(xs) > 1 else sources[0], made(*sources))
    want = np.asarray(model(xs if len(xs) > 1 else xs[0])).astype(np.float32)
    model.save(tmp_path / "m.keras")
    for source in (model, tmp_path / "m.keras"):
        graph = import_model(source)
        values = dict(zip(graph.inputs, (x.astype(np.float32) for x in xs), strict=True))
        (got,) = graph.evaluate(values).values()
        assert relative_error(got, want) < 1e-6


def lookup_of(keras, **fields):
    try:
        return keras.layers.IntegerLookup(**fields)
    except ImportError:
        pytest.skip("Keras 3 looks integers up with TensorFlow alone")


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("width", [1, 3])
def test_category_encoding(keras, tmp_path, rng, mode, width):
    if mode == "one_hot" and width > 1 and generation(keras) == 2:
        width = 1  # Keras 2 encodes no more than two axes
    x = rng.integers(0, 5, size=(4, width)).astype(np.int32)
    agree(keras, tmp_path, keras.layers.CategoryEncoding(5, output_mode=mode), [x])


@pytest.mark.parametrize("mode", ["int", "multi_hot", "count", "tf_idf"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"mask_token": 0},
        {"num_oov_indices": 3},
        {"num_oov_indices": 2, "mask_token": 0},
        {"max_tokens": 9, "pad_to_max_tokens": True},
        {"vocabulary": [-1, *WORDS]},
    ],
    ids=str,
)
def test_integer_lookup(keras, tmp_path, mode, fields):
    fields = {"vocabulary": WORDS, **fields}
    if mode == "tf_idf":
        fields["idf_weights"] = [0.5 + k for k in range(len(fields["vocabulary"]))]
    if mode == "int":
        fields.pop("pad_to_max_tokens", None)
    agree(keras, tmp_path, lookup_of(keras, output_mode=mode, **fields), [INTEGERS])


@pytest.mark.parametrize("mask", [None, 0])
def test_integer_lookup_the_other_way(keras, tmp_path, mask):
    lookup = lookup_of(keras, vocabulary=WORDS, invert=True, mask_token=mask)
    agree(keras, tmp_path, lookup, [np.array([[0, 1, 2], [3, 4, 2], [9, 1, 0]], dtype=np.int32)])


@pytest.mark.parametrize("mode", ["int", "multi_hot", "count"])
def test_discretization_of_given_boundaries(keras, tmp_path, mode):
    x = np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]], dtype=np.float32)
    agree(keras, tmp_path, keras.layers.Discretization([0.0, 1.0, 2.0], output_mode=mode), [x])


def test_discretization_of_learned_boundaries(keras, tmp_path, rng):
    bins = keras.layers.Discretization(num_bins=4)
    try:
        bins.adapt(rng.normal(size=(200, 1)).astype(np.float32))
    except ImportError:
        pytest.skip("Keras 3 learns boundaries with TensorFlow alone")
    agree(keras, tmp_path, bins, [rng.normal(size=(40, 3)).astype(np.float32)])


def test_what_cannot_be_read_says_what_to_do(tmp_path):
    def read(made):
        return import_model(
            write_h5(tmp_path / "m.h5", sequential(layer("InputLayer", "x", batch_shape=[None, 3]), made), {})
        )

    with pytest.raises(UnsupportedLayerError, match="before the model and feed it the numbers"):
        read(layer("StringLookup", "s", vocabulary=["a"]))
    with pytest.raises(FrontendError, match="its config has no vocabulary of numbers"):
        read(layer("IntegerLookup", "i", vocabulary=None))
    with pytest.raises(FrontendError, match="numbers above 16777216"):
        read(layer("IntegerLookup", "i", vocabulary=[1 << 25]))
    with pytest.raises(FrontendError, match="'tf' is unknown"):
        read(layer("CategoryEncoding", "c", num_tokens=3, output_mode="tf"))
