"""What a backend refuses is known before anything is measured."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import snnc
from snnc import ops
from snnc.backend import Backend
from snnc.errors import LoweringError, PassError, StageError
from snnc.hooks import hookimpl
from snnc.passes.base import Pass, Stage
from snnc.passes.fit_activations import FitActivations
from snnc.program import Program
from snnc.registry import Registry
from snnc.testing import chain
from tests.conftest import dense

told = []


@dataclass(frozen=True)
class Chip(Backend):
    """Takes as many nodes as it has room for."""

    name: ClassVar[str] = "chip"
    rehearses: ClassVar[bool] = True
    reads_scale: ClassVar[bool] = True
    room: int = 100

    def lower(self, graph, target):
        if len(graph) > self.room:
            raise LoweringError(f"the chip has room for {self.room} layers; give it room={len(graph)}")
        told.append(target.rehearsed)
        return Program(graph, target)


class Hasty(Chip):
    name: ClassVar[str] = "hasty"
    rehearses: ClassVar[bool] = False


class Measure(Pass):
    """Counts how often it measures."""

    name: ClassVar[str] = "measure"
    stage: ClassVar[Stage] = Stage.SCALE
    needs_calibration: ClassVar[bool] = True
    seen: ClassVar[list[int]] = []

    def apply(self, graph, context):
        self.seen.append(len(context.samples["x"]))


class Refuse(Pass):
    """Refuses every graph, by an error of a kind."""

    name: ClassVar[str] = "refuse"
    stage: ClassVar[Stage] = Stage.TARGET
    error: ClassVar[Exception] = LoweringError("layer 'd': no")

    def apply(self, graph, context):
        context.note("a note")
        raise self.error


class Needy(Refuse):
    """Refuses what nothing has been measured for."""

    name: ClassVar[str] = "needy"

    def apply(self, graph, context):
        if not Measure.seen:
            raise StageError("it was not measured")


class Plugin:
    @hookimpl
    def snnc_register_backends(self):
        return [Chip, Hasty]

    @hookimpl
    def snnc_register_passes(self):
        return [Measure, Refuse, Needy]


@pytest.fixture(autouse=True)
def _nothing_was_seen():
    told.clear()
    Measure.seen.clear()


def model(rng, activation=None):
    steps = (dense(rng, 3, 4), activation or ops.Relu(), dense(rng, 4, 2))
    return chain(ops.Input(shape=(3,)), *steps, names=["x", "d", "act", "out"])


def compiled(graph, *passes, backend="chip", **options):
    registry = Registry.discover([("here", Plugin())])
    x = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    return snnc.compile(
        graph, backend=backend, passes=passes, calibration=x, level=1, verify=False, registry=registry, **options
    )


def test_a_backend_refuses_before_anything_is_measured(rng):
    with pytest.raises(LoweringError, match="^the chip has room for 2 layers; give it room=4$"):
        compiled(model(rng), "measure", backend="chip{room=2}")
    assert Measure.seen == []
    assert len(compiled(model(rng), "measure", backend="chip{room=4}").graph) == 4


def test_one_that_does_not_rehearse_refuses_at_the_end(rng):
    with pytest.raises(LoweringError, match="room for 2"):
        compiled(model(rng), "measure", backend="hasty{room=2}")
    assert Measure.seen == [40]


def test_lowering_is_told_of_the_rehearsal(rng):
    c = compiled(model(rng), "measure")
    assert len(told) == 2
    assert told[0] is None
    assert isinstance(told[1], Program)
    assert told[1] is not c.program
    assert c.notes == compiled(model(rng), "measure", backend="hasty").notes


def test_nothing_is_rehearsed_where_nothing_is_measured(rng):
    compiled(model(rng))
    assert told == [None]


def test_what_is_fitted_is_fitted_to_few_samples_first_and_then_to_all(rng, monkeypatch):
    fitted, apply = [], FitActivations.apply

    def watched(self, graph, context):
        fitted.append(len(context.samples["x"]))
        apply(self, graph, context)

    monkeypatch.setattr(FitActivations, "apply", watched)
    size = len(compiled(model(rng, ops.Swish()), "fit-activations").graph)
    assert fitted == [16, 40, 40]
    fitted.clear()
    with pytest.raises(LoweringError, match="room for 7"):
        compiled(model(rng, ops.Swish()), "fit-activations", "measure", backend="chip{room=7}")
    assert (size, fitted, Measure.seen) == (8, [16, 40], [])
    fitted.clear()
    with pytest.raises(LoweringError, match="layer 'd': no"):
        compiled(model(rng, ops.Swish()), "fit-activations", "refuse", "measure")
    assert (fitted, Measure.seen) == ([16], [])


def test_a_pass_refuses_in_its_own_words_and_a_dump_has_what_makes_it_do_so_again(rng, tmp_path):
    with pytest.raises(LoweringError, match="^layer 'd': no$"):
        compiled(model(rng), "refuse", "measure")
    with pytest.raises(PassError, match="layer 'd': no; it fails again with: snnc opt"):
        compiled(model(rng), "refuse", "measure", dump=tmp_path / "d")
    assert (tmp_path / "d" / "reproducer" / "command.txt").exists()
    assert Measure.seen == []


def test_what_fails_for_want_of_measuring_does_not_end_the_compilation(rng, monkeypatch):
    compiled(model(rng), "needy", "measure")
    assert told == [None]
    monkeypatch.setattr(Refuse, "error", ValueError("a bug"))
    with pytest.raises(PassError, match=r"pass 'refuse' \(after .*measure.*\): ValueError: a bug; dump=DIR"):
        compiled(model(rng), "refuse", "measure")
