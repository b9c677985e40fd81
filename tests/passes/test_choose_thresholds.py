"""Thresholds, spikes a step and steps by the forecast of the quantised model."""

import numpy as np
import pytest

from snnc import ops
from snnc.analysis.forecast import forecast
from snnc.errors import PassError, UsageError
from snnc.neurons import Neurons, SignedIf, SoftResetIf
from snnc.passes import choose_thresholds
from snnc.passes.choose_thresholds import FREE, ChooseThresholds
from snnc.testing import apply, chain
from tests.conftest import conv


def network(rng, model):
    population = Neurons(model=model)
    layers = [ops.Input(shape=(8, 8, 2)), conv(rng, (3, 3), 2, 6), population, conv(rng, (3, 3), 6, 4), population]
    return chain(*layers, ops.GlobalAvgPool(), names=["x", "a.linear", "a", "b.linear", "b", "out"])


def samples(rng):
    return {"x": rng.uniform(0, 1, (40, 8, 8, 2)).astype(np.float32)}


def chosen(graph, rng, step=None, **context):
    choices, notes = {}, []
    after = apply(
        step or ChooseThresholds(),
        graph,
        samples=samples(rng),
        held_back=samples(rng),
        choices=choices,
        notes=notes,
        **context,
    )
    return after, choices, notes


def test_every_population_gets_a_scale_a_channel_and_the_same_spikes_a_step(rng):
    graph = network(rng, SignedIf())
    after, choices, (note,) = chosen(graph, rng)
    a, b = after["a"].op, after["b"].op
    assert np.shape(a.scale) == (6,) and np.shape(b.scale) == (4,)
    assert a.model == b.model
    assert (choices["steps"], a.model.gamma) in FREE
    assert note.startswith(f"{choices['steps']} steps of at most {a.model.gamma} spikes: forecast")
    # the range of the first layer is within its activations, however many spikes they are cut into
    ranges = a.scale / 0.001 * a.model.gamma
    largest = graph.evaluate(samples(rng))
    assert largest and (ranges > 0).all()


def test_the_steps_that_are_asked_for_are_kept_and_more_spikes_are_taken_where_they_are_few(rng, monkeypatch):
    def by_levels(*arguments, **options):
        found = forecast(*arguments, **options)
        found.flips = 1 / found.levels
        return found

    monkeypatch.setattr(choose_thresholds, "forecast", by_levels)
    graph = network(rng, SignedIf())
    few, choices, _ = chosen(graph, rng, steps_asked=1)
    assert (choices["steps"], few["a"].op.model.gamma) == (1, 8)  # the best there is
    many, choices, _ = chosen(graph, rng, steps_asked=16)
    assert (choices["steps"], many["a"].op.model.gamma) == (16, 4)  # the least of 50 levels or more
    fixed, choices, _ = chosen(graph, rng, ChooseThresholds(gamma=2))
    assert fixed["a"].op.model.gamma == 2
    assert choices["steps"] >= 2


def test_a_lower_target_takes_fewer_spikes(rng):
    graph = network(rng, SignedIf())
    loose, _, (cheap,) = chosen(graph, rng, ChooseThresholds(target_drop=10.0))
    _, _, (dear,) = chosen(graph, rng, ChooseThresholds(target_drop=0.1))
    spikes = [float(note.split("forecast ")[1].split(" spikes")[0]) for note in (cheap, dear)]
    assert spikes[0] < spikes[1]
    assert loose["a"].op.model.gamma <= 8


def test_the_shifts_go_into_the_biases(rng):
    graph = network(rng, SignedIf())
    after, _, _ = chosen(graph, rng)
    assert [node.name for node in after] == [node.name for node in graph]
    assert not np.array_equal(after["b.linear"].op.bias, graph["b.linear"].op.bias)
    assert np.array_equal(after["a.linear"].op.kernel, graph["a.linear"].op.kernel)


def test_weights_behind_a_population_are_fitted_to_its_counts(rng):
    graph = network(rng, SignedIf())
    after, _, _ = chosen(graph, rng, ChooseThresholds(gamma=2), steps_asked=1)
    assert np.array_equal(after["a.linear"].op.kernel, graph["a.linear"].op.kernel)  # its input does not spike
    assert not np.array_equal(after["b.linear"].op.kernel, graph["b.linear"].op.kernel)
    plain, _, _ = chosen(graph, rng, ChooseThresholds(gamma=2, reconstruct=False), steps_asked=1)
    assert np.array_equal(plain["b.linear"].op.kernel, graph["b.linear"].op.kernel)


def test_fitted_weights_are_taken_back_where_samples_held_back_do_not_get_better(rng, monkeypatch):
    def worse(*arguments, repair):
        found = forecast(*arguments, repair=repair)
        found.flips = 0.099 if repair else 0.1  # by too little
        return found

    monkeypatch.setattr(choose_thresholds, "forecast", worse)
    graph = network(rng, SignedIf())
    after, _, (note,) = chosen(graph, rng, steps_asked=1)
    assert np.array_equal(after["b.linear"].op.kernel, graph["b.linear"].op.kernel)
    assert "10.0% of the samples" in note


def test_other_neurons_and_scales_of_the_user_are_left_alone(rng):
    soft = network(rng, SoftResetIf())
    after, choices, notes = chosen(soft, rng)
    assert after == soft and not choices and not notes
    given = network(rng, SignedIf())
    given.replace("a", Neurons(model=SignedIf(gamma=3), scale=0.01))
    after, _, _ = chosen(given, rng)
    assert after["a"].op == given["a"].op
    assert np.shape(after["b"].op.scale) == (4,)


def test_a_layer_that_is_silent_on_the_samples_does_no_harm(rng):
    graph = network(rng, SignedIf())
    linear = graph["a.linear"].op
    graph.replace("a.linear", type(linear)(**{**linear.attrs(), "bias": np.full(6, -1e3)}))
    after, _, _ = chosen(graph, rng)
    assert np.isfinite(after["a"].op.scale).all()


@pytest.mark.parametrize("options", [{"target_drop": 0.0}, {"target_drop": 101}, {"gamma": 0}])
def test_targets_that_mean_nothing_are_refused(options):
    with pytest.raises((UsageError, PassError), match="target_drop is in points above 0, gamma 1 or more"):
        ChooseThresholds(**options)
