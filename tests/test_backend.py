"""What a backend declares is planned, and what it cannot take is refused before it sees it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import snnc
from snnc import ops
from snnc.backend import Backend
from snnc.engine.simulate import simulate
from snnc.errors import DuplicateNameError, LoweringError, PassSpecError, UsageError
from snnc.hooks import hookimpl
from snnc.neurons import Neurons
from snnc.passes.plan import plan
from snnc.program import Program
from snnc.registry import Registry
from snnc.testing import chain
from tests.conftest import conv, dense


@dataclass(frozen=True)
class Silent(Backend):
    """Says nothing about itself, and ignores scales."""

    name: ClassVar[str] = "silent"

    def lower(self, graph, target):
        assert all(node.op.scale == 1 for node in graph.nodes(Neurons))
        return Program(graph, target)


class Picky(Silent):
    name: ClassVar[str] = "picky"
    passes: ClassVar[tuple[str, ...]] = ("write-scales", "merge-linear{dense=0.5}")
    accepted_neurons: ClassVar[tuple[str, ...]] = ("spiking-relu", "soft-reset-if")
    accepted_ops: ClassVar[tuple[type, ...]] = (ops.Dense, ops.Reshape)


class Extension(Silent):
    name: ClassVar[str] = "extension"
    extends: ClassVar[str] = "picky"
    passes: ClassVar[tuple[str, ...]] = ()


class Plugin:
    @hookimpl
    def snnc_register_backends(self):
        return [Picky, Extension]


def registry():
    return Registry.discover([("here", Plugin())])


@pytest.fixture
def model(rng):
    steps = (conv(rng, (3, 3), 2, 4), ops.Relu(), ops.Reshape(shape=(-1,)), dense(rng, 16, 3), ops.Relu())
    return chain(ops.Input(shape=(4, 4, 2)), *steps, names=["x", "c", "first", "flat", "d", "second"])


def compiled(model, backend, **options):
    return snnc.compile(model, backend=backend, scale=100, verify=False, **options)


def journal(c):
    return [entry.name for entry in c.journal]


def test_a_backend_that_ignores_scales_is_given_none(model):
    assert "write-scales" in journal(compiled(model, Silent()))


def test_a_backend_without_a_run_of_its_own_runs_in_numpy(model, rng):
    c = compiled(model, Silent(), read_out="last")
    x = rng.uniform(0, 1, size=(5, 4, 4, 2)).astype(np.float32)
    want = simulate(c.graph, x, 20, window=slice(0, 20)).outputs["second"]
    assert want.any()
    np.testing.assert_array_equal(c.run(x, 20)["second"], want)
    np.testing.assert_array_equal(c.predict(x, 20), want[:, -1])
    assert c.verify(x, 20).backend_error > 0
    a, b = (c.evaluate(x, np.zeros(5, int), 20, engine=engine).accuracy_by_step for engine in ("numpy", "program"))
    assert a == b


def test_what_it_is_not_given_right_is_refused_with_every_layer(model):
    both = "cannot take 2 layer.*'first': its scale is not in the weights: let the pass write-scales run.*'second': its"
    with pytest.raises(LoweringError, match=both):
        compiled(model, Silent(), skip=["write-scales"])
    with pytest.raises(LoweringError, match="backend 'silent' cannot take"):
        compiled(model, Silent(), skip=["write-scales"], build=False)


def test_other_neurons_and_ops_are_refused_by_name(model):
    with pytest.raises(LoweringError, match=r"'first': there are no neurons 'lif': use --neurons spiking-relu or soft"):
        compiled(model, Picky(), neurons={"first": "lif", "*": "spiking-relu"})
    with pytest.raises(LoweringError, match="layer 'c': there is no op 'conv': change the layer, or name a pass"):
        compiled(model, Picky())
    assert compiled(model, Picky(), passes=["merge-linear{convolutions=false dense=0}"]).program is not None


def test_an_artifact_is_checked_again_where_it_is_loaded(model, tmp_path, monkeypatch):
    compiled(model, "picky", passes=["merge-linear{convolutions=false dense=0}"], registry=registry()).save(
        tmp_path / "a"
    )
    monkeypatch.setattr(Picky, "accepted_neurons", ("lif",))
    with pytest.raises(LoweringError, match="'first'.*'second'"):
        snnc.load(tmp_path / "a", registry=registry()).program  # noqa: B018 - to build it is what is asked for


def planned(backend, **options):
    known = registry()
    return plan(known.passes, known.chain(backend), 0, needed=known.passes_for(backend), **options)


def test_declared_passes_run_at_every_level_and_for_backends_that_extend_it():
    for backend in ("picky", "extension"):
        merging = [step for step in planned(backend) if step.name == "merge-linear"]
        assert [step.dense for step in merging] == [0.5]
        assert "write-scales" in [step.name for step in planned(backend)]


def test_the_user_has_the_last_word_on_declared_passes():
    names = [step.name for step in planned("picky", skip=["merge-linear"])]
    assert "merge-linear" not in names and "write-scales" in names
    (merging,) = (s for s in planned("picky", options={"merge-linear": {"sparse": 0.0}}) if s.name == "merge-linear")
    assert (merging.sparse, merging.dense) == (0.0, 0.5)
    (merging,) = (s for s in planned("picky", named=["merge-linear{dense=0.75}"]) if s.name == "merge-linear")
    assert merging.dense == 0.75


def test_a_declared_pass_that_is_not_there_is_named():
    with pytest.raises(
        PassSpecError, match="backend 'nengo' needs a pass that is not there: unknown pass 'write-scale'"
    ):
        plan(registry().passes, ("nengo",), 1, needed=["write-scale"])


def test_a_backend_needs_no_plugin_but_a_name_of_its_own(model):
    class Another(Silent):
        name: ClassVar[str] = "nengo"

    with pytest.raises(DuplicateNameError, match="'nengo'"):
        compiled(model, Another())
    with pytest.raises(UsageError, match="unknown backend 'silent'"):
        compiled(model, "silent")


def test_our_simulators_read_scales_and_get_the_graph_as_it_is(model):
    known = registry()
    for backend in ("nengo", "nengo-dl", "tensorflow", "loihi"):
        assert known.backend(backend).reads_scale and known.passes_for(backend) == ()
    assert np.all(compiled(model, "nengo", build=False).graph["first"].op.scale == 0.01)
