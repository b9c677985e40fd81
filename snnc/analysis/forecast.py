"""What counting neurons are going to give, without simulating them: thresholds and shifts, chosen layer by layer.

A neuron that may take spikes back (``signed-if``) has sent ``clip(round(z / unit), 0, levels)`` spikes at the end for
a mean input z, so that the network after its last step is the quantised model, whatever came in between.
Both are evaluated side by side here, node by node: each channel's range is the one of least error (Li et al. 2021; the
mean of its cube, as what is clipped does more harm than what is rounded), and each channel is shifted by what
quantisation changes in its mean, the layers before being quantised already. Where asked for, the weights are fitted to
the quantised inputs on the way (``analysis/reconstruct.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from snnc.analysis.read_tasks import ReadTasks, Scores, vector_scores
from snnc.analysis.reconstruct import reconstructed
from snnc.analysis.task import Task
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.ir.op import Op
from snnc.ir.types import AnyArray, Array
from snnc.neurons import Neurons
from snnc.ops.activations import Activation, Relu
from snnc.ops.read_out_activation import stepwise

ROWS = 2048
"""Values of a channel, at most, on which its range is chosen."""
ENOUGH = 256
"""Values of a channel from which on it gets a range of its own; a layer with fewer has one for all."""
SHARES = np.linspace(1.0, 0.1, 25)
"""Of the largest activation: the ranges that are tried."""
FLOOR = 0.05
"""The least range of a channel, as a share of its layer's."""


HEADROOM = 4
"""How many ranges a neuron may send that was given its range by made-up inputs: the model's own may reach further."""
SWEEPS = 4
"""After which the mean of what is counted is that of the activations, but for a few per cent of the difference."""
TINY = 1e-30
TIES = 0.1
"""A share of samples without a largest output from which on outputs are no choice among classes."""
FLIPS_A_POINT = 0.035
"""The share of samples whose class may change for each point of accuracy: most changes are between classes that are
both wrong, or go either way (measured on networks for Fashion-MNIST; docs/decisions/thresholds-by-forecast.md)."""
SURE = 0.01
"""The same where the model is always right: every change is a loss then."""
DOUBT = 0.1
"""One less the confidence from which on most changes are between classes that may both be wrong."""
ERROR_A_POINT = 0.16
"""The error of the outputs on made-up inputs that stands for a point of accuracy. Their classes say nothing: they
belong to none, so that the margins are narrow (docs/decisions/made-up-inputs.md)."""


@dataclass(frozen=True)
class Quantised:
    """How one population counts: ``clip(round(f(z + shift) / unit), least, most) * unit``."""

    unit: Array
    """The activation that a spike stands for after the last step, one number or one a channel."""
    shift: Array
    """By channel, in units of the activation; zero where f is no kind of ReLU."""
    most: int
    """Spikes of a neuron and sample."""
    of: Activation
    """The activation f."""

    def counts(self, z: Array) -> Array:
        """Return the spikes of each neuron, ``(batch, *shape)``."""
        y = self.of.evaluate(z + self.shift)
        return np.clip(np.floor(y / self.unit + np.float32(0.5)), -self.most, self.most)


@dataclass
class Forecast:
    """A quantised model, and how far it is from the model."""

    populations: dict[str, Quantised] = field(default_factory=dict)
    repaired: dict[str, Op] = field(default_factory=dict)
    """Linear ops by name, with weights fitted to quantised inputs."""
    error: float = math.inf
    """Of the worst output on samples that were not used to choose: root mean square, relative to its deviation."""
    flips: float = 1.0
    """The share of decisions that is expected to change, or what counts as much (``judged``), of the worst output."""
    a_point: float = FLIPS_A_POINT
    """The share of flips that stands for a point of accuracy."""
    by_error: bool = False
    """Whether the error says what is lost, as for samples that are made up, and not the changes of class."""
    counts: dict[str, AnyArray] = field(default_factory=dict)
    """The spikes of each neuron by population, ``(*shape)``: the mean over samples. Those that are sent and taken back
    are left out."""

    @property
    def drop(self) -> float:
        """Return the points of accuracy that are expected to be lost."""
        return self.error / ERROR_A_POINT if self.by_error else self.flips / self.a_point

    @property
    def spikes(self) -> float:
        """Return the spikes of a sample."""
        return float(sum(count.sum() for count in self.counts.values()))

    def synops(self, meets: Mapping[str, AnyArray]) -> float:
        """Return the additions of a sample, from the synapses behind each neuron (``fan_out``)."""
        return float(sum((count * meets[name]).sum() for name, count in self.counts.items()))


Visit = Callable[[Node[Neurons], Array, Array], Array]
"""From a population, what it reads in the quantised model and what it gives in the model: what it gives quantised."""
Repair = Callable[[Node, Array, Array], Op]
"""From another node of one input, that input in the quantised model and its output in the model: the op to use."""


