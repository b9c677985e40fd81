"""The reference backend: Nengo's own simulator, or another one of its networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from snnc.api import Backend, Defaults, Graph, LoweringContext, MissingExtraError
from snnc.api import neurons as models

if TYPE_CHECKING:
    from snnc_nengo.program import NengoProgram


@dataclass(frozen=True)
class NengoBackend(Backend):
    """Builds a ``nengo.Network`` that runs in ``nengo.Simulator`` as it is, and in other simulators."""

    name: ClassVar[str] = "nengo"
    core_on_host: ClassVar[bool] = True
    extra: ClassVar[str] = "nengo"
    temporal: ClassVar[bool] = True
    passes: ClassVar[tuple[str, ...]] = ()
    reads_scale: ClassVar[bool] = True

    simulator: str = "nengo.Simulator"
    """What runs the network: an installed simulator by its entry point of ``nengo.backends``, as in ``nengo_ocl``."""

    def defaults(self, level: int) -> Defaults:
        """Return the settings; other simulators have only neurons of Nengo's own."""
        usual = super().defaults(level)
        return usual if self.simulator == NengoBackend.simulator else replace(usual, neurons=models.SpikingRelu.kind)

    def lower(self, graph: Graph, target: LoweringContext) -> NengoProgram:
        """Return the program of a graph.

        Raises:
            MissingExtraError: there is no Nengo.
            UsageError: there is no such simulator.
            LoweringError: Nengo lacks something.
        """
        try:
            import nengo  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(self.extra, error) from error
        from snnc_nengo.build import build
        from snnc_nengo.building import building
        from snnc_nengo.fuse import Network
        from snnc_nengo.program import NengoProgram
        from snnc_nengo.simulators import OtherProgram, find, path

        simulator = find(self.simulator)
        with building():
            built = build(graph, target, kind=Network)
        if path(simulator) == NengoBackend.simulator:
            return NengoProgram(graph, target, built)
        return OtherProgram(graph, target, built, simulator)
