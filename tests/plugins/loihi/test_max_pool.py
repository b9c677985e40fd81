import pytest
from snnc_loihi.passes.max_pool import MaxPooling

from snnc.api import PassError, ops
from snnc.testing import apply, assert_same_outputs, kinds
from tests.plugins.loihi.graphs import conv, row


@pytest.mark.parametrize(
    "pool",
    [
        ops.MaxPool(size=(2, 2), strides=(2, 2)),
        ops.MaxPool(size=(3, 3), strides=(2, 2)),
        ops.MaxPool(size=(3, 2), strides=(1, 1)),
        ops.MaxPool(size=(2, 2), strides=(2, 2), padding="same"),
        ops.GlobalMaxPool(),
    ],
    ids=str,
)
def test_comparing_is_exact(pool):
    graph = row((7, 7, 2), ops.Relu(), pool, conv(1, 2, 3) if pool.kind == "max-pool" else ops.Relu())
    after = apply(MaxPooling(), graph)
    assert_same_outputs(graph, after)
    assert not any("max" in kind for kind in kinds(after))
    assert pool.kind in after  # the pool keeps its name


def test_what_may_be_negative_is_compared_too_but_not_with_zeros_around_it():
    assert_same_outputs(before := row((6, 6, 2), ops.MaxPool(size=(2, 2), strides=(2, 2))), apply(MaxPooling(), before))
    with pytest.raises(PassError, match="zeros at the border would win"):
        apply(MaxPooling(), row((7, 7, 2), ops.MaxPool(size=(2, 2), strides=(2, 2), padding="same")))


def test_the_average_is_taken_by_name_and_says_so():
    notes = []
    graph = row((6, 6, 2), ops.Relu(), ops.MaxPool(size=(2, 2), strides=(2, 2)), ops.GlobalMaxPool())
    after = apply(MaxPooling(form="average"), graph, notes=notes)
    assert kinds(after) == ["input", "relu", "avg-pool", "global-avg-pool"]
    assert len(notes) == 2 and "no longer computes what the model does" in notes[0]


def test_the_host_may_keep_it_and_other_pools_stay():
    graph = row((6, 6, 2), ops.Relu(), ops.MaxPool(size=(2, 2), strides=(2, 2)))
    assert apply(MaxPooling(form="host"), graph) == graph
    graph = row((6, 6, 2), ops.Relu(), ops.AvgPool(size=(2, 2), strides=(2, 2)))
    assert apply(MaxPooling(), graph) == graph