def walk(
    graph: Graph, inputs: Mapping[str, Array], names: frozenset[str], visit: Visit, repair: Repair | None = None
) -> list[tuple[Array, Array]]:
    """Return each output of the quantised model, and the model's; values are dropped behind their last reader."""
    ends = list(graph.output_nodes.values())
    waiting = {node.name: len(graph.readers(node.name)) + (node.name in ends) for node in graph}
    ours, models = dict(inputs), dict(inputs)
    with np.errstate(all="ignore"):
        for node in graph:
            sources = graph.sources(node.name)
            if sources:
                models[node.name] = _evaluate(node.op, [models[s] for s in sources])
                if isinstance(node.op, Neurons) and node.name in names:
                    ours[node.name] = visit(node, ours[sources[0]], models[node.name])  # type: ignore[arg-type]
                else:
                    read = [ours[s] for s in sources]
                    if all(ours[s] is models[s] for s in sources):
                        ours[node.name] = models[node.name]
                    elif repair is None or len(read) > 1:
                        ours[node.name] = _evaluate(node.op, read)
                    else:
                        ours[node.name] = _evaluate(repair(node, read[0], models[node.name]), read)
            for source in sources:
                waiting[source] -= 1
                if not waiting[source]:
                    del ours[source], models[source]
    return [(ours[end], models[end]) for end in ends]


def _evaluate(op: Op, inputs: list[Array]) -> Array:
    return np.asarray(op.evaluate(*inputs), dtype=np.float32)


