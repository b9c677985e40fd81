"""Read what ``snnc export --format pynn`` wrote, and build it with any module of PyNN's, or with Brian2 alone.

This file needs numpy alone, so that it can be copied to where the simulator is: snnc is not imported::

    import pyNN.brian2 as sim

    from network import load

    running = load("net.npz").build(sim)
    counts, outputs = running.show(image)

A threshold is 1 (mV) above rest, and a spike takes 1 off. In a step snnc's layers act one after another; here a spike
needs time: layer ``depth`` does its step ``t`` at ``t + depth * hop``, its bias starts then, and connections that skip
layers wait. So every layer gets what it gets in snnc, later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FORMAT, VERSION = "snnc-pynn", 1
LEAK = 2.0**24
"""Steps in which a membrane loses what it holds: cells of PyNN's leak, these hardly."""
LATE = {"pyNN.brian2": 1}
"""By module: steps that a spike takes beside its delay, as found by trying; elsewhere none is assumed."""


class FormatError(ValueError):
    """A file that is none of these, or damaged."""


@dataclass(frozen=True)
class Population:
    """Integrate-and-fire neurons with a threshold of 1 that is subtracted when they fire."""

    name: str
    shape: tuple[int, ...]
    """As in snnc, channels last; neurons are numbered as they lie in memory."""
    depth: int
    """The most populations that there are on a way to it."""
    initial: float
    """The voltage before the first step."""
    bias: Any
    """What it gets in every step, by neuron."""

    @property
    def size(self) -> int:
        """Return the number of neurons."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Connections:
    """A list of weights from an input or a population to a population or an output."""

    source: str
    target: str
    pre: Any
    post: Any
    weight: Any

    def apply(self, x: Any, size: int) -> Any:
        """Return what arrives at the target's elements for values of the source's."""
        return np.bincount(self.post, self.weight * x[self.pre], size)


@dataclass(frozen=True)
class Network:
    """What a file says."""

    name: str
    dt: float
    """Seconds a step."""
    steps: int
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    populations: Mapping[str, Population]
    lists: tuple[Connections, ...]
    """Between inputs and populations."""
    read: tuple[Connections, ...]
    """From inputs and populations to outputs."""
    biases: Mapping[str, Any]
    """By output."""
    read_out: Any
    """The weight of each step in the answer."""

    def build(self, sim: Any, cell: Any = None, parameters: Mapping[str, Any] | None = None, **setup: Any) -> Running:
        """Build it with a module of PyNN's, such as ``pyNN.brian2`` or ``pyNN.spiNNaker``.

        Args:
            sim: the module; its ``setup`` is called.
            cell: a class of cells like ``IF_curr_delta``. By default that of ``cell_of``.
            parameters: of the cells, where others are wanted, such as ``tau_m`` in ms.
            setup: further arguments of ``sim.setup``.
        """
        return PynnRunning(self, sim, cell or cell_of(sim), parameters or {}, setup)

    def build_brian2(self) -> Running:
        """Build it with Brian2 alone: exact, and without PyNN's loops over single connections."""
        return Brian2Running(self)

    def currents(self, inputs: Any) -> dict[str, Any]:
        """Return what each population gets in every step besides spikes, by neuron."""
        x = self.flat(inputs)
        currents = {p.name: p.bias.astype(np.float64) for p in self.populations.values()}
        for given in self.lists:
            if given.source in x:
                currents[given.target] += given.apply(x[given.source], currents[given.target].size)
        return currents

    def flat(self, inputs: Any) -> dict[str, Any]:
        """Return one sample, an array or arrays by name, flattened."""
        given = inputs if isinstance(inputs, Mapping) else dict.fromkeys(self.inputs, inputs)
        x = {name: np.asarray(given[name], dtype=np.float64) for name in self.inputs}
        for name, shape in self.inputs.items():
            if x[name].shape != tuple(shape):
                raise ValueError(f"input {name!r} has the shape {x[name].shape}, not {tuple(shape)}: give one sample")
        return {name: values.ravel() for name, values in x.items()}


