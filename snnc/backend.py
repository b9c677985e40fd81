"""Backends lower a graph to a program, which runs on a simulator or a chip: their base classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from snnc.engine.read_out import AnyReadOut
from snnc.errors import LoweringError
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import Op
from snnc.ir.types import Array
from snnc.lowering import LoweringContext
from snnc.neurons import Neurons
from snnc.program import Program

CALIBRATED = 2
"""The level from which on a compilation measures the model on samples."""


@dataclass(frozen=True)
class Tolerance:
    """The largest errors that verify accepts of a backend."""

    rate: float = 1e-5
    """Largest error of a network of rate neurons, relative to the largest output."""
    agreement: float = 0.9
    """Smallest share of what a spiking network decides, such as classes or pixels, that is the model's."""
    error: float = 0.25
    """Largest error of a spiking network whose outputs are no classes: root mean square, relative to their deviation;
    0.25 leaves 94 % of the variance explained."""


def require_none(who: str, refused: Mapping[str, str | None]) -> None:
    """Raise LoweringError naming every layer for which there is a reason and a remedy, not None.

    Args:
        who: who refuses, with a verb: ``"backend 'nengo' cannot take"``.
        refused: why, by layer.
    """
    rows = [f"layer {name!r}: {reason}" for name, reason in refused.items() if reason is not None]
    if rows:
        raise LoweringError(f"{who} {len(rows)} layer(s): {'; '.join(rows)}")


@dataclass(frozen=True)
class Defaults:
    """The settings of a compilation where the user says nothing."""

    neurons: str | None = None
    """A neuron model; None leaves it to the pass that chooses one."""
    scale: float | None = None
    """Hz for an activation of 1."""
    synapse: float | None = None
    """Seconds of a low-pass behind each population."""
    steps: int = 30
    """Where something changes over time; a sample is shown for one step otherwise."""
    read_out: AnyReadOut = 0.5
    passes: tuple[str, ...] = ()
    """Further passes at this level, in text form."""


@dataclass(frozen=True)
class Backend(ABC):
    """A target of compile; the fields of the dataclass are its options, as in ``loihi{chips=2}``."""

    name: ClassVar[str]
    extends: ClassVar[str | None] = None
    """The backend whose lowerings are looked up next."""
    uses: ClassVar[tuple[str, ...]] = ()
    """Backends whose lowerings are in ``LoweringContext.others``, a fallback for ops that this one does not lower."""
    core_on_host: ClassVar[bool] = False
    """Whether the host computes ops of the core as a matter of course: only those of plugins get a note then."""
    extra: ClassVar[str] = ""
    """The extra of the distribution that installs what it needs."""
    tolerance: ClassVar[Tolerance] = Tolerance()
    temporal: ClassVar[bool] = False
    """Whether its programs present the slices of sequences, one a step."""
    step: ClassVar[float | None] = None
    """Seconds that its steps stand for, where that never changes: temporal models that say otherwise have a slice a
    step all the same."""
    engines: ClassVar[tuple[str, ...]] = ("numpy", "program")
    """What can run a compiled model; ``evaluate`` takes the first by default. ``"numpy"`` is snnc's own evaluator,
    ``"program"`` what ``run`` uses, any other name is one that the program's ``using`` knows."""

    exported: ClassVar[tuple[str, str]] = ("", "")
    """The file that marks what ``export`` writes, and what to call such a folder."""
    remedies: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """What helps against a part of the error of its layers, by the part's name: ``clipping``, ``quantisation``,
    ``weights``, ``timing``, or one of ``NeuronModel.defects``."""
    passes: ClassVar[tuple[str, ...]] = ("write-scales",)
    """Passes that run for it, and for backends that extend it, without being named: ``"merge-linear{dense=0.5}"``."""
    keeps_neurons: ClassVar[bool] = True
    """Whether a network that spikes already runs with its own neurons; otherwise passes of the backend's choose others
    for it, and its steps and read-out, made for its own, are none of their business."""
    reads_scale: ClassVar[bool] = False
    """Whether it multiplies by ``Neurons.scale``; otherwise it is given populations of the scale 1 only."""
    rehearses: ClassVar[bool] = False
    """Whether a graph is lowered once before passes measure it: where lowering may refuse it, or takes long, and finds
    what serves again (``LoweringContext.rehearsed``)."""
    accepted_neurons: ClassVar[tuple[str, ...] | None] = None
    """The kinds of neuron models that it has; None for those that its lowerings know."""
    accepted_ops: ClassVar[tuple[type[Op], ...] | None] = None
    """The ops that it has besides inputs and neurons; None for those that its lowerings know."""

    def level(self, *, samples: bool, by_hand: bool = False) -> int:
        """Return the level of a compilation where the user chooses none.

        Args:
            samples: whether there are calibration samples.
            by_hand: whether the user chose rates or filters, of which calibration makes choices of its own.
        """
        return 1 if by_hand else CALIBRATED

    def defaults(self, level: int) -> Defaults:
        """Return the settings of a compilation at a level where the user chooses none.

        When calibrated, neurons that take spikes back are best, then those that keep what is left of the current.
        """
        if level >= CALIBRATED:
            for kind in ("sigma-delta", "signed-if", "soft-reset-if"):
                if self.accepted_neurons is None or kind in self.accepted_neurons:
                    return Defaults(neurons=kind, read_out=0.0)
        return Defaults()

    def stream_defaults(self, level: int) -> Defaults:
        """Return the settings of a temporal model, whose inputs change from step to step, where the user chooses none.

        Those of any other by default.
        """
        return self.defaults(level)

    def refuses(self, node: Node) -> str | None:
        """Return why the backend cannot take a node, and what to do instead; None where it can.

        What the class declares is checked here; a backend that has more to say extends it.
        """
        op = node.op
        if isinstance(op, Neurons):
            if self.accepted_neurons is not None and op.model.kind not in self.accepted_neurons:
                return f"there are no neurons {op.model.kind!r}: use --neurons {' or '.join(self.accepted_neurons)}"
            if not self.reads_scale and np.any(np.asarray(op.scale) != 1):
                return "its scale is not in the weights: let the pass write-scales run"
        elif op.arity != 0 and self.accepted_ops is not None and not isinstance(op, self.accepted_ops):
            return f"there is no op {op.kind!r}: change the layer, or name a pass that writes it as ops that there are"
        return None

    def require_accepted(self, graph: Graph) -> None:
        """Raise LoweringError naming every layer of a graph that the backend refuses, why, and what to do."""
        require_none(f"backend {self.name!r} cannot take", {node.name: self.refuses(node) for node in graph})

    def run_exported(self, folder: Path, inputs: Mapping[str, Array], steps: int) -> dict[str, Array] | None:
        """Run what ``export`` wrote, from its files alone; None where that cannot be done here.

        Args:
            folder: what was exported.
            inputs: ``(batch, *shape)`` by input name; ``(batch, steps, *shape)`` of a temporal graph.
            steps: how many steps each sample is shown.

        Returns:
            ``(batch, steps, *shape)`` by output name, as ``Compiled.run`` gives them.
        """
        return None

    def options(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    @abstractmethod
    def lower(self, graph: Graph, target: LoweringContext) -> Program:
        """Return a program for the graph; raise LoweringError where that is impossible."""