def forecast(
    graph: Graph,
    levels: Mapping[str, int],
    samples: Mapping[str, Array],
    held_back: Mapping[str, Array],
    steps: int = 1,
    *,
    repair: bool = False,
    ranges: Mapping[str, AnyArray] | None = None,
    tasks: Mapping[str, Task] | None = None,
) -> Forecast:
    """Return the quantised model of so many levels, chosen on samples and judged on those held back.

    Args:
        graph: with populations, before anything is scaled.
        levels: by population, the spikes of a neuron and sample that cover its range; others are taken to be exact.
        samples: inputs by name, ``(batch, *shape)``.
        held_back: others.
        steps: what a neuron may send is the same in each, so that it may be a little more than the levels.
        repair: fit the weights too.
        ranges: of the populations by name, for samples that are made up: then neither biases nor weights change, and
            the error says what is lost.
        tasks: what each output is for; by default a vector is scores of classes.
    """
    seen = ReadTasks(graph, tasks or {})
    graph = stepwise(graph)
    found = Forecast(by_error=ranges is not None)
    rng = np.random.default_rng(0)
    names = frozenset(levels)

    def choose(node: Node[Neurons], z: Array, wanted: Array) -> Array:
        most = -(-levels[node.name] // steps) * steps
        chosen = found.populations[node.name] = _chosen(z, wanted, levels[node.name], most, wrapped(node), rng)
        return chosen.counts(z) * chosen.unit

    def fit(node: Node, x: Array, wanted: Array) -> Op:
        op = reconstructed(node.op, x, wanted, rng)
        if op is not node.op:
            found.repaired[node.name] = op
        return op

    def count(node: Node[Neurons], z: Array, wanted: Array) -> Array:
        chosen = found.populations[node.name]
        counts = chosen.counts(z)
        found.counts[node.name] = np.abs(counts).mean(axis=0, dtype=np.float64)
        return counts * chosen.unit

    def compared(pairs: list[tuple[Array, Array]]) -> dict[str, tuple[Array, Array]]:
        ours, models = (seen.compared(dict(zip(graph.outputs, y, strict=True))) for y in zip(*pairs, strict=True))
        return {name: (ours[name], models[name]) for name in ours}

    fitted: dict[str, tuple[Array, Array]] = {}
    if ranges is None:
        fitted = compared(walk(graph, samples, names, choose, fit if repair else None))
    else:
        for name in names:
            unit = np.asarray(ranges[name] / levels[name], dtype=np.float32)
            shift = np.zeros(graph[name].type.shape[-1:], dtype=np.float32)
            most = HEADROOM * -(-levels[name] // steps) * steps
            found.populations[name] = Quantised(unit, shift, most, wrapped(graph[name]))
    run = walk(graph, held_back, names, count, lambda node, x, wanted: found.repaired.get(node.name, node.op))
    lost = []
    found.error = 0.0
    for name, (ours, models) in compared(run).items():
        scores = seen.scores(name)
        error, flips = judged(ours, models, fitted.get(name), scores)
        found.error = max(found.error, error)
        lost.append((flips, flips_a_point(FLIPS_A_POINT, scores(models))))
    found.flips, found.a_point = max(lost, key=lambda each: each[0] / each[1])
    return found


def wrapped(node: Node) -> Activation:
    """Return the activation that a population stands for."""
    assert isinstance(node.op, Neurons)
    return node.op.model.activation or Relu()


def _chosen(z: Array, wanted: Array, levels: int, most: int, of: Activation, rng: np.random.Generator) -> Quantised:
    """Return the range of least cubed error of each channel, and for a ReLU the shifts that keep the means."""
    channels = wanted.shape[-1]
    flat, targets = z.reshape(-1, channels), wanted.reshape(-1, channels)
    rows = rng.choice(len(targets), min(len(targets), ROWS), replace=False)
    some = targets[rows] if len(targets) >= ENOUGH else targets.reshape(-1, 1)
    some = np.abs(some)
    largest = some.max(axis=0)
    # a layer that is silent on these samples may not be so on others
    whole = float(np.abs(targets).max(initial=0.0)) or float(np.abs(flat).max(initial=0.0)) or 1.0
    largest = np.maximum(largest, FLOOR * whole) / np.float32(levels)
    best, chosen = np.full(largest.shape, np.inf), largest.copy()
    for share in SHARES:
        unit = largest * np.float32(share)
        off = np.abs(np.clip(np.floor(some / unit + np.float32(0.5)), 0, most) * unit - some)
        error = (off * off * off).mean(axis=0)
        chosen = np.where(error < best, unit, chosen)
        best = np.minimum(error, best)
    unit = chosen if len(chosen) > 1 or channels == 1 else chosen[0]
    found = Quantised(np.asarray(unit, dtype=np.float32), np.zeros(channels, dtype=np.float32), most, of)
    if not isinstance(of, Relu):
        return found  # what it changes in the mean, another constant would change elsewhere
    for _ in range(SWEEPS):
        missing = (targets - found.counts(flat) * found.unit).mean(axis=0, dtype=np.float64)
        found = replace(found, shift=found.shift + missing.astype(np.float32))
    return found


def flips_a_point(most: float, want: Array | None) -> float:
    """Return the share of decisions that may change for each point of accuracy.

    A model that is sure of its classes is right, mostly, as models tell by their probabilities how often they are
    (Guo et al. 2017): what changes is lost. One that is not changes one wrong class for another as often.

    Args:
        most: the share where the model is unsure.
        want: its scores ``(decisions, classes)``, logits; None where numbers are values.
    """
    if want is None:
        return most
    powers = np.exp(want.astype(np.float64) - want.max(axis=-1, keepdims=True))
    confidence = float(np.mean(1 / powers.sum(axis=-1)))
    return max(SURE, most * min(1.0, (1 - confidence) / DOUBT))


def judged(
    got: Array, want: Array, others: tuple[Array, Array] | None = None, scores: Scores = vector_scores
) -> tuple[float, float]:
    """Return (error, flips) of outputs ``(batch, ...)`` against the wanted ones, scores being what is decided by.

    The error is the root mean square relative to the deviation of what is wanted. Flips are the expected share of
    decisions, one a sample or several, with another arg-max if errors of that size fell at random: the mean over them
    of the probability that normal noise exceeds the margin between the two largest scores, which says more than
    counting few samples. The noise is a decision's own, mostly, as large outputs have large errors.

    ``others`` are outputs for samples that the network was fitted to, and what is wanted. Their margins say as much;
    their errors are too small, and taken as large as those of the others.

    What is no choice among classes loses a point of accuracy with each hundredth of its variance, and what may be one
    with a quarter of that at the most: numbers that lie close together are rarely classes.
    """
    difference = got.astype(np.float64) - want
    spread = float(np.std(want, dtype=np.float64)) or 1.0
    error = float(np.sqrt(np.mean(difference**2))) / spread
    if not math.isfinite(error):
        return math.inf, 1.0
    as_values = min(100 * FLIPS_A_POINT * error**2, 1.0)
    wanted = scores(want)
    if wanted is None or np.mean(_margins(wanted) == 0) > TIES:
        return error, as_values
    apart = _apart(scores(got), wanted)
    flips = _flips(apart, wanted)
    if others is not None:
        fitted, those = _apart(scores(others[0]), scores(others[1])), scores(others[1])
        assert those is not None
        size = math.sqrt(float(np.median(_noise(apart))) / max(float(np.median(_noise(fitted))), TINY))
        flips = np.concatenate([flips, _flips(fitted * size, those)])
    return error, min(float(np.mean(flips)), 4 * as_values)


def _apart(got: Array | None, want: Array | None) -> AnyArray:
    assert got is not None and want is not None
    return np.asarray(got.astype(np.float64) - want)


def _noise(difference: AnyArray) -> AnyArray:
    """Return the variance of what differs between the classes, by sample: of ``(batch, classes)``."""
    return np.asarray(np.var(difference, axis=-1, ddof=1))


def _flips(difference: AnyArray, want: Array) -> AnyArray:
    """Return the probability of another class by sample; none where the model itself has no largest output."""
    from scipy.special import erfc

    classes, own = want.shape[-1], _noise(difference)
    sigma = np.sqrt(((classes - 1) * own + np.median(own)) / classes)
    margin = _margins(want)
    return np.where(margin > 0, 0.5 * erfc(margin / (2 * np.maximum(sigma, TINY))), 0.0)


def _margins(want: Array) -> AnyArray:
    """Return by how much the largest output exceeds the next, by sample."""
    top = np.sort(want, axis=-1)[:, -2:].astype(np.float64)
    return np.asarray(top[:, 1] - top[:, 0])
