import pytest
from snnc_loihi.passes.place import Place

from snnc.api import Neurons, PassError, ops, with_ideal_rates
from snnc.testing import apply, assert_same_outputs
from tests.plugins.loihi.graphs import chip, dense, row

NORM = ops.Standardize(axes=(0,))


def models(graph):
    return [node.op.model.kind for node in graph if isinstance(node.op, Neurons)]


def test_ops_at_the_ends_move_nothing():
    graph = row((5,), ops.Tanh(), dense(5, 4), chip(0.001), dense(4, 2), ops.Softmax())
    assert apply(Place(), graph) == graph


def test_the_smaller_part_moves_to_the_host():
    before = row((5,), dense(5, 4), chip(0.001), NORM, dense(4, 60), chip(0.001))
    after = apply(Place(), before)
    assert models(after) == ["relu", "loihi-signed-if"]
    before = row((5,), dense(5, 60), chip(0.001), NORM, dense(60, 4), chip(0.001), dense(4, 2))
    after = apply(Place(), before)
    assert models(after) == ["loihi-signed-if", "soft-reset-if"]
    assert_same_outputs(with_ideal_rates(before), with_ideal_rates(after))


def test_islands_must_be_asked_for():
    graph = row((5,), dense(5, 4), chip(0.001), NORM, dense(4, 60), chip(0.001))
    notes = []
    assert apply(Place(islands=True), graph, notes=notes) == graph
    assert "in the middle" in notes[0] and "standardize" in notes[0]


def test_the_note_says_what_moved():
    notes = []
    apply(Place(), row((5,), dense(5, 4), chip(0.001), NORM, dense(4, 60), chip(0.001)), notes=notes)
    assert "standardize (standardize)" in notes[0] and "a is on the host too" in notes[0]


def test_a_network_of_which_little_would_be_left_is_refused_by_name():
    graph = row((5,), dense(5, 30), chip(0.001), NORM, dense(30, 40), chip(0.001), NORM, dense(40, 30), chip(0.001))
    with pytest.raises(PassError, match=r"standardize \(standardize\), .* 40% of the neurons .*another backend"):
        apply(Place(), graph)
    assert len(models(apply(Place(least=0.3), graph))) == 3


def test_a_graph_without_any_neurons_of_the_chip_is_refused():
    with pytest.raises(PassError, match="no layer can be on the chip"):
        apply(Place(), row((5,), dense(5, 4), ops.Sigmoid()))
