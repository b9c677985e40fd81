"""What tests of the frontend share."""

from __future__ import annotations

import warnings

import pytest


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
