import copy
import importlib.metadata
import pickle
import types
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import snnc.discovery as discovery
from snnc import builtin, ops
from snnc.backend import Backend
from snnc.compiler import compile, import_model
from snnc.discovery import HOOKS
from snnc.errors import DuplicateNameError, PassError, PluginError, SnncError, UsageError
from snnc.frontend.base import Frontend, importer
from snnc.hooks import hookimpl
from snnc.ir.made_for import MadeFor
from snnc.ir.op import Op, op
from snnc.lowering import Lowering, Lowerings
from snnc.passes.base import Pass, Stage
from snnc.passes.plan import plan
from snnc.registry import Registry
from snnc.testing import chain


def plugin(**hooks):
    """Return a module-like plugin of these hook results."""
    module = types.SimpleNamespace()
    for name, result in hooks.items():
        setattr(module, name, hookimpl(_give(result)))
    return module


def _give(result):
    def hook():
        return result

    return hook


def make_pass(label):
    class Made(Pass):
        name, stage, default = label, Stage.FUSE, True

        def apply(self, graph, context):
            """Change nothing."""

    return Made


class Base(Backend):
    name = "base"

    def lower(self, graph, target):
        raise NotImplementedError


class Derived(Base):
    name, extends = "derived", "base"


BUILTIN = ("builtin", builtin)


def discover(*plugins):
    return Registry.discover(plugins, installed=False)


def test_the_builtin_plugin_fills_every_table_but_those_of_backends():
    registry = discover(BUILTIN)
    for table, _, _, _ in HOOKS:
        assert bool(getattr(registry, table)) == (table not in ("lowerings", "backends", "exporters")), table
    assert registry.problems == ()


def test_what_is_registered_does_not_depend_on_the_order_of_plugins():
    a = ("a", plugin(snnc_register_passes=[make_pass("pass-a")]))
    b = ("b", plugin(snnc_register_passes=[make_pass("pass-b")], snnc_register_backends=[Base]))
    plans = []
    for plugins in ([BUILTIN, a, b], [b, a, BUILTIN]):
        registry = discover(*plugins)
        plans.append([p.name for p in plan(registry.passes, ("base",), 1)])
        assert list(registry.passes) == sorted(registry.passes)
    assert plans[0] == plans[1]
    assert {"pass-a", "pass-b"} <= set(plans[0])


def test_the_provider_of_everything_is_known():
    registry = discover(BUILTIN, ("mine", plugin(snnc_register_passes=[make_pass("p")])))
    assert registry.provided("pass")["p"] == "mine (the caller)"
    assert registry.provided("op")["dense"].startswith("builtin")


def test_a_name_registered_twice_names_both_owners():
    one, two = (plugin(snnc_register_passes=[make_pass("twice")]) for _ in range(2))
    with pytest.raises(DuplicateNameError, match="pass 'twice'.*by (one|two) .*and by (one|two) "):
        discover(("one", one), ("two", two))


def test_a_misspelt_hook_is_an_error_that_names_the_plugin():
    with pytest.raises(PluginError, match="plugin 'mine'.*snnc_register_pases"):
        discover(("mine", plugin(snnc_register_pases=[])))


@pytest.mark.parametrize("thing", [ops.Dense, "a string", make_pass("p")(), make_pass(None)])
def test_a_thing_of_the_wrong_kind_is_an_error(thing):
    with pytest.raises(PluginError, match="'mine' .*registered .* as a pass, which it is not"):
        discover(("mine", plugin(snnc_register_passes=[thing])))


def test_lowerings_are_looked_up_along_the_chain():
    low = [Lowering("base", ops.Dense, "base dense"), Lowering("base", ops.Relu, "base relu")]
    own = [Lowering("derived", ops.Dense, "derived dense")]
    registry = discover(
        BUILTIN, ("b", plugin(snnc_register_backends=[Base, Derived], snnc_register_lowerings=low + own))
    )
    assert registry.chain("derived") == ("derived", "base")
    assert registry.lowerings_for("derived").table == {ops.Dense: "derived dense", ops.Relu: "base relu"}
    assert registry.lowerings_for("base").table[ops.Dense] == "base dense"


def test_two_frontends_may_import_a_class_of_the_same_name():
    theirs, again = (importer("onnx", "Softmax")(lambda layer, inputs, build: inputs[0]) for _ in range(2))
    registry = discover(BUILTIN, ("onnx", plugin(snnc_register_importers=[theirs])))
    assert registry.importers["onnx:Softmax"] is theirs
    assert registry.importers["keras:Softmax"].frontend == "keras"
    with pytest.raises(DuplicateNameError, match="importer 'onnx:Softmax' is registered twice"):
        discover(("onnx", plugin(snnc_register_importers=[theirs])), ("again", plugin(snnc_register_importers=[again])))


