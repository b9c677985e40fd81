"""Ranges, sizes of spikes and steps of sigma-delta neurons."""

import numpy as np
import pytest

from snnc import ops
from snnc.errors import PassError, UsageError
from snnc.ir.graph import Graph
from snnc.neurons import Neurons, SigmaDelta, SignedIf
from snnc.passes.choose_levels import LEVELS, ChooseLevels, Tried
from snnc.testing import apply, assert_same_outputs, chain
from tests.conftest import conv, dense


def network(rng, model=None):
    population = Neurons(model=model or SigmaDelta())
    layers = [ops.Input(shape=(8, 8, 2)), conv(rng, (3, 3), 2, 6), population, conv(rng, (3, 3), 6, 4), population]
    return chain(
        *layers, ops.GlobalAvgPool(), dense(rng, 4, 5), names=["x", "a.linear", "a", "b.linear", "b", "mean", "out"]
    )


def chosen(graph, rng, step=None, **context):
    x = [{"x": rng.uniform(0, 1, (40, *graph["x"].type.shape)).astype(np.float32)} for _ in range(2)]
    choices, notes = {}, []
    after = apply(step or ChooseLevels(), graph, samples=x[0], held_back=x[1], choices=choices, notes=notes, **context)
    return after, choices, notes


def test_every_population_gets_a_range_a_channel_and_all_get_the_same_sizes(rng):
    graph = network(rng)
    after, choices, (note,) = chosen(graph, rng)
    a, b = after["a"].op, after["b"].op
    assert np.shape(a.scale) == (6,) and np.shape(b.scale) == (4,)
    assert a.model.unit == 1.0  # a ReLU need not know its scale
    assert a.model.levels == b.model.levels and a.model.levels in LEVELS
    assert 2 <= choices["steps"] <= 16
    assert note.startswith(f"{choices['steps']} steps of spikes of {a.model.levels} sizes")
    assert "expected to change their class" in note
    assert_same_outputs(graph, after)


def test_what_is_minimised_is_less(rng):
    graph = network(rng)
    fast, quick, _ = chosen(graph, np.random.default_rng(1), ChooseLevels(target_drop=1.0, minimise="steps"))
    cheap, slow, _ = chosen(graph, np.random.default_rng(1), ChooseLevels(target_drop=1.0, minimise="spikes"))
    assert quick["steps"] <= slow["steps"]
    assert cheap["a"].op.model.levels <= fast["a"].op.model.levels


def test_a_lower_target_takes_more_sizes_or_steps(rng):
    graph = network(rng)
    costs = []
    for drop in (20.0, 0.05):
        after, choices, _ = chosen(graph, np.random.default_rng(1), ChooseLevels(target_drop=drop, minimise="spikes"))
        costs.append((after["a"].op.model.levels, choices["steps"]))
    assert costs[0] < costs[1]


def test_the_steps_that_are_asked_for_and_the_levels_that_are_given_are_taken(rng):
    graph = network(rng)
    _, choices, _ = chosen(graph, rng, steps_asked=1)
    assert choices["steps"] == 1
    fixed, _, _ = chosen(graph, rng, ChooseLevels(levels=7))
    assert fixed["a"].op.model.levels == 7


def test_two_spikes_a_step_are_tried_where_one_does_not_do_in_four_steps(rng):
    class Scripted:
        """What trials say of an imaginary network."""

        context = type("context", (), {"steps_asked": None})

        def __init__(self, enough):
            self.enough = enough

        def tried(self, levels, most, fewest, spikes):
            drops = [0.1 if (levels >= 8 and steps * spikes >= self.enough) else 9.0 for steps in range(1, most + 1)]
            return [Tried(levels, spikes, k, 0.0, 0.02 * drops[k - 1], True) for k in range(fewest, most + 1)]

    def found(enough, **options):
        choice = ChooseLevels(**options).search(Scripted(enough))
        return choice.levels, choice.spikes, choice.steps

    assert found(3) == (8, 1, 3)
    assert found(6) == (8, 2, 3)
    assert found(12) == (8, 1, 12)
    assert found(6, spikes=1) == (8, 1, 6)
    assert found(6, minimise="spikes") == (8, 2, 3)


def test_ranges_are_of_either_sign_and_of_silent_layers_too(rng):
    model = SigmaDelta(of=ops.Tanh())
    graph = chain(ops.Input(shape=(4,)), dense(rng, 4, 6), Neurons(model=model), names=["x", "a.linear", "a"])
    below = Graph("below")
    below.add("x", ops.Input(shape=(4,)))
    below.add("a.linear", ops.Dense(weight=-np.ones((4, 3)), bias=np.zeros(3)), ["x"])
    below.add("a", Neurons(model=SigmaDelta()), ["a.linear"])
    below.set_outputs({"a": "a"})
    for each in (graph, below):
        after, _, _ = chosen(each, rng)
        assert 0 < np.min(after["a"].op.scale) < np.inf
    assert np.max(chosen(graph, rng)[0]["a"].op.scale) <= 1.001e-3


def test_a_regression_has_no_classes_to_change(rng):
    graph = chain(
        ops.Input(shape=(4,)), dense(rng, 4, 6), Neurons(model=SigmaDelta()), dense(rng, 6, 1), names=list("xabc")
    )
    _, _, (note,) = chosen(graph, rng)
    assert "class" not in note


def test_scales_that_the_user_gave_and_other_neurons_stay(rng):
    given = chain(ops.Input(shape=(4,)), dense(rng, 4, 6), Neurons(model=SigmaDelta(), scale=0.5), names=list("xab"))
    counted = network(rng, SignedIf())
    for graph in (given, counted):
        assert chosen(graph, rng)[0] == graph


@pytest.mark.parametrize(
    ("options", "error"), [({"target_drop": 0.0}, "points above 0"), ({"minimise": "time"}, "minimise must be")]
)
def test_options_that_there_cannot_be_are_refused(options, error):
    with pytest.raises((UsageError, PassError), match=error):
        ChooseLevels(**options)
