from snnc import ops
from snnc.passes import BUILTIN
from snnc.passes.base import Context
from snnc.passes.max_to_average import MaxToAverage
from snnc.passes.pipeline import run
from snnc.passes.plan import plan
from snnc.testing import apply, chain, kinds, random_inputs
from tests.conftest import conv, dense


def test_all_max_pools_become_average_pools_and_a_note_says_so(rng):
    pool = ops.MaxPool(size=(3, 2), strides=(2, 2), padding="same")
    before = chain(
        ops.Input(shape=(6, 6, 1)), pool, conv(rng, (2, 2), 1, 3), ops.GlobalMaxPool(), names=["x", "p", "c", "g"]
    )
    context = Context()
    after, _ = run(before, [MaxToAverage()], context)
    assert kinds(after) == ["input", "avg-pool", "conv", "global-avg-pool"]
    assert after["p"].op == ops.AvgPool(size=(3, 2), strides=(2, 2), padding="same")
    assert [note[:34] for note in context.notes] == ["p, g: average pooling instead of m"]
    x = random_inputs(before)
    assert after.evaluate(x)["g"].shape == before.evaluate(x)["g"].shape


def test_other_graphs_stay(rng):
    before = chain(ops.Input(shape=(4,)), dense(rng, 4, 3), ops.Relu())
    context = Context()
    assert apply(MaxToAverage(), before) == before
    run(before, [MaxToAverage()], context)
    assert context.notes == []


def test_it_runs_by_name_only_and_before_what_looks_for_max_pools():
    classes = {p.name: p for p in BUILTIN}
    assert "max-to-average" not in [p.name for p in plan(classes, ("nengo",), 2)]
    names = [p.name for p in plan(classes, ("nengo",), 1, named=["max-to-average"])]
    assert names.index("max-to-average") < names.index("pool-before-activation") < names.index("spiking-max-pool")