def test_frontends_of_plugins_are_asked_before_those_that_take_any_path():
    class Theirs(Frontend):
        name = "theirs"

        def accepts(self, source):
            return str(source).endswith(".theirs")

        def load(self, source, importers, options):
            graph = chain(ops.Input(shape=(2,)), ops.Relu())
            graph.made_for = MadeFor(dt=options.dt)
            return graph

    registry = discover(("theirs", plugin(snnc_register_frontends=[Theirs])), BUILTIN)
    again = discover(BUILTIN, ("theirs", plugin(snnc_register_frontends=[Theirs])))
    assert list(registry.frontends) == list(again.frontends) == ["theirs", "saved", "keras-live", "keras-file"]
    assert import_model("net.theirs", dt=0.5, registry=registry).made_for == MadeFor(dt=0.5)


@op
class Leaky(ops.Relu):
    kind = "mine-leaky"

    def rule(self, xp, x):
        return xp.maximum(x, 0.1 * x)


@op
class InNumpy(ops.Relu):
    kind = "mine-in-numpy"

    def evaluate(self, *inputs):
        return np.maximum(*inputs, 0)


def test_a_lowering_is_that_of_all_classes_that_inherit_what_they_compute():
    by_rule = Lowerings("b", {ops.Activation: "activation", ops.PureOp: "rule", Op: "host"})
    assert by_rule.get(Leaky()) == by_rule.get(ops.Relu()) == "activation"
    assert by_rule.get(ops.Add()) == "rule" and not by_rule.on_host(ops.Add())
    assert by_rule.get(InNumpy()) == by_rule.get(ops.GlobalMaxPool()) == "host"
    assert by_rule.on_host(InNumpy())
    by_class = Lowerings("b", {ops.Relu: "relu", ops.PureOp: "rule"})
    assert [by_class.get(op) for op in (ops.Relu(), Leaky(), InNumpy())] == ["relu", "rule", None]


@op
class Half(Op):
    kind = "half"
    linear = True

    def infer(self, *inputs):
        return inputs[0]

    def evaluate(self, *inputs):
        return inputs[0] / 2


def test_strict_refuses_a_linear_op_without_a_lowering_too():
    registry = Registry.discover([("mine", plugin(snnc_register_ops=[Half]))])
    graph = chain(ops.Input(shape=(2,)), Half())
    compiled = compile(graph, registry=registry)
    assert compiled.notes[-1] == "half (half): on the host, in numpy; nengo has no lowering for it"
    assert np.array_equal(compiled.predict(np.ones((1, 2))), [[0.5, 0.5]])
    with pytest.raises(SnncError, match=r"strict: the backend has no lowering for half \(half\); add one"):
        compile(graph, registry=registry, strict=True)


def test_an_unknown_backend_lists_the_known_ones():
    with pytest.raises(UsageError, match="unknown backend 'basic'.*known: base"):
        discover(("b", plugin(snnc_register_backends=[Base]))).backend("basic")


class Point:
    """An entry point of somebody's plugin."""

    name = "broken"
    dist = types.SimpleNamespace(name="some-package", version="1.2")

    def __init__(self, load):
        self.load = load


def raising(error):
    def hook(*_):
        raise error

    return hook


class NoStage(Pass):
    name = "no-stage"

    def apply(self, graph, context):
        """Change nothing."""


class NoApply(Pass):
    name, stage = "no-apply", Stage.FUSE


def half_good(**hooks):
    """Return a plugin with a good pass, too."""
    return plugin(snnc_register_passes=[make_pass("good")], **hooks)


def with_hook(name, function):
    return types.SimpleNamespace(**{name: hookimpl(function)})


