"""The TensorFlow backend: the graph as one function with the loop over time inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from snnc.api import Backend, Graph, LoweringContext, MissingExtraError

if TYPE_CHECKING:
    from snnc_tensorflow.program import TensorflowProgram


@dataclass(frozen=True)
class TensorflowBackend(Backend):
    """Builds a function that any TensorFlow from 2.12 on runs, over batches, and that can be exported."""

    name: ClassVar[str] = "tensorflow"
    extra: ClassVar[str] = "tensorflow"
    temporal: ClassVar[bool] = True
    passes: ClassVar[tuple[str, ...]] = ()
    reads_scale: ClassVar[bool] = True
    engines: ClassVar[tuple[str, ...]] = ("program", "numpy")
    exported: ClassVar[tuple[str, str]] = ("saved_model.pb", "a SavedModel")

    def lower(self, graph: Graph, target: LoweringContext) -> TensorflowProgram:
        """Return the program of a graph; raise MissingExtraError without TensorFlow, UnsupportedOpError for ops."""
        try:
            import tensorflow  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(self.extra, error) from error
        from snnc_tensorflow.program import TensorflowProgram

        return TensorflowProgram(graph, target)
