"""Thresholds, spikes a step and steps by the forecast of the quantised model."""

import re
from dataclasses import replace

import numpy as np
import pytest

from snnc import ops
from snnc.analysis import trade_off
from snnc.analysis.expected import Statistics
from snnc.analysis.forecast import ERROR_A_POINT, FLIPS_A_POINT, HEADROOM, forecast
from snnc.engine.rate import evaluate_nodes
from snnc.errors import PassError, UsageError
from snnc.neurons import Neurons, SignedIf, SoftResetIf
from snnc.passes import choose_thresholds
from snnc.passes.choose_thresholds import LIMITS, ChooseThresholds
from snnc.testing import apply, chain
from tests.conftest import conv, dense


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


def test_every_population_gets_a_scale_a_channel_and_spikes_a_step_within_the_limits(rng):
    graph = network(rng, SignedIf())
    after, choices, (note,) = chosen(graph, rng)
    a, b = after["a"].op, after["b"].op
    assert np.shape(a.scale) == (6,) and np.shape(b.scale) == (4,)
    most = max(a.model.gamma, b.model.gamma)
    assert most <= dict(LIMITS)[choices["steps"]]
    assert note.startswith(f"{choices['steps']} steps of at most {most} spikes: forecast")
    # the range of the first layer is within its activations, however many spikes they are cut into
    ranges = a.scale / 0.001 * a.model.gamma
    largest = graph.evaluate(samples(rng))
    assert largest and (ranges > 0).all()


def test_the_steps_that_are_asked_for_are_kept_and_more_spikes_are_taken_where_they_are_few(rng, monkeypatch):
    def by_levels(graph, levels, *arguments, **options):
        found = forecast(graph, levels, *arguments, **options)
        found.flips, found.a_point = 1 / min(levels.values()), FLIPS_A_POINT  # of a model that is not sure
        return found

    monkeypatch.setattr(choose_thresholds, "forecast", by_levels)
    graph = network(rng, SignedIf())
    few, choices, _ = chosen(graph, rng, steps_asked=1)
    assert (choices["steps"], few["a"].op.model.gamma, few["b"].op.model.gamma) == (1, 16, 16)  # the best there is
    many, choices, _ = chosen(graph, rng, steps_asked=16)
    assert choices["steps"] == 16
    assert min(many["a"].op.model.gamma, many["b"].op.model.gamma) in (4, 5)  # the least of 58 levels or little more
    fixed, choices, _ = chosen(graph, rng, ChooseThresholds(gamma=2))
    assert max(fixed["a"].op.model.gamma, fixed["b"].op.model.gamma) == 2
    assert choices["steps"] >= 24


def test_what_is_minimised_gets_less_and_the_target_is_kept(rng, monkeypatch):
    """Behind the first population are forty times the synapses of the second, so that energy is saved there."""
    graph = network(rng, SignedIf())
    graph.replace("b.linear", conv(rng, (3, 3), 6, 160))
    graph.replace("out", ops.Reshape(shape=(-1,)))
    graph.insert_after("out", "classes", dense(rng, 16 * 160, 4))
    found = {
        goal: seen(graph, monkeypatch, ChooseThresholds(minimise=goal, target_drop=1.0))
        for goal in ("steps", "spikes", "energy")
    }
    assert all(one.drop <= 1.0 for one in found.values())
    assert found["steps"].steps <= min(found["spikes"].steps, found["energy"].steps)
    assert found["energy"].energy < found["spikes"].energy
    assert found["spikes"].spikes < found["energy"].spikes
    assert found["energy"].levels["a"] < found["spikes"].levels["a"]


def seen(graph, monkeypatch, step):
    """Return what a pass chose among what it tried."""
    kept = []

    def keep(*arguments):
        kept.append(trade_off.choose(*arguments))
        return kept[-1]

    monkeypatch.setattr(choose_thresholds, "choose", keep)
    chosen(graph, np.random.default_rng(1), step)
    return kept[0]


def test_a_lower_target_takes_more_spikes(rng, monkeypatch):
    graph = network(rng, SignedIf())
    graph.replace("out", ops.Reshape(shape=(-1,)))
    graph.insert_after("out", "classes", dense(rng, 16 * 4, 4))
    loose, close = (seen(graph, monkeypatch, ChooseThresholds(target_drop=drop)) for drop in (1.0, 0.1))
    assert close.drop <= 0.1 < loose.drop <= 1.0
    assert loose.spikes < close.spikes
    assert loose.levels["a"] < close.levels["a"]


