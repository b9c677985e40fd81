"""The NengoDL backend: Nengo's network, simulated by TensorFlow in minibatches, and trained."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from snnc.api import Backend, Graph, LoweringContext, MissingExtraError, UsageError

if TYPE_CHECKING:
    from snnc_nengo_dl.program import NengoDlProgram


@dataclass(frozen=True)
class NengoDlBackend(Backend):
    """Builds a ``nengo.Network`` that runs, and can be trained, in ``nengo_dl.Simulator``."""

    name: ClassVar[str] = "nengo-dl"
    extends: ClassVar[str | None] = "nengo"
    uses: ClassVar[tuple[str, ...]] = ("tensorflow",)
    extra: ClassVar[str] = "nengo-dl"
    temporal: ClassVar[bool] = True
    passes: ClassVar[tuple[str, ...]] = ()
    reads_scale: ClassVar[bool] = True
    minibatch: int = 0
    """Samples that ``run`` simulates together; 0 takes what suits the size of the network."""

    def __post_init__(self) -> None:
        if self.minibatch < 0:
            raise UsageError(f"nengo-dl: minibatch must be positive, or 0 to choose, not {self.minibatch}")

    def lower(self, graph: Graph, target: LoweringContext) -> NengoDlProgram:
        """Return the program of a graph; raise MissingExtraError without NengoDL, LoweringError for what it lacks."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NengoDL's, that it was not tested with this Nengo
                import nengo_dl  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(self.extra, error) from error
        from snnc_nengo.building import building

        from snnc_nengo_dl.program import NengoDlProgram
        from snnc_nengo_dl.register import register

        with building():
            register()
            return NengoDlProgram(graph, target, self.minibatch)
