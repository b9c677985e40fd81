"""Random functional models: what is imported is what Keras computes, and every exact pass keeps it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import snnc
from snnc.passes import BUILTIN, pipeline
from snnc.passes.base import Context
from snnc.passes.order import order
from snnc.passes.swap_activations import SwapActivations
from snnc.registry import Registry
from tests.frontend.against_keras import keras_2, largest_error, normal_inputs, outputs_of, randomise
from tests.frontend.random_models import random_model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:You are saving:UserWarning")
EXACT = [cls for cls in BUILTIN if cls.exact and not cls.needs_calibration]
TOLERANCE = 1e-5
MODELS = st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=14)
"""A number for each layer, so that a failing model shrinks layer by layer."""


def drawn(examples):
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )


@pytest.fixture(scope="module")
def keras():
    return keras_2()


def holds(model, folder, seed=0):
    """Assert that a model imports exactly, live and saved, and that every exact pass keeps its outputs."""
    rng = np.random.default_rng(seed)
    randomise(model, rng)
    xs = normal_inputs(model, rng, 2)
    want = outputs_of(model, xs)
    graph = snnc.import_model(model)
    assert largest_error(graph, xs, want) < TOLERANCE
    model.save(folder / "m.h5")
    assert snnc.import_model(folder / "m.h5") == graph
    samples = dict(zip(graph.inputs, xs, strict=True))
    context = Context(neurons=Registry.discover().neurons)
    plans = [[cls()] for cls in EXACT]
    plans.append(order([*(cls() for cls in EXACT), SwapActivations(neurons="relu")]))
    for plan in plans:
        rewritten, journal = pipeline.run(graph, plan, context, samples=samples)
        for entry in journal:
            assert entry.error is None or entry.error < TOLERANCE, entry.name
        assert largest_error(rewritten, xs, want) < TOLERANCE


@given(MODELS)
@drawn(25)
def test_some_random_models(keras, tmp_path_factory, steps):
    holds(random_model(keras, steps), tmp_path_factory.getbasetemp())


@pytest.mark.slow
@given(MODELS)
@drawn(300)
def test_300_random_models(keras, tmp_path_factory, steps):
    holds(random_model(keras, steps), tmp_path_factory.getbasetemp())