MISSPELT = half_good(snnc_register_pases=[])
MISBEHAVING = {
    "fails to load": (raising(ImportError("no module\nnamed neuromorph")), "ImportError: no module named neuromorph"),
    "exits while it loads": (raising(SystemExit(3)), "SystemExit: 3"),
    "raises in a hook": (
        lambda: with_hook("snnc_register_ops", raising(ZeroDivisionError("by zero"))),
        "ZeroDivisionError: by zero",
    ),
    "exits in a hook": (lambda: with_hook("snnc_register_backends", raising(SystemExit("bye"))), "SystemExit: bye"),
    "gives a number": (lambda: half_good(snnc_register_ops=5), "snnc_register_ops returned 5, not a list"),
    "gives a text": (lambda: half_good(snnc_register_ops="relu"), "returned 'relu', not a list"),
    "gives another thing": (lambda: half_good(snnc_register_ops=[3]), "registered 3 as a op, which it is not"),
    "misspells a hook": (lambda: MISSPELT, "snnc_register_pases"),
    "has a pass without stage": (lambda: plugin(snnc_register_passes=[NoStage]), "pass 'no-stage' has no 'stage'"),
    "has a pass without apply": (lambda: plugin(snnc_register_passes=[NoApply]), "pass 'no-apply' has no apply()"),
    "has no hooks": (lambda: types.SimpleNamespace(snnc_register_ops=list), "it provides nothing"),
    "is nothing": (lambda: None, "it provides nothing"),
    "is garbled": (importlib.metadata.EntryPoint("broken", "???", "snnc").load, "AttributeError"),
}


@pytest.fixture
def installing(monkeypatch):
    """Return a function that installs plugins by what their entry points load."""

    def install(*loads):
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Point(load) for load in loads])
        monkeypatch.setattr("snnc.discovery._installed", discovery._installed.__wrapped__)  # what is cached is real
        discovery._warn_of.cache_clear()

    return install


@pytest.mark.parametrize("how", MISBEHAVING)
def test_a_plugin_that_misbehaves_is_a_warning_and_breaks_nothing_else(installing, monkeypatch, caplog, how):
    load, reason = MISBEHAVING[how]
    installing(load)
    registry = Registry.discover([BUILTIN])
    (problem,) = registry.problems
    assert str(problem).startswith("plugin 'broken' of some-package 1.2 is left out: ")
    assert reason in str(problem) and "\n" not in str(problem)
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [("snnc", "WARNING", str(problem))]
    Registry.discover([BUILTIN])
    assert len(caplog.records) == 1, "it is told once"
    assert "dense" in registry.ops and "good" not in registry.passes
    assert plan(registry.passes, ("nengo",), 1)
    with pytest.raises(UsageError, match="unknown backend 'broken'.*left out: "):
        registry.backend("broken")
    monkeypatch.setenv("SNNC_STRICT", "1")
    with pytest.raises(PluginError, match="'broken' of some-package 1.2: "):
        Registry.discover([BUILTIN])


def test_a_pass_that_exits_is_an_error_of_that_pass():
    class Leaving(make_pass("leaving")):
        def apply(self, graph, context):
            raise SystemExit(0)

    with pytest.raises(PassError, match="pass 'leaving'.*SystemExit: 0"):
        compile(chain(ops.Input(shape=(2,)), ops.Relu()), passes=[Leaving()])


def test_all_installed_plugins_load():
    registry = Registry.discover()
    assert registry.problems == ()
    assert "nengo" in registry.backends
    for name in registry.backends:
        assert plan(registry.passes, registry.chain(name), 1)


@dataclass(frozen=True)
class ChipBackend(Backend):
    name: ClassVar[str] = "chip"
    engines: ClassVar[tuple[str, ...]] = ("program", "numpy")
    chips: int = 1

    def lower(self, graph, target):
        raise NotImplementedError


def test_a_backends_options_are_its_fields():
    registry = Registry.discover([("chip", plugin(snnc_register_backends=[ChipBackend]))], installed=False)
    assert registry.build_backend("chip{chips=2}") == ChipBackend(chips=2)
    assert registry.build_backend(ChipBackend(chips=3)).options() == {"chips": 3}
    assert registry.build_backend("chip").options() == {}
    with pytest.raises(SnncError, match="backend 'chip'.*unknown option 'cores'"):
        registry.build_backend("chip{cores=2}")
    with pytest.raises(SnncError, match="option 'chips' cannot be 'two'"):
        registry.build_backend("chip{chips=two}")


def test_a_registry_is_pickled_by_name():
    registry = Registry.discover().including(Derived())
    again = pickle.loads(pickle.dumps(registry))
    assert again.backends["derived"] is Derived
    assert again.importers.keys() == registry.importers.keys()
    assert list(again.frontends.items()) == list(registry.frontends.items())
    assert copy.deepcopy(registry) is registry


def test_a_plugin_that_pickle_cannot_find_by_name_is_one_error():
    registry = Registry.discover([("mine", plugin(snnc_register_passes=[make_pass("made")]))])
    with pytest.raises(UsageError, match=r"a plugin that is not installed cannot be pickled: .*Made"):
        pickle.dumps(registry)
