import itertools

import pytest

from snnc.errors import PassOrderError, UsageError
from snnc.passes import BUILTIN
from snnc.passes.base import Pass, Stage
from snnc.passes.order import order
from snnc.passes.plan import plan
from snnc.passes.scale_rates import ScaleRates


def make(label, stage_=Stage.FUSE, after_=(), **fields):
    class Made(Pass):
        name, stage, after = label, stage_, after_

        def apply(self, graph, context):
            """Change nothing."""

    for key, value in fields.items():
        setattr(Made, key, value)
    return Made


def names(passes):
    return [p.name for p in passes]


def test_order_is_stage_then_after_then_name_whatever_comes_first():
    passes = [
        make("z", Stage.CANONICALIZE),
        make("b"),
        make("a", after_=("c", "absent")),
        make("c"),
        make("a-late", Stage.FILTER),
    ]
    for shuffled in itertools.permutations(passes):
        assert names(order(list(shuffled))) == ["z", "b", "c", "a", "a-late"]


def test_waiting_for_each_other_or_for_a_later_stage_is_an_error():
    with pytest.raises(PassOrderError, match="wait for each other: a -> b -> a|b -> a -> b"):
        order([make("a", after_=("b",)), make("b", after_=("a",))])
    with pytest.raises(PassOrderError, match="'early'.*cannot come after 'late'.*stage SPIKE"):
        order([make("early", after_=("late",)), make("late", Stage.SPIKE)])
    assert names(order([make("late", Stage.SPIKE, after_=("early",)), make("early")])) == ["early", "late"]


CLASSES = {p.name: p for p in (*BUILTIN, make("extra"), make("chip", Stage.TARGET, targets=("loihi",)))}


def test_the_first_party_plan():
    assert names(plan(CLASSES, ("nengo",), 1)) == [
        "split-activations",
        "drop-identities",
        "fold-batch-norm",
        "fuse-activations",
        "fuse-linear",
        "pool-before-activation",
        "defer-final-activation",
        "decompose-activations",
        "swap-activations",
        "spiking-max-pool",
        "spike-between-weights",
        "scale-rates",
        "insert-synapses",
        "warn-of-collapse",
        "carry-changes",
        "carry-means",
    ]
    assert "fuse-linear" not in names(plan(CLASSES, ("nengo",), 0))
    assert names(plan(CLASSES, ("nengo",), 2))[-8:] == [
        "choose-levels",
        "choose-thresholds",
        "calibrate-scales",
        "initial-voltage",
        "refit-decoders",
        "calibrate-biases",
        "carry-changes",
        "carry-means",
    ]


def test_naming_skipping_and_options():
    chosen = plan(
        CLASSES,
        ("loihi", "nengo"),
        1,
        named=["extra", "chip", "scale-rates{scale=20 scale.conv=50}"],
        skip=["fuse-linear"],
        options={"insert-synapses": {"synapse": 0.01}},
    )
    by_name = {p.name: p for p in chosen}
    assert {"extra", "chip"} <= set(by_name)
    assert "fuse-linear" not in by_name
    assert by_name["scale-rates"] == ScaleRates(scale={"*": 20.0, "conv": 50.0})
    assert by_name["insert-synapses"].synapse == 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"named": ["scale-rate"]}, "unknown pass 'scale-rate' .did you mean 'scale-rates'"),
        ({"skip": ["nothing"]}, "unknown pass 'nothing'"),
        ({"options": {"nothing": {}}}, "unknown pass 'nothing'"),
        ({"named": ["extra"], "skip": ["extra"]}, "both asked for and left out"),
        ({"named": ["chip"]}, "'chip' is for loihi only, not for nengo"),
        ({"options": {"extra": {"a": 1}}}, "options are given for extra, which would not run"),
        ({"named": ["scale-rates{speed=3}"]}, "unknown option 'speed'; known: scale"),
        ({"level": 7}, "level 7 does not exist; choose one of 0, 1, 2"),
    ],
)
def test_what_cannot_be_planned_says_why(arguments, message):
    with pytest.raises(UsageError, match=message):
        plan(CLASSES, ("nengo",), **{"level": 1, **arguments})


def test_a_pass_stands_in_for_others_unless_they_are_named():
    mine = make("mine", default=True, replaces=("theirs",))
    theirs = make("theirs", default=True)
    classes = {"mine": mine, "theirs": theirs}
    assert names(plan(classes, ("nengo",), 0)) == ["mine"]
    assert names(plan(classes, ("nengo",), 0, skip=["mine"])) == ["theirs"]
    assert names(plan(classes, ("nengo",), 0, named=["theirs"])) == ["mine", "theirs"]
