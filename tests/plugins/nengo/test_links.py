"""Which vectors dissolve into connections."""

from __future__ import annotations

import numpy as np
from snnc_nengo.connections import ConnectionPath, Vector, join, plan_connections
from snnc_nengo.transforms import Matrix, Scale

DENSE = ConnectionPath(2, Matrix(np.ones((2, 3))))
FILTER = ConnectionPath(3, synapse="lowpass")
PASS = ConnectionPath(3)


def values(*given: Vector) -> dict[str, Vector]:
    return {value.name: value for value in given}


def test_transform_and_filter_join_in_either_order() -> None:
    assert join(FILTER, DENSE, 3) == ConnectionPath(2, DENSE.transform, "lowpass")
    assert join(DENSE, ConnectionPath(2, synapse="lowpass"), 2) == ConnectionPath(2, DENSE.transform, "lowpass")


def test_two_transforms_or_two_filters_do_not_join() -> None:
    assert join(DENSE, ConnectionPath(4, Matrix(np.ones((4, 2)))), 2) is None
    assert join(FILTER, FILTER, 3) is None


def test_a_factor_joins_the_transform_behind_it() -> None:
    joint = join(ConnectionPath(3, Scale(np.array([1.0, 2.0, 3.0]))), DENSE, 3)
    assert joint is not None
    assert np.array_equal(joint.transform.weight, [[1, 2, 3], [1, 2, 3]])


def test_slices_add_up_but_no_transform_takes_a_part() -> None:
    assert join(ConnectionPath(2, at=1), ConnectionPath(5, at=4), 5) == ConnectionPath(2, at=5)
    assert join(ConnectionPath(2, at=1), DENSE, 3) is None


def test_a_chain_of_linear_values_is_one_connection() -> None:
    net = values(
        Vector("a", 3, obj="A"),
        Vector("filtered", 3, [("a", FILTER)]),
        Vector("dense", 2, [("filtered", DENSE)]),
        Vector("b", 2, [("dense", ConnectionPath(2))], obj="B"),
    )
    assert plan_connections(net) == []
    assert net["a"].sinks == [("b", ConnectionPath(2, DENSE.transform, "lowpass"))]


def test_an_output_and_the_input_of_two_transforms_stand() -> None:
    net = values(
        Vector("a", 3, obj="A"),
        Vector("sum", 3, [("a", PASS), ("a", PASS)]),
        Vector("dense", 2, [("sum", DENSE)]),
        Vector("again", 2, [("sum", DENSE)]),
        Vector("out", 2, [("dense", ConnectionPath(2)), ("again", ConnectionPath(2))], needed=True),
    )
    assert plan_connections(net) == ["sum", "out"]
    assert [target for target, _ in net["a"].sinks] == ["sum", "sum"]
    assert [target for target, _ in net["sum"].sinks] == ["out", "out"]


def test_a_filter_that_several_read_is_repeated_only_where_that_is_cheap() -> None:
    def net(units: int) -> dict[str, Vector]:
        wide = ConnectionPath(units, Matrix(np.ones((units, 3))))
        return values(
            Vector("a", 3, obj="A"),
            Vector("filtered", 3, [("a", FILTER)]),
            Vector("b", units, [("filtered", wide)], obj="B"),
            Vector("c", units, [("filtered", wide)], obj="C"),
        )

    assert plan_connections(net(10)) == []
    assert plan_connections(net(10_000)) == ["filtered"]
    assert plan_connections(net(10_000), free_filters=True) == []
