"""What a verification examines: graphs, program, samples, and what came of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snnc.backend import Tolerance
from snnc.engine.read_out import ReadOut
from snnc.engine.recording import Recording
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.passes.pipeline import JournalEntry
from snnc.program import Program
from snnc.samples import Samples


@dataclass(frozen=True)
class LayerError:
    """How far one layer is off, relative to its own values."""

    layer: str
    rewrite: float
    """Largest difference between imported and final graph in rate mode."""
    backend: float | None
    """Root mean squared difference between final graph and program, accumulated from the input on."""


@dataclass(frozen=True)
class Subject:
    """The graphs, the program, the samples and the recording that a check examines."""

    source: Graph
    """The graph as imported."""
    graph: Graph
    """The graph as lowered."""
    program: Program
    samples: Samples
    steps: int
    read_out: ReadOut
    """How the outputs of all steps become one answer."""
    dt: float
    """Seconds a step."""
    tolerance: Tolerance
    recording: Recording
    """What the program gave for the samples: the outputs of every step. What it gave of the layers is in ``layers``."""
    wanted: Mapping[str, Array]
    """What the graph as imported gives in rate mode, by output name."""
    rates: Mapping[str, Array]
    """What the graph as lowered gives in rate mode, by output name, without what is deferred to the read-out."""
    layers: tuple[LayerError, ...]
    journal: Sequence[JournalEntry] = ()
    keras: Mapping[str, Array] | None = None
    """What Keras itself gives for the samples, by output name."""
