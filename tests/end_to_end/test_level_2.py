"""Calibration: what compile does with samples at level 2."""

import numpy as np
import pytest

import snnc
from snnc.engine.read_out import LastReadOut, MeanReadOut
from snnc.errors import DataError, UsageError
from snnc.neurons import Neurons
from tests import models


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return models.small_cnn(tmp_path_factory.mktemp("models") / "model.keras")


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(3).uniform(0, 1, size=(64, 8, 8, 1)).astype(np.float32)


def test_calibration_makes_few_steps_enough_and_the_journal_says_by_how_much(model, x):
    plain = snnc.compile(model, level=1, neurons="soft-reset-if", steps=8, verify=False)
    c = snnc.compile(model, level=2, neurons="soft-reset-if", calibration=x, steps=8)
    measured = {e.name.split("{")[0]: e for e in c.journal if e.loss is not None}
    assert {"calibrate-scales", "initial-voltage"} <= set(measured)
    for entry in measured.values():
        assert entry.kept == (entry.loss[1] < entry.loss[0] or entry.loss[0] == np.inf)
    fresh = np.random.default_rng(4).uniform(0, 1, size=(40, 8, 8, 1)).astype(np.float32)
    want = c.source.evaluate(fresh)["out"]
    errors = [np.abs(g.predict(fresh, 8) - want).mean() / np.abs(want).mean() for g in (plain, c)]
    assert errors[1] < 0.15 < errors[0]
    assert c.read_out == MeanReadOut(start=0.0)
    assert c.default_steps == 8


def test_a_calibration_that_does_not_help_is_taken_back(model, x):
    bad = {"initial-voltage": {"voltage": -3.0}}
    c = snnc.compile(model, level=2, neurons="soft-reset-if", calibration=x, steps=8, options=bad)
    entry = next(e for e in c.journal if e.name.startswith("initial-voltage"))
    assert not entry.kept
    assert entry.loss[1] > entry.loss[0]
    assert c.graph["conv_a"].op.model.initial == 0.0


def test_a_scale_that_the_user_gave_stays(model, x):
    c = snnc.compile(model, level=2, neurons="soft-reset-if", calibration=x, steps=8, scale={"conv_a": 123.0})
    assert c.graph["conv_a"].op.scale == pytest.approx(1 / 123)
    assert np.shape(c.graph["conv_b"].op.scale) == (6,)


def test_by_default_spikes_are_graded_and_their_sizes_and_the_steps_are_chosen(model, x):
    c = snnc.compile(model, level=2, calibration=x)
    assert {node.op.model.kind for node in c.graph.nodes(Neurons)} == {"sigma-delta"}
    assert c.default_steps == c.settings.steps
    assert c.read_out == LastReadOut(start=0.0)
    assert any(f"{c.settings.steps} steps of spikes of " in note for note in c.notes)
    fresh = np.random.default_rng(4).uniform(0, 1, size=(40, 8, 8, 1)).astype(np.float32)
    want = c.source.evaluate(fresh)["out"]
    assert np.abs(c.predict(fresh) - want).mean() < 0.1 * np.abs(want).mean()
    less = snnc.compile(model, level=2, calibration=x, options={"choose-levels": {"target_drop": 5.0}})
    assert np.abs(less.predict(fresh) - want).mean() > np.abs(c.predict(fresh) - want).mean()


def test_counted_spikes_have_thresholds_steps_and_spikes_a_step_by_forecast(model, x):
    c = snnc.compile(model, level=2, calibration=x, code="counted")
    assert {node.op.model.kind for node in c.graph.nodes(Neurons)} == {"signed-if"}
    assert c.default_steps == c.settings.steps
    assert any(f"{c.settings.steps} steps of at most" in note for note in c.notes)
    fresh = np.random.default_rng(4).uniform(0, 1, size=(40, 8, 8, 1)).astype(np.float32)
    want = c.source.evaluate(fresh)["out"]
    assert np.abs(c.predict(fresh) - want).mean() < 0.1 * np.abs(want).mean()
    less = snnc.compile(
        model, level=2, calibration=x, code="counted", options={"choose-thresholds": {"target_drop": 5.0}}
    )
    assert less.settings.steps < c.settings.steps
    assert np.abs(less.predict(fresh) - want).mean() > np.abs(c.predict(fresh) - want).mean()


def test_the_steps_that_the_user_asked_for_are_taken(model, x):
    c = snnc.compile(model, level=2, calibration=x, steps=2, code="counted")
    assert c.settings.steps == 2
    assert {node.op.model.gamma for node in c.graph.nodes(Neurons)} <= set(range(1, 17))
    graded = snnc.compile(model, level=2, calibration=x, steps=1)
    assert graded.settings.steps == 1
    assert {node.op.model.kind for node in graded.graph.nodes(Neurons)} == {"sigma-delta"}


def test_a_network_of_which_a_layer_is_silent_is_not_what_calibration_is_judged_against(model, x):
    """At one step nothing fires yet: every pass would be taken back, one by one."""
    c = snnc.compile(model, level=2, neurons="soft-reset-if", calibration=x, steps=1)
    measured = {e.name.split("{")[0]: e for e in c.journal if e.loss is not None}
    assert measured["calibrate-scales"].loss[0] == np.inf
    assert measured["calibrate-scales"].kept
    assert c.predict(x, 1).any(axis=0).all()


def test_per_channel_scales_run_on_nengo_as_in_the_evaluator(model, x, tmp_path):
    c = snnc.compile(model, level=2, calibration=x, steps=8)
    c.save(tmp_path / "out")
    again = snnc.load(tmp_path / "out")
    assert again.settings == c.settings
    a, b = c.evaluate(x, np.zeros(64, int), 8), again.evaluate(x, np.zeros(64, int), 8, engine="program")
    assert a.rates == pytest.approx(b.rates, rel=1e-3)
    assert a.spikes == pytest.approx(b.spikes, rel=1e-3)


def test_a_code_beside_neurons_or_one_that_there_is_not_is_an_error(model, x):
    with pytest.raises(UsageError, match="code chooses the neurons"):
        snnc.compile(model, level=2, calibration=x, code="counted", neurons="soft-reset-if")
    with pytest.raises(UsageError, match="unknown code 'morse'; known: counted, graded"):
        snnc.compile(model, level=2, calibration=x, code="morse")


@pytest.mark.parametrize(
    ("calibration", "error", "message"),
    [
        (np.zeros((3, 8, 8, 1)), DataError, "3 calibration samples are too few"),
        (np.zeros((30, 8, 8)), DataError, "needs shape"),
        (np.full((30, 8, 8, 1), np.inf), DataError, "NaN or infinite"),
        (np.ones((30, 8, 8, 1)), DataError, "all the same"),
    ],
)
def test_samples_that_say_nothing_are_errors(model, calibration, error, message):
    with pytest.raises(error, match=message):
        snnc.compile(model, level=2, calibration=calibration)
