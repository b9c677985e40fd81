"""Intel's Loihi, through nengo-loihi: its emulator, or the chip where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snnc.api import Backend, Defaults, Graph, LoweringContext, LoweringError, Neurons, Node, UsageError
from snnc_loihi.import_nengo_loihi import load
from snnc_loihi.models import STEP
from snnc_loihi.placement_queries import sends_spikes

if TYPE_CHECKING:
    from snnc_loihi.program import LoihiProgram

STREAMING = "loihi-signed-if"
"""The neurons of temporal models."""


@dataclass(frozen=True)
class LoihiBackend(Backend):
    """Builds a ``nengo.Network`` with nengo-loihi's settings, which its simulator runs as it is."""

    name: ClassVar[str] = "loihi"
    extends: ClassVar[str | None] = "nengo"
    extra: ClassVar[str] = "loihi"
    temporal: ClassVar[bool] = True
    step: ClassVar[float | None] = STEP
    passes: ClassVar[tuple[str, ...]] = ()
    keeps_neurons: ClassVar[bool] = False
    reads_scale: ClassVar[bool] = True
    rehearses: ClassVar[bool] = True
    engines: ClassVar[tuple[str, ...]] = ("replica", "emulator", "loihi", "numpy", "program")

    remedies: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "clipping": "--pass 'loihi-set-rates{rate=500}'",
            "floor": "--neurons loihi-soft-if, which has none",
            "overshoot": "--neurons loihi-soft-if, which keeps it",
        }
    )

    chips: int | None = None
    """How many chips there are; by default as many as it takes."""

    def __post_init__(self) -> None:
        if self.chips is not None and self.chips < 1:
            raise UsageError(f"loihi: chips must be 1 or more, not {self.chips}")

    def level(self, *, samples: bool, by_hand: bool = False) -> int:
        return 2 if samples else 1

    def defaults(self, level: int) -> Defaults:
        """Return the settings for a level.

        Without samples nobody knows what activations would be fitted to, or how far currents fall.
        """
        known = level > 1
        return Defaults(
            neurons="loihi-soft-if" if known else "loihi-soft-if{reach=2048 leak=16}",
            scale=None if known else 200.0,
            steps=60,
            read_out=0.35,
            passes=("fit-activations",) if known else (),
        )

    def stream_defaults(self, level: int) -> Defaults:
        """Return the settings where inputs change: neurons that soon forget what inhibited them."""
        return replace(self.defaults(level), neurons=STREAMING)

    def refuses(self, node: Node) -> str | None:
        """Refuse what is on the chip, or sends it spikes, and has a scale; the host's neurons may have one."""
        op = node.op
        if isinstance(op, Neurons) and sends_spikes(node) and np.any(np.asarray(op.scale) != 1):
            return "its scale is not in the weights: let the pass loihi-write-scales run"
        return super().refuses(node)

    def lower(self, graph: Graph, target: LoweringContext) -> LoihiProgram:
        """Return the program of a graph; raise MissingExtraError without nengo-loihi, LoweringError where it cannot."""
        if target.dt != STEP:
            raise LoweringError(f"a step of the chip stands for {STEP} s, so dt cannot be {target.dt}; say --dt {STEP}")
        load()
        from snnc_nengo.building import building

        from snnc_loihi.lags import with_late_starts
        from snnc_loihi.program import LoihiProgram, build

        rehearsed = target.rehearsed.plan if isinstance(target.rehearsed, LoihiProgram) else None
        graph = with_late_starts(graph)
        with building():
            made = build(graph, target, self.chips, rehearsed)
            return LoihiProgram(graph, replace(target, rehearsed=None), *made)
