"""Compare the graph of a live model with Keras itself."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.ir.check import check
from tests.frontend.loading import import_model, relative_error


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
    try:
        want = model(list(xs) if len(xs) > 1 else xs[0], training=False)
    except Exception as error:
        if "only supports NHWC" in str(error):
            pytest.skip("TensorFlow cannot pool channels-first on this processor")
        raise
    want = want if isinstance(want, (list, tuple)) else [want]
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert relative_error(a, np.asarray(b)) < tolerance
    return graph
