"""A network that runs in Nengo's reference simulator."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import nengo

from snnc.api import (
    Array,
    Graph,
    LoweringContext,
    LoweringError,
    Neurons,
    Program,
    Recording,
    UsageError,
    progress_bar,
)
from snnc_nengo.build import Built
from snnc_nengo.parallel import show_all
from snnc_nengo.simulate import Job, Simulation


class NengoProgram(Program):
    """A ``nengo.Network`` of native objects, and how to run it."""

    def __init__(self, graph: Graph, target: LoweringContext, built: Built) -> None:
        """Hold a built network."""
        super().__init__(graph, target)
        self.network = built.network
        self.built = built
        self._key = uuid4().hex
        self._simulation: Simulation | None = None

    @property
    def network_map(self) -> Mapping[str, Any]:
        """Return the Node or Neurons of each layer and of each node of the graph, by name.

        What became part of a connection gives the object at the connection's end. A Neurons object is that of an
        ensemble: ``.ensemble``.
        """
        return MappingProxyType(dict(self.built.objects))

    @property
    def bits(self) -> int:
        """Return the precision of ``run``: 32 for spikes, which is twice as fast, and 64 for rates."""
        return 32 if any(isinstance(n.op, Neurons) and n.op.model.spiking for n in self.graph) else 64

    def run(
        self,
        inputs: Mapping[str, Array],
        steps: int,
        *,
        watch: Collection[str] = (),
        progress: bool = False,
        jobs: int | None = None,
    ) -> Recording:
        if jobs is not None and jobs < 1:
            raise UsageError(f"jobs must be at least 1, not {jobs}")
        batch = len(next(iter(inputs.values())))
        rows = {name: x.reshape(batch, -1, self.graph[name].type.size) for name, x in inputs.items()}
        samples = [{name: x[i] for name, x in rows.items()} for i in range(batch)]
        names = tuple(dict.fromkeys(watch))
        self.require_readable(names)
        recording = Recording.zeros(self.graph, batch, steps, names)
        with progress_bar(shown=progress) as bar:
            task = bar.add_task("Nengo", total=batch)
            try:
                for i, shown in enumerate(self.shown(samples, steps, names, jobs)):
                    recording.put(i, shown)
                    bar.advance(task)
            except (nengo.exceptions.NengoException, FloatingPointError) as error:
                reason = " ".join(str(error).split())
                raise LoweringError(f"Nengo cannot run {self.graph.name!r}: {reason}; look at its weights") from error
        return recording

    def shown(
        self, samples: Sequence[Mapping[str, Array]], steps: int, watch: Collection[str], jobs: int | None
    ) -> Iterator[Recording]:
        """Yield what each sample gives, in order: its inputs are flattened, a row a step or one for all."""
        job = self._job(watch)
        if self._simulation is None:
            self._simulation = Simulation(job)
        yield from show_all(self._simulation, job, samples, steps, jobs)

    def require_readable(self, watch: Collection[str]) -> None:
        """Raise UsageError naming a node whose value cannot be watched."""
        for name in watch:
            if name not in self.built.readings:
                hint = "it is part of a connection" if name in self.graph else "the graph has no such node"
                raise UsageError(f"cannot watch {name!r}: {hint}; watch {', '.join(self.built.readings)}")

    def _job(self, watch: Collection[str]) -> Job:
        return Job(
            key=self._key,
            network=self.network,
            dt=self.target.dt,
            seed=self.target.seed,
            read_out=self.target.read_out,
            bits=self.bits,
            inputs=self.built.inputs,
            probes=self.built.probes,
            watch={name: self.built.readings[name] for name in watch},
        )
