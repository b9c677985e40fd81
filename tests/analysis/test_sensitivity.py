"""Levels go where they are worth most."""

from dataclasses import dataclass

import numpy as np
import pytest

from snnc import ops
from snnc.analysis.fan_out import fan_out
from snnc.analysis.sensitivity import FEWEST, TRIES, Sensitivity, allocate, plan, search, sensitivities
from snnc.analysis.trade_off import choose
from snnc.neurons import Neurons, SignedIf
from snnc.testing import chain
from tests.conftest import dense


def same(count=3, **fields):
    return {name: Sensitivity(**{"error": 1.0, "spikes": 10.0, "energy": 1.0, **fields}) for name in "abcde"[:count]}


def made(sensitive, levels):
    return np.sqrt(sum(s.error / levels[name] ** 2 for name, s in sensitive.items()))


def test_equal_populations_get_equal_levels_that_make_the_error():
    levels = allocate(same(), "spikes", 0.1, 64)
    assert len(set(levels.values())) == 1
    assert made(same(), levels) == pytest.approx(0.1, rel=0.05)


def test_levels_go_to_what_errs_and_not_to_what_is_dear():
    sensitive = same() | {"b": Sensitivity(error=8.0, spikes=10.0, energy=1.0)}
    sensitive["c"] = Sensitivity(error=1.0, spikes=80.0, energy=1.0)
    levels = allocate(sensitive, "spikes", 0.1, 200)
    assert levels["b"] == pytest.approx(2 * levels["a"], abs=1)
    assert levels["c"] == pytest.approx(levels["a"] / 2, abs=1)
    by_energy = allocate(sensitive, "energy", 0.1, 200)
    assert by_energy["a"] == by_energy["c"]


def test_no_other_levels_make_the_error_for_fewer_spikes():
    rng = np.random.default_rng(0)
    sensitive = {n: Sensitivity(*rng.uniform(0.2, 5, 2), energy=1.0) for n in "abcde"}
    levels = allocate(sensitive, "spikes", 0.03, 1000)
    cost = sum(levels[n] * s.spikes for n, s in sensitive.items())
    for _ in range(200):
        other = {n: count * np.exp(rng.normal(0, 0.3)) for n, count in levels.items()}
        share = made(sensitive, other) / made(sensitive, levels)
        assert sum(share * other[n] * s.spikes for n, s in sensitive.items()) > 0.99 * cost


def test_limits_hold_and_what_they_forbid_is_none():
    sensitive = same() | {"b": Sensitivity(error=1e4, spikes=10.0, energy=1.0)}
    levels = allocate(sensitive, "spikes", 8.35, 12)
    assert levels["b"] == 12 and min(levels.values()) >= FEWEST
    assert allocate(sensitive, "spikes", 1.0, 12) is None
    assert allocate(same(error=0.0), "spikes", 0.1, 12) == dict.fromkeys("abc", FEWEST)


def test_steps_take_the_first_limits_that_do_and_spikes_the_cheapest():
    sensitive = same(2) | {"c": Sensitivity(error=10.0, spikes=0.01, energy=1.0)}
    limits = [(1, 4), (2, 4), (4, 4), (16, 8)]
    steps, levels = plan(sensitive, "steps", 0.27, limits)
    assert steps == 4 and max(levels.values()) <= 16
    more, others = plan(sensitive, "spikes", 0.27, limits)
    assert more == 16
    assert others["a"] < levels["a"] and others["c"] > 16
    assert plan(sensitive, "steps", 0.001, limits) is None


def test_what_each_population_does_alone_is_measured(rng):
    fire = Neurons(model=SignedIf())
    graph = chain(
        ops.Input(shape=(6,)), dense(rng, 6, 8), fire, dense(rng, 8, 8), fire, dense(rng, 8, 3),
        names=["x", "a.linear", "a", "b.linear", "b", "out"],
    )  # fmt: skip
    x = {"x": rng.uniform(0, 1, (30, 6)).astype(np.float32)}
    found = sensitivities(graph, ["a", "b"], x, fan_out(graph))
    assert all(s.error > 0 and s.spikes > 0 for s in found.values())
    assert found["a"].energy == pytest.approx(found["a"].spikes * 8 * 0.9e-12)
    graph.replace("out", ops.Dense(weight=np.zeros((8, 3)), bias=np.zeros(3)))
    assert sensitivities(graph, ["a"], x, fan_out(graph))["a"].error == 0


@dataclass(frozen=True)
class Tried:
    drop: float
    levels: dict
    steps: int
    spikes: float = 0.0
    energy: float = 0.0


@pytest.mark.parametrize("power", [0.75, 1, 2, 4])
@pytest.mark.parametrize("target", [0.01, 0.5, 5.0])
def test_a_search_ends_just_below_the_target_however_the_drop_follows_the_error(power, target):
    sensitive = same(5)

    def tried(levels, steps):
        return Tried(5 * (made(sensitive, levels) / 0.1) ** power, levels, steps, sum(levels.values()))

    found = search(sensitive, tried, target, "spikes", [(1, 10**6)])
    assert len(found) <= TRIES
    best = choose(found, target, "spikes")
    assert best.drop <= target
    assert best.drop > 0.8 * target


def test_a_target_out_of_reach_takes_all_levels_and_stops():
    found = search(same(), lambda levels, steps: Tried(9.0, levels, steps), 0.5, "steps", [(1, 4), (4, 4)])
    assert found[-1].levels == dict.fromkeys("abc", 16) and found[-1].steps == 4
    assert len(found) < TRIES
