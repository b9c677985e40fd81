"""The reference backend: Nengo's own simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from snnc.api import Backend, Graph, LoweringContext, MissingExtraError

if TYPE_CHECKING:
    from snnc_nengo.program import NengoProgram


class NengoBackend(Backend):
    """Builds a ``nengo.Network`` that runs in ``nengo.Simulator`` as it is."""

    name: ClassVar[str] = "nengo"
    core_on_host: ClassVar[bool] = True
    extra: ClassVar[str] = "nengo"
    temporal: ClassVar[bool] = True
    passes: ClassVar[tuple[str, ...]] = ()
    reads_scale: ClassVar[bool] = True

    def lower(self, graph: Graph, target: LoweringContext) -> NengoProgram:
        """Return the program of a graph; raise MissingExtraError without Nengo, LoweringError for what it lacks."""
        try:
            import nengo  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(self.extra, error) from error
        from snnc_nengo.build import build
        from snnc_nengo.building import building
        from snnc_nengo.fuse import Network
        from snnc_nengo.program import NengoProgram

        with building():
            return NengoProgram(graph, target, build(graph, target, kind=Network))
