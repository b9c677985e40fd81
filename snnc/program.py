"""A lowered graph as a program that runs, and where it is on its hardware."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnc.analysis.stored import StoredInput
from snnc.engine.read_out import ReadOut
from snnc.engine.recording import Recording
from snnc.engine.simulate import External, as_run, present
from snnc.errors import UsageError
from snnc.ir.graph import Graph
from snnc.ir.op import Op
from snnc.ir.types import Array
from snnc.lowering import LoweringContext


@dataclass(frozen=True)
class CoreUse:
    """A core of a chip, what is on it, and how full it is."""

    chip: int
    core: int
    layer: str
    """The node of the graph that is on it, or a part of that."""
    shares: Mapping[str, float]
    """By resource, how much of it is taken, 0 to 1."""


class Program:
    """A lowered graph that can run: in snnc's own engine, in numpy, unless a backend brings another ``run``."""

    network: Any = None
    """The ``nengo.Network``, where there is one."""

    def __init__(self, graph: Graph, target: LoweringContext) -> None:
        """Hold a graph as lowered, in which read-out activations pass their inputs on."""
        self.graph = graph
        self.target = target

    @property
    def shareable(self) -> bool:
        """Return whether several threads may run it at a time; ``Compiled`` lets one after another in otherwise.

        snnc's own engine keeps nothing from run to run; of a ``run`` that a backend brings nobody knows.
        """
        return type(self).run is Program.run and type(self).decode is Program.decode

    @property
    def network_map(self) -> Mapping[str, Any]:
        """Return the backend's object for each layer, by the layer's name."""
        return {}

    @property
    def resources(self) -> Mapping[str, int]:
        """Return the amounts of hardware that the program takes, such as cores, by name; nothing for a simulator."""
        return {}

    @property
    def core_map(self) -> tuple[CoreUse, ...]:
        """Return the use of each core of its hardware, in their order; nothing for a simulator."""
        return ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what hardware may refuse of it, or do otherwise than what stands in for it here; a line each."""
        return ()

    @property
    def stored_inputs(self) -> Mapping[str, StoredInput]:
        """Return how hardware computes the input of populations, by name, where its numbers are not the graph's."""
        return {}

    def pictures(self) -> Mapping[str, bytes]:
        """Return files, by name, that show where the program is on its hardware; none for a simulator."""
        return {}

    def using(self, engine: str) -> Program:
        """Return the program that runs on another of the backend's engines; ``"program"`` is this one."""
        if engine == "program":
            return self
        raise UsageError(f"this program runs on itself only, not on {engine!r}")

    def absorb(self, trained: Any) -> Mapping[str, Op]:
        """Return the ops that were trained outside, by their nodes' names; what ``trained`` is, the backend says."""
        raise UsageError("what this backend builds cannot be trained; nengo-dl can")

    def trace(
        self, inputs: Mapping[str, Array], steps: int, watch: Collection[str]
    ) -> tuple[Recording, dict[str, Array]]:
        """Show one sample, and return what it gave with the values of watched nodes in every step.

        Args:
            inputs: one sample, as for ``run``.
            steps: how many steps of ``dt`` it is shown.
            watch: nodes of the graph.

        Returns:
            The recording, and by node ``(steps, *shape)``.

        """
        found = {name: np.zeros((steps, *self.graph[name].type.shape), np.float32) for name in watch}

        def keep(name: str, t: int, value: Array) -> None:
            found[name][t] = value[0]

        return self._in_numpy(inputs, steps, watch, keep), found

    def _in_numpy(
        self,
        inputs: Mapping[str, Array],
        steps: int,
        watch: Collection[str],
        each_value: Callable[[str, int, Array], None] | None = None,
    ) -> Recording:
        """Present samples in snnc's own engine."""
        return self._simulate(as_run(self.graph, watch), inputs, steps, watch, each_value)

    def _simulate(
        self,
        graph: Graph,
        inputs: Mapping[str, Array],
        steps: int,
        watch: Collection[str],
        each_value: Callable[[str, int, Array], None] | None,
        external: External | None = None,
    ) -> Recording:
        """Present samples to a graph just as it is, with the settings of this program."""
        target = self.target
        return present(
            graph,
            inputs,
            steps,
            window=target.read_out.window(steps),
            dt=target.dt,
            seed=target.seed,
            watch=watch,
            external=external,
            each_value=each_value,
        )

    def run(
        self,
        inputs: Mapping[str, Array],
        steps: int,
        *,
        watch: Collection[str] = (),
        progress: bool = False,
        jobs: int | None = None,
    ) -> Recording:
        """Present each sample for a number of steps, every one from the same fresh state.

        Args:
            inputs: by input name, validated: float32 ``(batch, *shape)``, of a temporal graph
                ``(batch, steps, *shape)``. ``Compiled.run`` takes anything and checks it.
            steps: how many steps of ``dt`` each sample is shown; one a slice.
            watch: nodes of the graph whose values are wanted too.
            progress: show a progress bar.
            jobs: how many processes; None takes what pays. numpy's threads need none.

        """
        return self._in_numpy(inputs, steps, watch)

    def decode(
        self,
        inputs: Mapping[str, Array],
        steps: int,
        read_out: ReadOut,
        dt: float,
        *,
        progress: bool = False,
        jobs: int | None = None,
    ) -> dict[str, Array]:
        """Return the read-out of each output, ``(batch, *shape)`` by name.

        A backend that can do with less work than ``run`` where nobody asks for every step has its own.
        """
        outputs = self.run(inputs, steps, progress=progress, jobs=jobs).outputs
        return {name: read_out(y, dt) for name, y in outputs.items()}

    def export(self, folder: Path, graph: Graph) -> None:
        """Write the program into an empty folder in a form that runs without snnc.

        Args:
            folder: where to.
            graph: the graph with what is deferred to the read-out, which the program's own does not have.

        Raises:
            UsageError: there is no such form.
        """
        raise UsageError("this program has no form that runs without snnc")
