"""The base class of passes, the stages, and the context of a compilation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, ClassVar, TypeAlias, TypeVar

from snnc.analysis.expected import Statistics
from snnc.analysis.task import Task
from snnc.engine.read_out import MeanReadOut, ReadOut
from snnc.engine.sweep import Sweep
from snnc.errors import UsageError, unknown
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.neurons import SYNAPSES, NeuronModel, Neurons, SynapseModel

V = TypeVar("V")
PerLayer: TypeAlias = V | Mapping[str, V] | None
"""One value for all layers, or values by layer name, with ``"*"`` for the layers that are not named."""
SAMPLES, NEURONS = 32, 3 << 20
"""The fewest samples that a sweep takes to see, and the neurons of all samples together."""


class Stage(IntEnum):
    """The stages in which passes run, in this order; each relies on the postconditions of those before."""

    CANONICALIZE = 1
    FUSE = 2
    SPIKE = 3
    SCALE = 4
    FILTER = 5
    CALIBRATE = 6
    TARGET = 7
    VERIFY = 8


@dataclass(frozen=True)
class Context:
    """The settings, samples and notes of a compilation, as passes see them."""

    backend: str = "nengo"
    chain: tuple[str, ...] = ("nengo",)
    """The backend and those that it extends."""
    neurons: Mapping[str, type[NeuronModel]] = field(default_factory=dict)
    """The registered neuron models by kind."""
    synapses: Mapping[str, type[SynapseModel]] = field(default_factory=lambda: {cls.kind: cls for cls in SYNAPSES})
    """The registered synapse models by kind."""
    samples: Mapping[str, Array] | None = None
    """Calibration inputs by name, validated, ``(batch, *shape)``; None where nothing measures."""
    held_back: Mapping[str, Array] | None = None
    """Samples that decide whether a measured pass is kept; no pass sees them."""
    made: bool = False
    """Whether the samples are made up: they are good for ranges, not for means or for classes."""
    known: Mapping[str, Statistics] = field(default_factory=dict)
    """What the model's batch normalisation says of tensors, by name (``analysis/expected.py``)."""
    model: Graph | None = None
    """The reference for calibration: the graph after the stage SPIKE, with ideal ReLU rates, or before a pass that
    approximates. None before that."""
    tasks: Mapping[str, Task] = field(default_factory=dict)
    """What each output of the model is for, by its name."""
    seed: int = 0
    dt: float = 0.001
    """Seconds a step."""
    steps: int = 30
    """The number of steps a sample is going to be shown."""
    steps_asked: int | None = None
    """The number that the user asked for, or that sequences have; None leaves it to a pass."""
    choices: dict[str, Any] = field(default_factory=dict)
    """What passes chose for the whole compilation: ``steps``, which later passes find in ``steps``."""
    read_out: ReadOut = field(default_factory=MeanReadOut)
    """How the outputs of all steps become one answer."""
    notes: list[str] = field(default_factory=list)
    """What the user should know about this compilation, a line each; passes append to it."""

    tell: Callable[[str], object] = field(default=lambda line: None, compare=False)
    """Called with a few words whenever a compilation comes to something else; for a bar."""

    @property
    def window(self) -> slice:
        """Return the steps over which passes measure means."""
        return self.read_out.window(self.steps)

    def sweep(self, graph: Graph, least: int = 0) -> Sweep:
        """Return what gives the means of populations over the window as the graph spikes for calibration samples.

        Of networks of many neurons few samples do, since many positions share a weight: those of small ones may need
        all that there are, and take no time.

        Args:
            graph: as it is whenever a mean is asked for.
            least: the samples that it takes however many neurons there are.
        """
        assert self.samples is not None
        neurons = sum(node.type.size for node in graph.nodes(Neurons) if node.op.model.spiking)
        most = max(least, SAMPLES, NEURONS // max(neurons, 1))
        inputs = {name: x[:most] for name, x in self.samples.items()}
        return Sweep(graph, inputs, self.steps, window=self.window, dt=self.dt, seed=self.seed)

    def note(self, line: str) -> None:
        """Tell the user something, once."""
        if line not in self.notes:
            self.notes.append(line)


@dataclass(frozen=True)
class Pass(ABC):
    """A rewrite of the graph with a name and a stage; the fields of the dataclass are its options."""

    name: ClassVar[str]
    stage: ClassVar[Stage]
    after: ClassVar[tuple[str, ...]] = ()
    """Passes of the same stage that must run first, if they run."""
    default: ClassVar[bool] = False
    """Whether the pass runs without being named."""
    level: ClassVar[int] = 0
    """The lowest level at which a default pass runs."""
    targets: ClassVar[tuple[str, ...]] = ()
    """The backends, or those they extend, for which it runs; empty for all."""
    exact: ClassVar[bool] = False
    """Whether rate-mode outputs never change."""
    needs_calibration: ClassVar[bool] = False
    """Whether it measures the graph on samples."""
    replaces: ClassVar[tuple[str, ...]] = ()
    """Default passes in whose place it stands: they do not run with it, unless they are named."""
    approximates: ClassVar[bool] = False
    """Whether it writes what the network computes in another way, so that calibration goes on aiming at the graph
    before it; of the stage SPIKE."""
    arguments: ClassVar[tuple[str, ...]] = ()
    """Which of the arguments ``neurons``, ``scale`` and ``synapse`` of ``compile`` are options of the pass, too."""
    measured: ClassVar[bool] = False
    """Whether it is kept only where the spiking network's error on samples held back gets smaller."""

    @abstractmethod
    def apply(self, graph: Graph, context: Context) -> None:
        """Change the graph through its mutators. It is valid before and after, not necessarily in between."""

    def postcondition(self, graph: Graph) -> Iterator[str]:
        """Yield a line for each node that this pass should have changed; checked when its stage is done and after."""
        yield from ()

    def options(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


class Choice(Mapping[str, Any]):
    """An option that may differ by layer: looked up by the keys that apply to a node, first match first."""

    def __init__(self, what: str, value: PerLayer[Any]) -> None:
        """Wrap one value, a mapping, or None (nothing chosen)."""
        self.what = what
        self._values = dict(value) if isinstance(value, Mapping) else {} if value is None else {"*": value}

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def named(self) -> tuple[str, ...]:
        """Return the keys that are not ``"*"``."""
        return tuple(key for key in self._values if key != "*")

    def key(self, *candidates: str) -> str | None:
        """Return the first candidate that was given, ``"*"`` last, or None."""
        return next((key for key in (*candidates, "*") if key in self._values), None)

    def require_known(self, known: Mapping[str, object] | set[str]) -> None:
        """Raise UsageError for a key that names nothing."""
        for key in self.named:
            if key not in known:
                raise UsageError(f"{self.what}: {unknown('layer', key, known)}")


def layer_keys(node_layers: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return the names by which a user may mean a node: its own, then the source layers it realises, last first."""
    return tuple(dict.fromkeys((name, *reversed(node_layers))))


__all__ = [
    "Choice",
    "Context",
    "NeuronModel",
    "Pass",
    "PerLayer",
    "Stage",
    "SynapseModel",
    "layer_keys",
]
