import pytest

from snnc import ops
from snnc.errors import PassError
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.drop_identities import DropIdentities
from snnc.passes.pipeline import run
from snnc.testing import apply, assert_same_outputs, chain, kinds
from tests.conftest import dense


def test_drops_what_does_nothing(rng):
    before = chain(
        ops.Input(shape=(2, 3)),
        ops.Identity(),
        ops.Permute(order=(0, 1)),
        ops.Reshape(shape=(2, -1)),
        ops.ZeroPad(padding=((0, 0),)),
        dense(rng, 3, 2),
    )
    after = apply(DropIdentities(), before)
    assert kinds(after) == ["input", "dense"]
    assert_same_outputs(before, after)


def test_keeps_what_does_something(rng):
    before = chain(
        ops.Input(shape=(2, 3)), ops.Permute(order=(1, 0)), ops.Reshape(shape=(-1,)), ops.Relu(), dense(rng, 6, 2)
    )
    assert apply(DropIdentities(), before) == before


def test_an_output_keeps_its_name_when_its_node_goes(rng):
    before = chain(ops.Input(shape=(3,)), dense(rng, 3, 2), ops.Identity(), names=["x", "dense", "dropout"])
    after = apply(DropIdentities(), before)
    assert after.outputs == ("dropout",)
    assert dict(after.output_nodes) == {"dropout": "dense"}
    assert "dropout" in after["dense"].origin.layers
    assert_same_outputs(before, after)


def test_its_promise_is_held_against_later_passes(rng):
    class BringsBack(Pass):
        name, stage = "brings-back", Stage.FUSE

        def apply(self, graph, context):
            graph.insert_after("dense", "again", ops.Identity())

    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 2))
    with pytest.raises(PassError, match="brings-back.*drop-identities.*'again' does nothing"):
        run(graph, [DropIdentities(), BringsBack()], Context())
