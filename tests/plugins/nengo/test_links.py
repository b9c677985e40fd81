"""Which vectors dissolve into connections."""

from __future__ import annotations

import numpy as np
from snnc_nengo.links import Link, Value, join, route
from snnc_nengo.transforms import Matrix, Scale

DENSE = Link(2, Matrix(np.ones((2, 3))))
FILTER = Link(3, synapse="lowpass")
PASS = Link(3)


def values(*given: Value) -> dict[str, Value]:
    return {value.name: value for value in given}


def test_transform_and_filter_join_in_either_order() -> None:
    assert join(FILTER, DENSE, 3) == Link(2, DENSE.transform, "lowpass")
    assert join(DENSE, Link(2, synapse="lowpass"), 2) == Link(2, DENSE.transform, "lowpass")


def test_two_transforms_or_two_filters_do_not_join() -> None:
    assert join(DENSE, Link(4, Matrix(np.ones((4, 2)))), 2) is None
    assert join(FILTER, FILTER, 3) is None


def test_a_factor_joins_the_transform_behind_it() -> None:
    joint = join(Link(3, Scale(np.array([1.0, 2.0, 3.0]))), DENSE, 3)
    assert joint is not None
    assert np.array_equal(joint.transform.weight, [[1, 2, 3], [1, 2, 3]])


def test_slices_add_up_but_no_transform_takes_a_part() -> None:
    assert join(Link(2, at=1), Link(5, at=4), 5) == Link(2, at=5)
    assert join(Link(2, at=1), DENSE, 3) is None


def test_a_chain_of_linear_values_is_one_connection() -> None:
    net = values(
        Value("a", 3, obj="A"),
        Value("filtered", 3, [("a", FILTER)]),
        Value("dense", 2, [("filtered", DENSE)]),
        Value("b", 2, [("dense", Link(2))], obj="B"),
    )
    assert route(net) == []
    assert net["a"].sinks == [("b", Link(2, DENSE.transform, "lowpass"))]


def test_an_output_and_the_input_of_two_transforms_stand() -> None:
    net = values(
        Value("a", 3, obj="A"),
        Value("sum", 3, [("a", PASS), ("a", PASS)]),
        Value("dense", 2, [("sum", DENSE)]),
        Value("again", 2, [("sum", DENSE)]),
        Value("out", 2, [("dense", Link(2)), ("again", Link(2))], needed=True),
    )
    assert route(net) == ["sum", "out"]
    assert [target for target, _ in net["a"].sinks] == ["sum", "sum"]
    assert [target for target, _ in net["sum"].sinks] == ["out", "out"]


def test_a_filter_that_several_read_is_repeated_only_where_that_is_cheap() -> None:
    def net(units: int) -> dict[str, Value]:
        wide = Link(units, Matrix(np.ones((units, 3))))
        return values(
            Value("a", 3, obj="A"),
            Value("filtered", 3, [("a", FILTER)]),
            Value("b", units, [("filtered", wide)], obj="B"),
            Value("c", units, [("filtered", wide)], obj="C"),
        )

    assert route(net(10)) == []
    assert route(net(10_000)) == ["filtered"]
