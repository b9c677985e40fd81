"""Compare imported graphs with Keras 2 itself, where it is installed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tests.frontend.loading import relative_error


def keras_2():
    """Return tf.keras of generation 2; skip without it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("tensorflow").keras
    if keras.__version__.split(".")[0] != "2":
        pytest.skip("needs Keras 2")
    return keras


def randomise(model, rng):
    """Give all weights values that tell mix-ups apart; variances stay positive, counts and seeds as they are."""
    for w in model.weights:
        low, high = (0.5, 1.5) if "variance" in w.name or "gamma" in w.name else (-0.5, 0.5)
        if w.dtype.is_floating:
            w.assign(rng.uniform(low, high, size=w.shape))


def normal_inputs(model, rng, count=3):
    """Return random inputs of a model, never all ones."""
    return [rng.normal(size=(count, *t.shape[1:])).astype(np.float32) for t in model.inputs]


def outputs_of(model, xs):
    """Return what Keras computes, as a list."""
    ys = model(xs if len(xs) > 1 else xs[0], training=False)
    return [np.asarray(y) for y in (ys if isinstance(ys, (list, tuple)) else [ys])]


def largest_error(graph, xs, want):
    """Return the largest relative error of a graph's outputs."""
    got = list(graph.evaluate(dict(zip(graph.inputs, xs, strict=True))).values())
    assert len(got) == len(want)
    return max(relative_error(a, b) for a, b in zip(got, want, strict=True))
