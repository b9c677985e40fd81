"""The verdict in one sentence."""

from dataclasses import replace

import numpy as np
import pytest

import snnc
from snnc import ops
from snnc.evaluation.verdict import verdict
from snnc.testing import chain
from tests.conftest import dense


@pytest.fixture(scope="module")
def measured():
    rng = np.random.default_rng(0)
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 6, ops.Relu()), dense(rng, 6, 3), names=["x", "hidden", "out"])
    x = rng.normal(size=(40, 3)).astype(np.float32)
    y = graph.evaluate({"x": x})["out"].argmax(axis=1)
    return replace(snnc.compile(graph, scale=200.0).evaluate(x, y, steps=30), cause=None)


def test_it_says_score_steps_spikes_and_energy(measured):
    said = verdict(replace(measured, score=0.9, model_score=0.925, accuracy_interval=(0.85, 0.94), steps_to_model=None))
    assert said.startswith("On 40 samples: accuracy 90.00% after 30 steps, where the model has 92.50% ")
    assert "(95 % interval of the network: 85.0% to 94.0%); it does not come within 1 point of the model; " in said
    share = measured.cost.energy_45nm / measured.cost.energy_model
    assert 0 < share < 2
    energy = f"{share:.0%} of the model's energy for operations in 45 nm."
    assert said.endswith(f"{measured.spikes_per_neuron:.3g} spikes a neuron, {energy}")
    dear = replace(measured, cost=replace(measured.cost, energy_45nm=9.6 * measured.cost.energy_model))
    assert verdict(dear).endswith(", 10 times the model's energy for operations in 45 nm.")
    assert "does not come" not in verdict(replace(measured, score=0.92, model_score=0.925, steps_to_model=None))


def test_what_loses_most_is_a_sentence_of_its_own(measured):
    said = verdict(replace(measured, cause="layer 'hidden' loses most, 20% of its activations by clipping"))
    assert said == f"{verdict(measured)} Layer 'hidden' loses most, 20% of its activations by clipping."


def test_it_says_from_when_on_it_is_close(measured):
    assert "within 1 point from step 7 on" in verdict(replace(measured, steps_to_model=7))
    assert "within 1 point" not in verdict(replace(measured, steps_to_model=30))
    assert "after 1 step, " in verdict(replace(measured, steps=1, steps_to_model=1))


def test_values_have_r2_and_no_per_cent(measured):
    said = verdict(replace(measured, accuracy=None, accuracy_interval=None, score=0.5, model_score=0.75))
    assert "R2 0.5 after 30 steps, where the model has 0.75; " in said


def test_a_silent_network_is_told_first(measured):
    said = verdict(replace(measured, silent=True))
    assert said == "The network is silent: on 40 samples no spike reaches output out, whatever the input."
