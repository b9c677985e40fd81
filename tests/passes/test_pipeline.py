from dataclasses import replace

import pytest

from snnc import neurons, ops
from snnc.errors import LoweringError, PassError
from snnc.passes import BUILTIN
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.order import order
from snnc.passes.pipeline import Observer, run
from snnc.testing import assert_same_outputs, chain, kinds, random_inputs
from tests.conftest import dense

CONTEXT = Context(neurons={model.kind: model for model in neurons.MODELS})


def step(label, change, **fields):
    class Step(Pass):
        name, stage = label, Stage.FUSE

        def apply(self, graph, context):
            change(graph)

    for key, value in fields.items():
        setattr(Step, key, value)
    return Step()


def test_all_first_party_passes_keep_a_residual_network(residual):
    plan = order([cls() for cls in BUILTIN if cls.default and not cls.needs_calibration])
    after, journal = run(residual, plan, CONTEXT, samples=random_inputs(residual))
    assert_same_outputs(residual, after)
    changed = [entry.name.partition("{")[0] for entry in journal if entry.changed]
    assert changed == [
        "split-activations",
        "drop-identities",
        "fold-batch-norm",
        "defer-final-activation",
        "decompose-activations",
        "swap-activations",
    ]
    assert all(entry.error <= 1e-5 for entry in journal if entry.changed)
    assert {node.op.kind for node in after if not node.op.is_linear} == {"input", "neurons", "deferred"}
    assert set(after.layers) == set(residual.layers)


def test_exact_passes_are_exact_one_by_one(residual):
    graph = residual
    exact = [cls() for cls in BUILTIN if cls.exact and not cls.needs_calibration]
    assert len(exact) >= 6
    for one in order(exact):
        after, _ = run(graph, [one], CONTEXT)
        assert_same_outputs(graph, after)
        graph = after


def test_the_given_graph_is_not_touched(residual):
    before = residual.copy()
    run(residual, order([cls() for cls in BUILTIN if cls.default and not cls.needs_calibration]), CONTEXT)
    assert residual == before


def test_changed_is_what_differs_not_what_was_written(rng):
    graph = chain(ops.Input(shape=(3,)), ops.Relu())
    rewritten = step("rewritten", lambda g: g.replace("relu", ops.Relu()))
    slower = step("slower", lambda g: g.replace("relu", ops.Relu(negative_slope=0.5)))
    _, journal = run(graph, [rewritten, slower], CONTEXT, samples=random_inputs(graph))
    assert [(e.name, e.changed) for e in journal] == [("rewritten", False), ("slower", True)]
    assert journal[0].error is None
    assert journal[1].error > 0.01


def test_the_author_is_recorded_in_the_origin(rng):
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 2), names=["x", "d"])
    after, _ = run(graph, [step("my-pass", lambda g: g.insert_after("d", "r", ops.Relu()))], CONTEXT)
    assert str(after["r"].origin) == "my-pass <- keras:d"
    assert str(after["d"].origin) == "keras:d"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: 1 / 0, "pass 'breaks' .after fine.: ZeroDivisionError: division by zero"),
        (lambda g: g["nowhere"], "no node 'nowhere'"),
        (lambda g: g.add("dead", ops.Relu(), ["dense"]), "'dead' is read by nothing"),
        (lambda g: g.replace("dense", ops.Reshape(shape=(7,))), "node 'dense'.*does not fit"),
    ],
)
def test_a_pass_that_fails_or_breaks_the_graph_is_named_with_those_before(rng, change, message):
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 2))
    with pytest.raises(PassError, match=message):
        run(graph, [step("fine", lambda g: None), step("breaks", change)], CONTEXT)


def test_a_pass_may_use_registered_ops_only(rng):
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 2))
    known = {op.kind: op for op in (ops.Input, ops.Dense)}
    assert kinds(run(graph, [], CONTEXT, kinds=known)[0]) == ["input", "dense"]
    foreign = step("foreign", lambda g: g.insert_after("dense", "s", ops.Softplus()))
    with pytest.raises(PassError, match="'softplus' is not registered"):
        run(graph, [foreign], CONTEXT, kinds=known)


