"""The rate regulariser works in the Keras that is installed, and is nothing to the frontend."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TensorFlow's own
    keras = pytest.importorskip("keras")

import snnc
from snnc.errors import UsageError
from snnc.keras import RateRegularizer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own
RATES = np.float32([[0, 100, 250], [300, 200, 200]])
"""Hz."""


def cost(regularizer: RateRegularizer, rates: np.ndarray = RATES) -> float:
    tensor = keras.ops.array(rates) if hasattr(keras, "ops") else keras.backend.constant(rates)
    return float(regularizer(tensor))


def test_it_costs_what_is_outside_of_the_band() -> None:
    assert np.isclose(cost(RateRegularizer(low=50, high=200, strength=0.1, p=1)), 0.1 * (100 + 100) / 3)
    assert np.isclose(cost(RateRegularizer(low=50, strength=1)), 50**2 / 3)
    assert np.isclose(cost(RateRegularizer(high=250, strength=1, p=3)), 50**3 / 3)
    assert cost(RateRegularizer(low=0, high=300, strength=1)) == 0


def test_a_target_is_a_band_without_width_and_scale_makes_rates_of_activations() -> None:
    at_target = cost(RateRegularizer(250, strength=1))
    assert np.isclose(at_target, (250**2 + 150**2 + 50**2 + 50**2 + 50**2) / 3)
    assert np.isclose(cost(RateRegularizer(250, scale=100, strength=1), RATES / 100), at_target)


def test_its_config_makes_it_again() -> None:
    one = RateRegularizer(250, scale=100, p=1)
    again = keras.regularizers.deserialize(keras.regularizers.serialize(one))
    assert isinstance(again, RateRegularizer) and again.get_config() == one.get_config()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "either target"),
        ({"target": 1, "low": 1}, "either target"),
        ({"low": 2, "high": 1}, r"low \(2 Hz\) is above high \(1 Hz\)"),
        ({"target": -1}, "low must be a finite number"),
        ({"target": 1, "scale": 0}, "scale must be above 0"),
        ({"target": 1, "p": 0.5}, "p at least 1"),
    ],
)
def test_impossible_settings_are_refused(arguments: dict[str, float], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        RateRegularizer(**arguments)


def test_it_moves_rates_to_the_target_and_conversion_ignores_it(tmp_path) -> None:
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    inputs = keras.layers.Input((4,))
    hidden = keras.layers.Dense(
        16, "relu", activity_regularizer=snnc.keras.RateRegularizer(200, scale=100, strength=1e-4), name="hidden"
    )(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="out")(hidden))
    x, y = rng.uniform(size=(128, 4)).astype(np.float32), np.zeros((128, 2), dtype=np.float32)
    model.compile(optimizer=keras.optimizers.Adam(0.03), loss="mse")
    model.fit(x, y, epochs=20, verbose=0)
    path = tmp_path / "model.keras"
    model.save(path)
    hidden_only = keras.Model(inputs, hidden)
    assert abs(100 * float(hidden_only.predict(x, verbose=0).mean()) - 200) < 50
    for source in (path, model):
        found = snnc.import_model(source).evaluate(x)["out"]
        assert np.abs(found - model.predict(x, verbose=0)).max() < 1e-5
