"""Choosing among settings: what is lost against what it costs."""

from dataclasses import dataclass

import pytest

from snnc.analysis.trade_off import choose, front, meets, require_goal
from snnc.errors import UsageError


@dataclass(frozen=True)
class Setting:
    drop: float
    steps: int
    spikes: float = 1.0
    energy: float = 1.0


def test_the_front_holds_what_nothing_beats_once():
    a, b, c = Setting(9.0, 4), Setting(5.0, 8), Setting(0.0, 16)
    beaten = [Setting(9.5, 4), Setting(9.0, 6), Setting(5.0, 8, spikes=2.0), Setting(5.0 - 1e-9, 9)]
    assert front([c, *beaten, a, b], "steps") == (a, b, c)


def test_of_equal_steps_fewer_spikes_are_not_beaten_and_of_equal_spikes_the_steps_do_not_matter():
    few, more, worse = Setting(1.0, 2, spikes=5.0), Setting(0.5, 2, spikes=9.0), Setting(1.0, 3, spikes=7.0)
    assert front([worse, more, few], "steps") == (few, more)
    assert front([worse, more, few], "spikes") == (few, more)
    assert front([few, more, worse], "energy") == (more,)


def test_the_cheapest_that_meets_the_target_is_chosen_or_else_what_loses_least():
    good, cheap, bad = Setting(0.2, 8), Setting(0.9, 4), Setting(9.0, 2)
    assert choose([good, cheap, bad], 1.0, "steps") == cheap
    assert choose([good, cheap, bad], 0.1, "steps") == good
    assert choose([Setting(0.0, 4, spikes=9.0), Setting(0.0, 8, spikes=1.0)], 1.0, "spikes").steps == 8
    assert choose([Setting(0.0, 4, energy=9.0), Setting(0.5, 8, energy=1.0)], 1.0, "energy").steps == 8


def test_a_drop_of_one_point_that_rounding_made_larger_meets_a_target_of_one_point():
    """A setting of 3 steps, 167 spikes and 87.6 % was passed over for one of 8 steps, 268 spikes and 86.5 %."""
    drop = 100 * (0.886 - 0.876)
    assert drop > 1
    assert meets(drop, 1.0) and not meets(1.01, 1.0)
    best, dear = Setting(drop, 3, spikes=167), Setting(2.1 - 1.1, 8, spikes=268)
    assert choose([dear, best], 1.0, "steps") == best


@pytest.mark.parametrize("goal", ["accuracy", "", "Steps"])
def test_what_is_no_goal_is_refused(goal):
    with pytest.raises(UsageError, match="minimise must be steps, spikes or energy"):
        require_goal(goal)
