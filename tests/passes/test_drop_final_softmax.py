import numpy as np
import pytest

from snnc import ops
from snnc.ir.graph import Graph
from snnc.neurons import MODELS
from snnc.passes.base import Context
from snnc.passes.drop_final_softmax import DropFinalSoftmax
from snnc.passes.pipeline import run
from snnc.testing import apply, chain, kinds, random_inputs
from tests.conftest import dense


@pytest.mark.parametrize("final", [ops.Softmax(), ops.LogSoftmax(), ops.Softmax(axis=0)])
def test_the_class_chosen_stays_and_the_drop_is_recorded(rng, final):
    before = chain(ops.Input(shape=(4,)), dense(rng, 4, 3), final, names=["x", "dense", "probabilities"])
    context = Context(neurons={model.kind: model for model in MODELS})
    after, _ = run(before, [DropFinalSoftmax()], context)
    assert kinds(after) == ["input", "dense"]
    assert after.outputs == ("probabilities",)
    x = random_inputs(before)
    want, got = (g.evaluate(x)["probabilities"] for g in (before, after))
    assert np.array_equal(want.argmax(axis=1), got.argmax(axis=1))
    assert len(context.notes) == 1
    assert "'probabilities' is dropped" in context.notes[0]


def test_a_softmax_inside_or_over_another_axis_stays(rng):
    inside = chain(ops.Input(shape=(4,)), ops.Softmax(), dense(rng, 4, 3))
    assert apply(DropFinalSoftmax(), inside) == inside
    other = chain(ops.Input(shape=(2, 3)), ops.Softmax(axis=0))
    assert apply(DropFinalSoftmax(), other) == other
    both = Graph()
    both.add("x", ops.Input(shape=(3,)))
    both.add("soft", ops.Softmax(), ["x"])
    both.add("more", dense(rng, 3, 3), ["soft"])
    both.set_outputs({"soft": "soft", "more": "more"})
    assert apply(DropFinalSoftmax(), both) == both
