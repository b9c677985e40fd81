"""Other simulators of Nengo's networks, by the name under which their distributions installed them.

A simulator announces itself by an entry point of the group ``nengo.backends``, as Nengo's own, NengoOCL and NengoDL do.
Only these are imported, and only when something runs: what an artifact names is looked up among them, so that no file
makes snnc import another module.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import nengo
import numpy as np
from nengo.dists import Choice

from snnc.api import AnyArray, Array, Graph, LoweringContext, LoweringError, Node, Recording, UsageError
from snnc_nengo.build import Built, NetworkBuilder, build
from snnc_nengo.building import building
from snnc_nengo.fuse import Network
from snnc_nengo.host import HostProcess
from snnc_nengo.neuron_types import ModelSynapse
from snnc_nengo.program import NengoProgram

GROUP = "nengo.backends"


def find(name: str) -> EntryPoint:
    """Return the entry point of a simulator: ``ocl``, ``nengo_ocl`` or ``nengo_ocl.Simulator``; nothing is imported.

    Raises:
        UsageError: no installed distribution has such a simulator.
    """
    points = {path(point): point for point in entry_points(group=GROUP)}
    for full, point in points.items():
        if name in (point.name, point.module, full):
            return point
    raise UsageError(
        f"no simulator {name!r} is installed: there is {', '.join(sorted(points))}; install its package, or give yours "
        f"an entry point of the group {GROUP!r}"
    )


def path(point: EntryPoint) -> str:
    """Return ``module.Class`` of an entry point."""
    return f"{point.module}.{point.attr}"


class OtherProgram(NengoProgram):
    """A network in a simulator of somebody else's; ``network`` is as for Nengo's own."""

    def __init__(self, graph: Graph, target: LoweringContext, built: Built, simulator: EntryPoint) -> None:
        """Hold a built network; the simulator is imported when it runs."""
        super().__init__(graph, target, built)
        self._simulator = simulator
        self._other: tuple[tuple[str, ...], OtherSimulation] | None = None

    def shown(
        self, samples: Sequence[Mapping[str, Array]], steps: int, watch: Collection[str], jobs: int | None
    ) -> Iterator[Recording]:
        """Yield what each sample gives, in this process."""
        names = tuple(watch)
        if self._other is None or self._other[0] != names:
            self._other = (names, OtherSimulation(self._simulator, self.graph, self.target, self.bits, names))
        for sample in samples:
            yield self._other[1].show(sample, steps)


class OtherSimulation:
    """A network of its own, with inputs that can be set and probes of what is watched, in a simulator."""

    def __init__(
        self, simulator: EntryPoint, graph: Graph, target: LoweringContext, bits: int, watch: Collection[str]
    ) -> None:
        """Import the simulator and build; raise LoweringError where it cannot, naming the layers that it lacks."""
        self._name, self._graph, self._target, self._bits = path(simulator), graph, target, bits
        with self._guest():
            self._kind = simulator.load()
        self._rows: dict[str, AnyArray] = {}
        with building():
            self._built = build(graph, target, self._builder, kind=Network)
            self._network = self._built.network
            with self._network:
                self._watched = {name: nengo.Probe(self._built.readings[name].obj) for name in watch}
        # what processes remember, not every simulator resets
        parts = (*self._network.all_nodes, *self._network.all_connections)
        self._again = any(
            isinstance(part.output if isinstance(part, nengo.Node) else part.synapse, (HostProcess, ModelSynapse))
            for part in parts
        )
        self._sim: Any = None

    def show(self, inputs: Mapping[str, Array], steps: int) -> Recording:
        """Present one sample for a number of steps from the fresh state, as ``Simulation.show`` does."""
        self._rows.update(inputs)
        with self._guest():
            if self._sim is None or self._again:
                self._sim = self._simulator()
            else:
                self._sim.reset()
            self._sim.run_steps(steps, progress_bar=False)
            data = {p: np.array(self._sim.data[p]).reshape(steps, -1) for p in self._network.all_probes}
        outputs = {name: data[probe] for name, probe in self._built.probes.items()}
        means, totals, messages, window = {}, {}, {}, self._target.read_out.window(steps)
        for name, probe in self._watched.items():
            reading = self._built.readings[name]
            values = data[probe] * np.ravel(reading.scale) + reading.constant.ravel()
            means[name] = values[window].mean(axis=0)
            totals[name] = np.abs(values).sum(axis=0)
            messages[name] = np.count_nonzero(values, axis=0)
        return Recording(outputs, means, totals, messages)

    def _builder(self, graph: Graph, target: LoweringContext, network: Any) -> NetworkBuilder:
        return _Shown(graph, target, network, rows=self._rows)

    def _simulator(self) -> Any:
        """Return the simulator of the network, with its state before the first step; it closes with this object."""
        try:
            sim = self._made(self._network, dt=self._target.dt, seed=self._target.seed)
        except Exception:
            self._require_neurons()
            raise
        weakref.finalize(self, sim.close)
        return sim

    def _made(self, network: Any, **options: Any) -> Any:
        with building(self._bits):
            return self._kind(network, progress_bar=False, **options)

    def _require_neurons(self) -> None:
        """Raise LoweringError naming the layers whose neurons alone it cannot build, while it can build LIF."""
        ensembles = {_kind(e.neuron_type): e for e in self._network.all_ensembles}
        reasons = {kind: self._failure(e, e.neuron_type) for kind, e in ensembles.items()}
        lacking = [e for e in self._network.all_ensembles if reasons[_kind(e.neuron_type)]]
        if lacking and not self._failure(lacking[0], nengo.LIF()):
            reason = reasons[_kind(lacking[0].neuron_type)]
            raise LoweringError(
                f"{self._name} lacks the neurons of layer {', '.join(repr(e.label) for e in lacking)}: {reason}; use "
                "--neurons spiking-relu, or simulator=nengo.Simulator"
            )

    def _failure(self, ensemble: Any, neuron_type: Any) -> str:
        """Return how the simulator fails that is given a population by itself; empty where it does not."""
        fields = {name: getattr(ensemble, name) for name in ("n_neurons", "gain", "bias", "seed")}
        with nengo.Network(seed=0) as alone:
            one = {"encoders": Choice([[1.0]]), "eval_points": Choice([[0.0]]), "n_eval_points": 1}
            nengo.Ensemble(dimensions=1, neuron_type=neuron_type, **one, **fields)
        try:
            self._made(alone).close()
        except Exception as error:  # anything
            return _said(error)
        return ""

    @contextmanager
    def _guest(self) -> Iterator[None]:
        """Say in one line what other people's code raises, which may be anything; what it prints goes to stderr."""
        try:
            with redirect_stdout(sys.stderr):
                yield
        except LoweringError:
            raise
        except Exception as error:
            raise LoweringError(
                f"{self._name} cannot run {self._graph.name!r}: {_said(error)}; change what it names, or use "
                "simulator=nengo.Simulator"
            ) from error


class _Shown(NetworkBuilder):
    """Makes a network whose inputs can be set after a simulator has built it."""

    def __init__(self, graph: Graph, target: LoweringContext, network: Any, rows: Mapping[str, AnyArray]) -> None:
        """Take the rows to play, by the input's name: one for each step, or one for all."""
        super().__init__(graph, target, network)
        self.rows = rows

    def input(self, node: Node) -> Any:
        played = _Played(self.rows, node.name, self.target.dt)
        return nengo.Node(played, size_in=0, size_out=node.type.size, label=node.name)


class _Played:
    """The function of a node that plays an input; a class, so that no simulator translates it into its language."""

    def __init__(self, rows: Mapping[str, AnyArray], name: str, dt: float) -> None:
        self.rows, self.name, self.dt = rows, name, dt

    def __call__(self, t: float) -> AnyArray:
        rows = self.rows[self.name]
        return rows[min(max(round(float(t) / self.dt) - 1, 0), len(rows) - 1)]


def _kind(neuron_type: Any) -> Any:
    return type(neuron_type), getattr(neuron_type, "model", None)


def _said(error: Exception) -> str:
    """Return an error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