def test_the_shifts_go_into_the_biases(rng):
    graph = network(rng, SignedIf())
    after, _, _ = chosen(graph, rng)
    assert [node.name for node in after] == [node.name for node in graph]
    assert not np.array_equal(after["b.linear"].op.bias, graph["b.linear"].op.bias)
    assert np.array_equal(after["a.linear"].op.kernel, graph["a.linear"].op.kernel)


@pytest.mark.parametrize(("flips", "kept"), [(0.09, True), (0.099, False)])
def test_weights_are_fitted_to_counts_and_kept_where_samples_held_back_get_better(rng, monkeypatch, flips, kept):
    def promising(*arguments, repair, **others):
        found = forecast(*arguments, repair=repair, **others)
        found.flips = flips if repair else 0.1
        return found

    monkeypatch.setattr(choose_thresholds, "forecast", promising)
    graph = network(rng, SignedIf())
    after, _, _ = chosen(graph, rng, steps_asked=1)
    assert np.array_equal(after["a.linear"].op.kernel, graph["a.linear"].op.kernel)  # its input does not spike
    assert np.array_equal(after["b.linear"].op.kernel, graph["b.linear"].op.kernel) != kept
    plain, _, _ = chosen(graph, rng, ChooseThresholds(reconstruct=False), steps_asked=1)
    assert np.array_equal(plain["b.linear"].op.kernel, graph["b.linear"].op.kernel)


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
    with pytest.raises(UsageError, match="minimise must be steps, spikes or energy, not 'time'"):
        ChooseThresholds(minimise="time")


def ranges_of(graph, name):
    """Return what all the spikes of a population stand for together, of at most ``gamma`` in each step."""
    op = graph[name].op
    return np.asarray(op.scale) * op.model.gamma / 0.001


def test_made_up_inputs_give_the_largest_activation_and_change_neither_biases_nor_weights(rng):
    graph = network(rng, SignedIf())
    after, _, (note,) = chosen(graph, np.random.default_rng(0), made=True)
    assert "made-up input" in note
    for name in ("a.linear", "b.linear"):
        assert after[name].op == graph[name].op
    largest = evaluate_nodes(graph, samples(np.random.default_rng(0)), {"a"})["a"].max(axis=(0, 1, 2))
    wanted = np.maximum(largest, 0.3 * largest.max())
    covered = ranges_of(after, "a") / HEADROOM / wanted  # what it may send is more
    # levels are rounded up to whole spikes a step
    assert np.allclose(covered, covered[0], rtol=1e-4)
    assert 1 - 1e-4 < covered[0] < 2


def test_on_made_up_inputs_the_error_of_the_outputs_decides(rng):
    graph = network(rng, SignedIf())
    notes = [
        chosen(graph, np.random.default_rng(0), ChooseThresholds(target_drop=d), made=True)[2][0] for d in (0.5, 4)
    ]
    errors = [float(re.search(r"off by (.*)%", note).group(1)) / 100 for note in notes]
    assert errors[0] <= 0.5 * ERROR_A_POINT < errors[1] <= 4 * ERROR_A_POINT


def test_made_up_inputs_are_brought_to_what_batch_normalisation_says(rng):
    graph = network(rng, SignedIf())
    known = {"a.linear": Statistics(np.full(6, 100.0), np.full(6, 10.0))}
    after, *_ = chosen(graph, rng, made=True, known=known)
    ranges = ranges_of(after, "a") / HEADROOM
    assert (ranges > 110).all()
    assert (ranges < 340).all()


def test_a_population_that_is_silent_on_made_up_inputs_can_fire_on_others(rng):
    graph = network(rng, SignedIf())
    op = graph["a.linear"].op
    graph.replace("a.linear", replace(op, bias=op.bias - 1000))
    after, *_ = chosen(graph, rng, made=True)
    reads = evaluate_nodes(graph, samples(rng), {"a.linear"})["a.linear"]
    assert (reads < 0).all()
    assert 0.5 < ranges_of(after, "a") / HEADROOM / (reads.max() - reads.min()) < 2
