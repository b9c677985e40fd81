"""Hold what a file says against the network that it was exported from: neuron by neuron, spike count by spike count.

Both are run in numpy. Weights that were multiplied out and rounded once make other sums than those that were not, by
some 1e-7, which moves a spike where a voltage comes that near to the threshold. Such a tie is told from a mistake by
what arrived: the neuron is the same, and got the same up to the step in which it differs. What follows from one, in the
same sample, proves nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from snnc.analysis.errors import LargestError, rounded
from snnc.engine.simulate import simulate
from snnc.evaluation.verify import populations
from snnc.export import Network
from snnc.ir.graph import Graph
from snnc.ir.types import AnyArray, Array
from snnc.neurons import Neurons
from snnc.ops.read_out_activation import numbered_tail, read_values, stepwise
from snnc.samples import Samples

TIE = 1e-5
"""Of a spike: how much what arrived at a neuron may differ, relative to all that arrived if that is more."""
NEAR = 1e-3
"""Of the smallest spike: how near sums of spikes are that are the same."""
ELEMENTS = 1 << 25
"""Of all tensors in all steps, for the samples that are looked at together: 128 MB, and a few times that."""
OUTPUT = 1e-4
"""The largest difference of an output in any step, relative to its largest value."""


@dataclass(frozen=True)
class ExportedLayer:
    """A population in the file, beside the compiled one."""

    layer: str
    neurons: int
    """Over all samples."""
    spikes: float
    differing: int
    """Neurons that sent another number of spikes in all, ties apart."""
    ties: int
    """Neurons that spiked in other steps though the same arrived: at the threshold, but for rounding."""


@dataclass(frozen=True)
class ExportReport:
    """How close a file is to what it was exported from."""

    samples: int
    steps: int
    layers: tuple[ExportedLayer, ...]
    left_out: int
    """Samples in which a tie was found: what lies behind it in them is not compared."""
    output_error: float
    """The largest difference of an output in any step, relative to its largest value."""
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Return whether the file says the network."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return {**rounded(asdict(self)), "passed": self.passed}

    def __repr__(self) -> str:
        from snnc.evaluation.in_notebook import of_export

        return f"<ExportReport: {of_export(self)}>"

    def _repr_html_(self) -> str:
        from snnc.evaluation.in_notebook import exported

        return exported(self)


def compare_exported(compiled: Network, file: Network, samples: Samples, steps: int) -> ExportReport:
    """Return how close a network from a file is to the compiled one, over samples of which each stands for itself.

    Args:
        compiled: what was exported.
        file: what the file says.
        samples: checked inputs.
        steps: how many steps each is shown.
    """
    problems = _unlike(compiled, file)
    mine, theirs = stepwise(compiled.graph), stepwise(file.graph)
    layers: tuple[ExportedLayer, ...] = ()
    left_out, error = 0, 0.0
    if not any(fatal for _, fatal in problems):
        pair = _Pair(replace(compiled, graph=mine), replace(file, graph=theirs), steps)
        most = max(1, ELEMENTS // (steps * sum(node.type.size for node in mine)))
        for part in samples.parts(most):
            pair.add(part.inputs)
        layers = tuple(pair.layers.values())
        left_out, error = pair.left_out, max((e.value for e in pair.errors.values()), default=0.0)
    said = [text for text, _ in problems]
    wrong = [row for row in layers if row.differing]
    if wrong:
        first = wrong[0]
        said.append(
            f"layer {first.layer!r}: {first.differing:,} of {first.neurons:,} neurons send another number of spikes "
            "than the compiled network's, and no rounding explains it; export it again"
        )
    if not error <= OUTPUT:
        said.append(f"the outputs differ by {error:.2g} of the largest value; export it again")
    return ExportReport(len(samples), steps, layers, left_out, error, tuple(said), tuple(file.notes))


def _unlike(compiled: Network, file: Network) -> list[tuple[str, bool]]:
    """Return in what two networks differ that need not run for it, and whether they cannot be compared for it."""
    found: list[tuple[str, bool]] = []
    for what in ("dt", "steps", "seed", "read_out"):
        mine, theirs = getattr(compiled, what), getattr(file, what)
        if mine != theirs:
            found.append((f"{what} in the file is {theirs}, that of the compiled network {mine}", False))
    mine_graph, their_graph = stepwise(compiled.graph), stepwise(file.graph)
    for what, of_mine, of_theirs in (
        ("inputs", _types(mine_graph, mine_graph.inputs), _types(their_graph, their_graph.inputs)),
        ("outputs", _read(compiled.graph), _read(file.graph)),
        ("populations", _types(mine_graph, populations(mine_graph)), _types(their_graph, populations(their_graph))),
    ):
        if of_mine != of_theirs:
            names = sorted(
                name for name in of_mine.keys() | of_theirs.keys() if of_mine.get(name) != of_theirs.get(name)
            )
            found.append((f"the file has other {what} than the compiled network: {', '.join(map(repr, names))}", True))
    if not any(fatal for _, fatal in found):
        for name in populations(mine_graph):
            one, other = mine_graph[name].op, their_graph[name].op
            assert isinstance(one, Neurons) and isinstance(other, Neurons)
            if one.model != other.model:
                found.append((f"layer {name!r}: its neurons in the file are {other.model}, not {one.model}", False))
        if numbered_tail(compiled.graph) != numbered_tail(file.graph):
            found.append(("the file applies something else to what is read out", False))
    return found


def _types(graph: Graph, names: Sequence[str]) -> dict[str, Any]:
    return {name: graph[name].type.shape for name in names}


def _read(graph: Graph) -> dict[str, Any]:
    return {output: graph[node].type.shape for output, node in read_values(graph).items()}


class _Pair:
    """Two networks that are run on the same samples, part by part."""

    def __init__(self, mine: Network, theirs: Network, steps: int) -> None:
        self.steps = steps
        self.names = populations(mine.graph)
        self.models = {name: _neurons(mine.graph, name).model for name in self.names}
        self.comparable = {name: model == _neurons(theirs.graph, name).model for name, model in self.models.items()}
        self.layers = {name: ExportedLayer(name, 0, 0.0, 0, 0) for name in self.names}
        self.errors = {output: LargestError() for output in mine.graph.outputs}
        self.left_out = 0
        self.runs = [_Run(network, self.names, steps) for network in (mine, theirs)]

    def add(self, inputs: Mapping[str, Array]) -> None:
        """Take in some samples."""
        one, other = (run(inputs) for run in self.runs)
        batch = len(next(iter(inputs.values())))
        whole = np.ones(batch, dtype=bool)
        """Samples without a tie so far."""
        for name in self.names:
            differs = np.abs(one.sent[name] - other.sent[name]) > NEAR * self.models[name].smallest
            differs[~whole] = False
            ties = self._ties(name, one, other, differs) if differs.any() else np.zeros_like(differs[:, 0])
            counts = [np.abs(run.sent[name]).sum(axis=1) for run in (one, other)]
            others = np.abs(counts[0] - counts[1]) > NEAR * self.models[name].smallest
            row = self.layers[name]
            self.layers[name] = ExportedLayer(
                name,
                row.neurons + ties.size,
                row.spikes + float(counts[0].sum(dtype=np.float64)),
                row.differing + int((others & whole.reshape(-1, *(1,) * (ties.ndim - 1)) & ~ties).sum()),
                row.ties + int(ties.sum()),
            )
            whole &= ~ties.reshape(batch, -1).any(axis=1)
        self.left_out += batch - int(whole.sum())
        for output, error in self.errors.items():
            if whole.any():
                error.add(other.outputs[output][whole], one.outputs[output][whole])

    def _ties(self, name: str, one: _Steps, other: _Steps, differs: AnyArray) -> AnyArray:
        """Return the neurons, ``(batch, *shape)``, that differ though the same arrived, up to the first such step."""
        mine, theirs = (np.cumsum(run.arrived[name], axis=1, dtype=np.float64) for run in (one, other))
        until = np.cumsum(differs, axis=1) - differs == 0
        alike = np.abs(mine - theirs) <= TIE * np.maximum(1, np.abs(mine))
        return np.asarray(differs.any(axis=1) & (alike | ~until).all(axis=1) & self.comparable[name])


@dataclass(frozen=True)
class _Steps:
    """What a network gave in every step, ``(batch, steps, *shape)``: of populations in spikes."""

    arrived: Mapping[str, AnyArray]
    sent: Mapping[str, AnyArray]
    outputs: Mapping[str, AnyArray]


class _Run:
    """A network that is asked for what arrives at its populations, and what they send."""

    def __init__(self, network: Network, names: Sequence[str], steps: int) -> None:
        self.network, self.names, self.steps = network, names, steps
        self.graph = network.graph.copy()
        sources = {name: self.graph.sources(name)[0] for name in names}
        asked = {f"{what} {name}": node for name in names for what, node in (("to", sources[name]), ("of", name))}
        self.graph.set_outputs({**{f"out {k}": v for k, v in self.graph.output_nodes.items()}, **asked})

    def __call__(self, inputs: Mapping[str, Array]) -> _Steps:
        window = slice(0, self.steps)
        network = self.network
        got = simulate(self.graph, inputs, self.steps, window=window, dt=network.dt, seed=network.seed).outputs
        a_spike = {name: np.float32(np.asarray(_neurons(self.graph, name).scale) / network.dt) for name in self.names}
        arrived, sent = ({name: got[f"{what} {name}"] / a_spike[name] for name in self.names} for what in ("to", "of"))
        outputs = {name.removeprefix("out "): y for name, y in got.items() if name.startswith("out ")}
        return _Steps(arrived, sent, outputs)


def _neurons(graph: Graph, name: str) -> Neurons:
    op = graph[name].op
    assert isinstance(op, Neurons)
    return op