@dataclass
class Running:
    """A network that was built: ``show`` it samples, one by one."""

    network: Network
    hop: int = 1
    """Steps that a spike takes from layer to layer."""

    def show(self, inputs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the number of spikes by population, and the answer by output, for one sample.

        Args:
            inputs: an array of the only input's shape, or arrays by name.
        """
        network, counts = self.network, {}
        spikes = self.run(network.currents(inputs))
        total = network.read_out.sum()
        means = {name: x * total for name, x in network.flat(inputs).items()}
        for p in network.populations.values():
            steps, neurons = spikes[p.name]
            steps = np.asarray(steps) - self.start(p)
            kept = (steps >= 0) & (steps < network.steps)
            steps, neurons = steps[kept], np.asarray(neurons)[kept]
            counts[p.name] = np.bincount(neurons, minlength=p.size).reshape(p.shape)
            means[p.name] = np.bincount(neurons, network.read_out[steps], p.size)
        outputs = {name: network.biases[name] * total for name in network.outputs}
        for read in network.read:
            outputs[read.target] = outputs[read.target] + read.apply(means[read.source], outputs[read.target].size)
        return counts, {name: y.reshape(network.outputs[name]) for name, y in outputs.items()}

    def start(self, population: Population) -> int:
        """Return the step in which a population does its first."""
        return population.depth * self.hop

    @property
    def total(self) -> int:
        """Return how many steps there are until the deepest population has done all of its own."""
        return self.network.steps + max((self.start(p) for p in self.network.populations.values()), default=0)

    def delay(self, given: Connections) -> int:
        """Return how many steps a list's spikes travel."""
        there = self.network.populations
        return (there[given.target].depth - there[given.source].depth) * self.hop

    def between(self) -> list[Connections]:
        """Return the lists from populations to populations."""
        return [given for given in self.network.lists if given.source in self.network.populations]

    def run(self, currents: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Run from the fresh state; return steps and neurons of the spikes of each population."""
        raise NotImplementedError


def cell_of(sim: Any) -> Any:
    """Return cells for a module of PyNN's: such as subtract the threshold, with Brian2; else ``IF_curr_delta``.

    PyNN has no standard cell that keeps what is above the threshold; ``IF_curr_delta`` loses it at every spike.
    """
    if sim.__name__ != "pyNN.brian2":
        return sim.IF_curr_delta
    import brian2
    from pyNN.brian2.cells import BaseNeuronGroup

    class Subtracting(BaseNeuronGroup):  # type: ignore[misc]
        def __init__(self, n: int, equations: Any, tau_refrac: Any = None, **parameters: Any) -> None:
            # with any refractory period, Brian2 drops what arrives in the very step in which a neuron fires
            super().__init__(n, equations, "v >= v_thresh", reset="v -= v_thresh - v_reset", **parameters)

    class IF_curr_delta_subtracting(sim.IF_curr_delta):  # type: ignore[misc]
        """``IF_curr_delta`` that takes the distance from reset to threshold off when it fires, and fires every step."""

        eqs = brian2.Equations(
            "dv/dt = (v_rest - v) / tau_m + (i_offset + i_inj) / c_m : volt\n"
            "v_rest : volt\nv_thresh : volt\nv_reset : volt\ntau_m : second\nc_m : farad\ni_offset : amp\ni_inj : amp"
        )
        brian2_model = Subtracting

    return IF_curr_delta_subtracting


@dataclass
class PynnRunning(Running):
    """Populations and projections of PyNN's."""

    sim: Any = None
    populations: dict[str, Any] = field(default_factory=dict)
    projections: list[Any] = field(default_factory=list)

    def __init__(
        self, network: Network, sim: Any, cell: Any, parameters: Mapping[str, Any], setup: Mapping[str, Any]
    ) -> None:
        """Make them."""
        more = LATE.get(sim.__name__, 0)
        super().__init__(network, hop=1 + more)
        self.sim, self.step, self._used = sim, network.dt * 1000, False
        longest = max((self.delay(given) for given in self.between()), default=1)
        sim.setup(**{"timestep": self.step, "min_delay": self.step, "max_delay": longest * self.step, **setup})
        fields = {"v_rest": 0.0, "v_reset": 0.0, "v_thresh": 1.0, "tau_refrac": 0.0, "cm": 1.0}
        fields = {**fields, "tau_m": LEAK * self.step, **parameters}
        self.populations, self.projections = {}, []
        for p in network.populations.values():
            made = sim.Population(p.size, cell(**fields, i_offset=0.0), label=p.name)
            made.record("spikes")
            self.populations[p.name] = made
        for given in self.between():
            for sign, receptor in ((1, "excitatory"), (-1, "inhibitory")):
                mine = given.weight * sign > 0
                if mine.any():
                    late = np.full(int(mine.sum()), (self.delay(given) - more) * self.step)
                    rows = np.column_stack([given.pre[mine], given.post[mine], given.weight[mine], late])
                    connector = sim.FromListConnector(rows, column_names=["weight", "delay"])
                    ends = (self.populations[given.source], self.populations[given.target])
                    made = sim.Projection(*ends, connector, sim.StaticSynapse(), receptor_type=receptor)
                    self.projections.append(made)

    def run(self, currents: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        sim, there = self.sim, self.network.populations
        if self._used:
            sim.reset()
        self._used = True
        for p in there.values():
            self.populations[p.name].set(i_offset=0.0)
            self.populations[p.name].initialize(v=p.initial)
        done = 0
        for start in sorted({self.start(p) for p in there.values()}):
            if start > done:
                sim.run((start - done) * self.step)
                done = start
            for p in there.values():
                if self.start(p) == start:
                    self.populations[p.name].set(i_offset=currents[p.name] / self.step)
        sim.run((self.total - done) * self.step)
        return {name: self._spikes(made) for name, made in self.populations.items()}

    def _spikes(self, made: Any) -> tuple[Any, Any]:
        trains = made.get_data("spikes").segments[-1].spiketrains
        steps = [np.rint(np.asarray(train.rescale("ms")) / self.step).astype(int) for train in trains]
        neurons = [np.full(len(s), int(t.annotations["source_index"])) for s, t in zip(steps, trains, strict=True)]
        none = [np.zeros(0, dtype=int)]
        return np.concatenate(none + steps), np.concatenate(none + neurons)


class Brian2Running(Running):
    """Neurons and synapses of Brian2's; a spike without delay arrives before the next step."""

    def __init__(self, network: Network) -> None:
        """Make them."""
        import brian2

        super().__init__(network)
        self.step = network.dt * brian2.second
        self.groups, self.monitors = {}, {}
        parts = []
        for k, p in enumerate(network.populations.values()):
            group = brian2.NeuronGroup(
                p.size, "v : 1\nbias : 1", threshold="v >= 1", reset="v -= 1", dt=self.step, name=f"population_{k}"
            )
            group.v = p.initial
            parts.append(group.run_regularly(f"v += bias * int(t / dt > {self.start(p)} - 0.5)", dt=self.step))
            self.groups[p.name], self.monitors[p.name] = group, brian2.SpikeMonitor(group)
        for k, given in enumerate(self.between()):
            ends = (self.groups[given.source], self.groups[given.target])
            made = brian2.Synapses(*ends, "w : 1", on_pre="v_post += w", dt=self.step, name=f"list_{k}")
            made.connect(i=given.pre, j=given.post)
            made.w = given.weight
            made.delay = (self.delay(given) - 1) * self.step
            parts.append(made)
        self.net = brian2.Network(*parts, *self.groups.values(), *self.monitors.values())
        self.net.store()

    def run(self, currents: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        self.net.restore()
        for name, group in self.groups.items():
            group.bias = currents[name]
        self.net.run(self.total * self.step, namespace={})
        return {
            name: (np.rint(np.asarray(monitor.t / self.step)).astype(int), np.asarray(monitor.i))
            for name, monitor in self.monitors.items()
        }


def load(path: Any) -> Network:
    """Return what a file says; raise FormatError where it is none of these, or damaged."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file makes numpy raise anything
        raise FormatError(f"{path}: is no file of snnc export --format pynn: {error}") from error
    return parse(arrays, path)


def parse(arrays: Mapping[str, Any], path: Any) -> Network:
    """Return what the arrays of a file say; raise FormatError where they are none of these, or damaged."""
    try:
        about = json.loads(str(arrays["about"]))
        if (about["format"], about["version"]) != (FORMAT, VERSION):
            raise FormatError(f"has the format {about['format']!r} of version {about['version']!r}")
        return _network(about, arrays)
    except Exception as error:  # so does what is below
        raise FormatError(f"{path}: is no file of snnc export --format pynn: {error}") from error


def looks_like(path: Any) -> bool:
    """Return whether a file begins as these do: an archive with ``about`` first."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(39)
    except OSError:
        return False
    return head[:4] == b"PK\3\4" and head[30:] == b"about.npy"


def _network(about: Any, arrays: Mapping[str, Any]) -> Network:
    shapes = {kind: {str(n): tuple(map(int, s)) for n, s in about[kind].items()} for kind in ("inputs", "outputs")}
    populations = {}
    for number, (name, said) in enumerate(about["populations"].items()):
        shape = tuple(map(int, said["shape"]))
        bias = _array(arrays, f"population/{number}", int(np.prod(shape)))
        populations[name] = Population(name, shape, int(said["depth"]), float(said["initial"]), bias)
    sizes = {**shapes["inputs"], **{p.name: p.shape for p in populations.values()}}
    lists: dict[str, list[Connections]] = {"population": [], "output": []}
    for k, said in enumerate(about["lists"]):
        source, target, kind = said["source"], said["target"], said["kind"]
        wanted = shapes["outputs"] if kind == "output" else {p.name: p.shape for p in populations.values()}
        weight = arrays[f"{k}/weight"]
        pre, post = (_array(arrays, f"{k}/{end}", weight.size) for end in ("pre", "post"))
        for indices, shape in ((pre, sizes[source]), (post, wanted[target])):
            if indices.dtype.kind != "i" or (indices.size and not 0 <= indices.min() <= indices.max() < np.prod(shape)):
                raise FormatError(f"list {k} has neurons that there are not")
        if kind == "population" and source in populations and populations[source].depth >= populations[target].depth:
            raise FormatError(f"list {k} goes back")
        if not np.isfinite(weight).all():
            raise FormatError(f"list {k} has weights that are no numbers")
        lists[kind].append(Connections(source, target, pre, post, weight))
    return Network(
        name=str(about["name"]),
        dt=float(about["dt"]),
        steps=int(about["steps"]),
        inputs=shapes["inputs"],
        outputs=shapes["outputs"],
        populations=populations,
        lists=tuple(lists["population"]),
        read=tuple(lists["output"]),
        biases={
            name: _array(arrays, f"output/{number}", int(np.prod(shape)))
            for number, (name, shape) in enumerate(shapes["outputs"].items())
        },
        read_out=_array(arrays, "read_out", int(about["steps"])),
    )


def _array(arrays: Mapping[str, Any], name: str, size: int) -> Any:
    if arrays[name].shape != (size,):
        raise FormatError(f"{name!r} has the shape {arrays[name].shape}, not {(size,)}")
    return arrays[name]
