"""The recording of a run: the outputs of every step, and means, totals and messages of watched nodes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from snnc.engine.batching import joined
from snnc.ir.graph import Graph
from snnc.ir.types import AnyArray


@dataclass(frozen=True)
class Recording:
    """The results of a run, of any engine. All arrays are in the model's own units, float32 once they are a batch's."""

    outputs: dict[str, AnyArray] = field(default_factory=dict)
    """By output name: ``(batch, steps, *shape)``."""
    means: dict[str, AnyArray] = field(default_factory=dict)
    """By watched node: ``(batch, *shape)``, the mean over the read-out's window."""
    totals: dict[str, AnyArray] = field(default_factory=dict)
    """By watched node: ``(batch, *shape)``, the sum of absolute values over all steps: spikes taken back count, too."""
    messages: dict[str, AnyArray] = field(default_factory=dict)
    """By watched node: ``(batch, *shape)``, the number of steps in which it gave other than zero."""

    @classmethod
    def zeros(
        cls, graph: Graph, batch: int, steps: int, watch: Collection[str] = (), *, outputs: bool = True
    ) -> Recording:
        """Return a recording to be filled, of all outputs of a graph, or of none, and of watched nodes."""

        def array(node: str, *leading: int) -> AnyArray:
            return np.zeros((*leading, *graph[node].type.shape), dtype=np.float32)

        return cls(
            {name: array(node, batch, steps) for name, node in graph.output_nodes.items() if outputs},
            *({name: array(name, batch) for name in watch} for _ in range(3)),
        )

    @classmethod
    def joined(cls, parts: Sequence[Recording]) -> Recording:
        """Return the recording of a batch from those of its parts, in order."""
        return cls(*(joined(tables) for tables in zip(*(part._tables for part in parts), strict=True)))

    def put(self, where: int | slice, part: Recording) -> None:
        """Write the recording of some samples, whose arrays may be flattened, to their place in the batch."""
        for mine, theirs in zip(self._tables, part._tables, strict=True):
            for name, values in theirs.items():
                mine[name][where] = values.reshape(mine[name][where].shape)

    def head(self, count: int) -> Recording:
        """Return the recording of the first samples."""
        return Recording(*({name: y[:count] for name, y in table.items()} for table in self._tables))

    @property
    def _tables(self) -> tuple[dict[str, AnyArray], ...]:
        return self.outputs, self.means, self.totals, self.messages