def test_what_calibrates_aims_at_the_graph_as_the_stage_spike_left_it(rng):
    seen = []
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 2), names=["x", "d"])
    look = step("look", lambda g: None, stage=Stage.CALIBRATE)
    type(look).apply = lambda self, graph, context: seen.append(context.model)
    spike = step("spike", lambda g: g.insert_after("d", "n", ops.Relu()), stage=Stage.SPIKE)
    scale = step("scale", lambda g: g.replace("d", dense(rng, 3, 2)), stage=Stage.SCALE)
    run(graph, [spike, scale, look], CONTEXT)
    wanted, _ = run(graph, [spike], CONTEXT)
    assert_same_outputs(seen[0], wanted)


def test_the_error_is_measured_anew_after_a_change_that_is_not_measured(rng):
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 2), names=["x", "d"])
    losses = iter([5.0, 4.0, 9.0, 9.5])

    def change(g):
        g.replace("d", dense(rng, 3, 2))

    passes = [
        step("first", change, stage=Stage.CALIBRATE, measured=True),
        step("between", change, stage=Stage.CALIBRATE),
        step("second", change, stage=Stage.CALIBRATE, measured=True),
    ]
    _, journal = run(graph, passes, CONTEXT, loss=lambda graph, model: next(losses))
    assert [(e.name, e.loss, e.kept) for e in journal] == [
        ("first", (5.0, 4.0), True),
        ("between", None, True),
        ("second", (9.0, 9.5), False),
    ]


def test_what_is_being_done_is_told(rng):
    told = []
    run(chain(ops.Input(shape=(3,)), ops.Relu()), [step("one", lambda g: None)], replace(CONTEXT, tell=told.append))
    assert told == ["one"]


def test_an_op_that_fails_where_the_outputs_are_compared_is_its_passes_fault(rng):
    class Fails(ops.Relu):
        def evaluate(self, *inputs):
            raise FloatingPointError("of a plugin")

    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 2))
    bad = step("bad", lambda g: g.insert_after("dense", "s", Fails()))
    with pytest.raises(PassError, match="pass 'bad' .after no other pass.: FloatingPointError: of a plugin"):
        run(graph, [bad], CONTEXT, samples=random_inputs(graph))


def test_a_refusal_is_in_the_words_of_the_pass(rng):
    def refuse(graph):
        raise LoweringError("layer 'dense': no")

    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 2))
    with pytest.raises(PassError, match="^pass 'refuse': layer 'dense': no$"):
        run(graph, [step("one", lambda g: None), step("refuse", refuse)], CONTEXT)


def test_an_observer_sees_every_pass_and_what_fails(rng):
    class Sees(Observer):
        def __init__(self):
            self.saw = []

        def begin(self, graph):
            self.saw.append(("begin", len(graph)))

        def ran(self, entry, graph):
            self.saw.append((entry.name, len(graph)))

        def end(self, graph):
            self.saw.append(("end", len(graph)))

        def failed(self, failure):
            self.saw.append((failure.step.name, len(failure.graph)))
            return "look here"

    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 2))
    grows = step("grows", lambda g: g.insert_after("dense", "r", ops.Relu()))
    seen = Sees()
    run(graph, [grows], CONTEXT, observer=seen)
    assert seen.saw == [("begin", 2), ("grows", 3), ("end", 3)]
    seen = Sees()
    breaks = step("breaks", lambda g: g.insert_after("r", "s", ops.Relu()) and 1 / 0)
    with pytest.raises(PassError, match="ZeroDivisionError: division by zero; look here"):
        run(graph, [grows, breaks], CONTEXT, observer=seen)
    assert seen.saw == [("begin", 2), ("grows", 3), ("breaks", 3)]


def test_what_earlier_passes_promised_is_held(rng):
    class Promised(type(step("promised", lambda g: None))):
        def postcondition(self, graph):
            yield from (f"{node.name} is left" for node in graph.nodes(ops.Relu))

    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 2))
    grows = step("grows", lambda g: g.insert_after("dense", "r", ops.Relu()))
    run(graph, [grows], CONTEXT)
    with pytest.raises(PassError, match="promised: r is left"):
        run(graph, [grows], CONTEXT, finished=[Promised()])
