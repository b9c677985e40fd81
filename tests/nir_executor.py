"""NIR files run in numpy: our own reading of the specification, and of what snnc writes beside it as metadata.

It shares no arithmetic with snnc, so that what is exported and what is imported can be held against it. Everything is
in float64, channels first, and within a step all nodes act in the order of the edges, on values of that step.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
from snnc_nir.file import NirFile, NirNode, read

from tests.nir_functions import activation, plain_relu, windows

DEFAULT_DT = 1e-4
"""Seconds a step, where the file does not say: what readers take."""

Step = Callable[[np.ndarray], np.ndarray]


@dataclass
class Run:
    """What a file did: every node's output, and how near its neurons came to deciding otherwise."""

    outputs: dict[str, np.ndarray]
    """By node ``(batch, steps, *shape)``; with ``counts`` the sums over the steps, ``(batch, *shape)``."""
    margins: dict[str, np.ndarray] = field(default_factory=dict)
    """By node of neurons ``(batch, *shape)``: the least distance of a voltage from a threshold, in thresholds."""


def execute(
    source: NirFile | Path,
    inputs: Mapping[str, np.ndarray],
    *,
    steps: int | None = None,
    dt: float | None = None,
    counts: bool = False,
) -> Run:
    """Run a file and return what every node gave.

    Args:
        source: the file.
        inputs: by name of the input node ``(batch, *shape)``, held for all steps; ``(batch, steps, *shape)`` where
            the file says that it is temporal.
        steps: how many; by default what the file says.
        dt: seconds a step; by default what the file says, else 1e-4.
        counts: whether to give sums over the steps instead of every step.

    """
    file = read(source) if isinstance(source, Path) else source
    dt = float(file.metadata.get("dt", DEFAULT_DT)) if dt is None else dt
    temporal = bool(int(file.metadata.get("temporal", 0)))
    if steps is None:
        steps = next(iter(inputs.values())).shape[1] if temporal else int(file.metadata["steps"])
    sources: dict[str, list[str]] = {name: [] for name in file.nodes}
    for a, b in file.edges:
        sources[b].append(a)
    try:
        order = list(TopologicalSorter(sources).static_order())
    except CycleError as error:
        raise ValueError(f"recurrent: {error.args[1]}") from error
    actors = {name: _Actor(name, file, dt) for name in order}
    outputs: dict[str, Any] = {name: 0 if counts else [] for name in order}
    for t in range(steps):
        now: dict[str, np.ndarray] = {}
        for name in order:
            if file.nodes[name].type == "Input":
                x = np.asarray(inputs[name], dtype=np.float64)
                x = x[:, t] if temporal else x
                _require_shape(x, file.nodes[name])
            else:
                x = sum(now[a] for a in sources[name])  # type: ignore[assignment]
            now[name] = actors[name].rule(x)
            if counts:
                outputs[name] = outputs[name] + now[name]
            else:
                outputs[name].append(now[name])
    if not counts:
        outputs = {name: np.stack(rows, axis=1) for name, rows in outputs.items()}
    return Run(outputs, {name: actor.margin for name, actor in actors.items() if actor.margin is not None})


def _require_shape(x: np.ndarray, node: NirNode) -> None:
    shape = tuple(np.asarray(node.fields["shape"]).tolist())
    if x.shape[1:] != shape:
        raise ValueError(f"the input has shape {x.shape[1:]}, not {shape}")


class _Actor:
    """One node while a file runs: its state, made at the first step."""

    def __init__(self, name: str, file: NirFile, dt: float) -> None:
        self.node, self.file, self.dt = file.nodes[name], file, dt
        self.state: dict[str, np.ndarray] = {}
        self.margin: np.ndarray | None = None
        rule = getattr(self, "_" + self.node.type.replace("snnc.", "own_").replace("-", "_"), None)
        if rule is None:
            raise ValueError(f"node {name!r}: the type {self.node.type!r} is unknown")
        self.rule: Step = rule

    def _get(self, name: str, default: Any = None) -> np.ndarray:
        value = self.node.fields.get(name, default)
        if value is None:
            raise ValueError(f"a {self.node.type} lacks {name}")
        return np.asarray(value, dtype=np.float64)

    def _near(self, distance: np.ndarray) -> None:
        distance = np.abs(distance)
        self.margin = distance if self.margin is None else np.minimum(self.margin, distance)

    # what is linear, and keeps nothing

    def _Input(self, x: np.ndarray) -> np.ndarray:
        return x

    _Output = _Input

    def _Affine(self, x: np.ndarray) -> np.ndarray:
        return x @ self._get("weight").T + self._get("bias")

    def _Linear(self, x: np.ndarray) -> np.ndarray:
        return x @ self._get("weight").T

    def _Scale(self, x: np.ndarray) -> np.ndarray:
        return x * self._get("scale")

    def _Conv1d(self, x: np.ndarray) -> np.ndarray:
        return self._convolve(x, 1)

    def _Conv2d(self, x: np.ndarray) -> np.ndarray:
        return self._convolve(x, 2)

    def _convolve(self, x: np.ndarray, axes: int) -> np.ndarray:
        weight, groups = self._get("weight"), int(self.node.fields["groups"])
        stride, dilation = self._numbers("stride", axes), self._numbers("dilation", axes)
        reach = [(k - 1) * d for k, d in zip(weight.shape[2:], dilation, strict=True)]
        seen = windows(x, self._padding(reach, stride), [r + 1 for r in reach], stride)
        seen = seen[(..., *(slice(None, None, d) for d in dilation))]
        inside, outside = weight.shape[1], weight.shape[0] // groups
        if x.shape[1] != inside * groups:
            raise ValueError(f"a {self.node.type} of {inside * groups} channels gets {x.shape[1]}")
        parts = [
            np.tensordot(
                seen[:, g * inside : (g + 1) * inside],
                weight[g * outside : (g + 1) * outside],
                axes=([1, *range(2 + axes, 2 + 2 * axes)], list(range(1, 2 + axes))),
            )
            for g in range(groups)
        ]
        bias = self._get("bias").reshape(-1, *(1,) * axes)
        return np.moveaxis(np.concatenate(parts, axis=-1), -1, 1) + bias

    def _numbers(self, name: str, axes: int) -> list[int]:
        return [int(v) for v in np.broadcast_to(np.asarray(self.node.fields[name]), (axes,))]

    def _padding(self, reach: list[int], stride: list[int]) -> list[tuple[int, int]]:
        padding = self.node.fields["padding"]
        if isinstance(padding, str) and padding == "valid":
            return [(0, 0)] * len(reach)
        if isinstance(padding, str):
            if padding != "same":
                raise ValueError(f"padding {padding!r} is unknown")
            if any(s != 1 for s in stride):
                raise ValueError("padding 'same' goes with a stride of 1 only")
            return [(r // 2, r - r // 2) for r in reach]
        return [(p, p) for p in self._numbers("padding", len(reach))]

    def _SumPool2d(self, x: np.ndarray) -> np.ndarray:
        padding = [(p, p) for p in self._numbers("padding", 2)]
        return windows(x, padding, self._numbers("kernel_size", 2), self._numbers("stride", 2)).sum(axis=(-1, -2))

    def _AvgPool2d(self, x: np.ndarray) -> np.ndarray:
        return self._SumPool2d(x) / float(np.prod(self._numbers("kernel_size", 2)))

    def _Flatten(self, x: np.ndarray) -> np.ndarray:
        """Flatten a sample: axes count without the batch, as in the node's own ``input_type``."""
        start, end = int(self.node.fields["start_dim"]), int(self.node.fields["end_dim"])
        own = list(x.shape[1:])
        start, end = start % len(own), end % len(own)
        return x.reshape(x.shape[0], *own[:start], int(np.prod(own[start : end + 1])), *own[end + 1 :])

    def _Threshold(self, x: np.ndarray) -> np.ndarray:
        self._near(x - self._get("threshold"))
        return (x > self._get("threshold")).astype(np.float64)

    # neurons of the specification

    def _voltage(self, x: np.ndarray) -> np.ndarray:
        if "voltage" not in self.state:
            self.state["voltage"] = np.zeros_like(x) + float(self.node.metadata.get("initial_voltage", 0))
        return self.state["voltage"]

    def _I(self, x: np.ndarray) -> np.ndarray:
        self.state["voltage"] = self._voltage(x) + self._get("r") * x
        return self.state["voltage"]

    def _IF(self, x: np.ndarray) -> np.ndarray:
        v, threshold = self._voltage(x) + self._get("r") * x, self._get("v_threshold")
        if self.node.metadata.get("reset") == "subtract":  # as snnc says; at the threshold it fires
            most = int(self.node.metadata.get("most_spikes", 1))
            spikes = np.clip(np.floor(v / threshold), 0, most)
            self._near(v / threshold - np.clip(np.round(v / threshold), 1, most))
            self.state["voltage"] = v - spikes * threshold
            return spikes
        return self._reset(v)

    def _reset(self, v: np.ndarray) -> np.ndarray:
        """Return spikes where v is above the threshold: to v_reset, in files before it less the threshold."""
        threshold = self._get("v_threshold")
        self._near(v / threshold - 1)
        fired = v > threshold
        after = self._get("v_reset") if "v_reset" in self.node.fields else v - threshold
        self.state["voltage"] = np.where(fired, after, v)
        return fired.astype(np.float64)

    def _leaky(self, x: np.ndarray, tau: str = "tau") -> np.ndarray:
        """Return the voltage after a step in which the current is held, with ``dt`` of it or what is not refractory."""
        v, target = self._voltage(x), self._get("v_leak") + self._get("r") * x
        return target + (v - target) * np.exp(-self.dt / self._get(tau))

    def _LI(self, x: np.ndarray) -> np.ndarray:
        before = self._voltage(x)
        self.state["voltage"] = self._leaky(x)
        return before if "written_by" in self.file.metadata else self.state["voltage"]  # snnc's filters are a step late

    def _LIF(self, x: np.ndarray) -> np.ndarray:
        if "refractory_period" not in self.node.metadata:
            return self._reset(self._leaky(x))
        return self._refractory(x)

    def _refractory(self, x: np.ndarray) -> np.ndarray:
        """Return spikes of a neuron that is at rest for a time after one, counted from when it crossed the threshold.

        What of a step is left behind that time charges it (Nengo's LIF, which snnc's is).
        """
        tau, threshold, target = self._get("tau"), self._get("v_threshold"), self._get("v_leak") + self._get("r") * x
        if "voltage" not in self.state:
            self.state = {"voltage": self._random(x), "rest": np.zeros_like(x)}
        rest = self.state["rest"] - self.dt
        active = np.clip(self.dt - rest, 0, self.dt)
        v = target + (self.state["voltage"] - target) * np.exp(-active / tau)
        self._near(v / threshold - 1)
        fired = v > threshold
        since = np.zeros_like(v)
        np.divide(v - threshold, target - threshold, out=since, where=fired)
        since = -tau * np.log1p(-since)
        period, floor = float(self.node.metadata["refractory_period"]), float(self.node.metadata["voltage_floor"])
        self.state["voltage"] = np.where(fired, 0, np.maximum(v, floor))
        self.state["rest"] = np.where(fired, period + self.dt - since, rest)
        return fired.astype(np.float64)

    def _synapse(self, x: np.ndarray) -> np.ndarray:
        current, keep = self.state.get("current", np.zeros_like(x)), np.exp(-self.dt / self._get("tau_syn"))
        self.state["current"] = current * keep + self._get("w_in", 1.0) * x * (1 - keep)
        return self.state["current"]

    def _CubaLIF(self, x: np.ndarray) -> np.ndarray:
        return self._reset(self._leaky(self._synapse(x), "tau_mem"))

    def _CubaLI(self, x: np.ndarray) -> np.ndarray:
        self.state["voltage"] = self._leaky(self._synapse(x), "tau_mem")
        return self.state["voltage"]

    # what snnc writes beside the specification

    def _attrs(self) -> dict[str, Any]:
        """Return the fields of the node's op: of neurons those of their model, with ``scale``."""
        op = json.loads(str(self.node.metadata["op"]))
        attrs = dict(op["attrs"])
        if "model" in attrs:
            scale = 1 if attrs["model"]["neuron"] in ("nir-li", "nir-cuba-li") else self.dt
            if not np.isclose(attrs["scale"], scale, rtol=1e-6):
                raise ValueError(f"scale {attrs['scale']} is not {scale}")
            attrs = dict(attrs["model"]["attrs"])
        return attrs

    def _channels_last(self, value: Any, x: np.ndarray) -> np.ndarray:
        """Return one number, one a channel or one a neuron, in the order of snnc, as an array in the order of NIR."""
        if isinstance(value, dict):
            value = self.node.metadata[value["array"]]
        shape = tuple(int(v) for v in np.asarray(self.node.metadata["shape"]))
        last = np.resize(np.asarray(value, dtype=np.float64), shape)
        return np.moveaxis(last, -1, 0).reshape(x.shape[1:])

    def _random(self, x: np.ndarray) -> np.ndarray:
        shape = tuple(int(v) for v in np.asarray(self.node.metadata["shape"]))
        seed, layer = int(self.file.metadata.get("seed", 0)), str(self.node.metadata["layer"])
        drawn = np.random.default_rng([seed, zlib.crc32(layer.encode())]).uniform(0, 1, size=shape)
        voltage = self._channels_last(drawn.astype(np.float32), x)
        return np.broadcast_to(voltage, x.shape).copy()

    def _own_difference(self, x: np.ndarray) -> np.ndarray:
        before = self.state.get("before", np.zeros_like(x))
        self.state["before"] = x
        return x - before

    def _own_accumulate(self, x: np.ndarray) -> np.ndarray:
        if "sum" not in self.state:
            initial = self._attrs().get("initial", 0.0)
            self.state["sum"] = self._channels_last(initial, x) + np.zeros_like(x)
        self.state["sum"] = self.state["sum"] + x
        return self.state["sum"]

    def _own_spiking_relu(self, x: np.ndarray) -> np.ndarray:
        if "voltage" not in self.state:
            self.state["voltage"] = self._random(x)
        v = self.state["voltage"] + np.maximum(x, 0)
        self._near(v - np.maximum(np.round(v), 1))
        spikes = np.floor(v)
        self.state["voltage"] = v - spikes
        return spikes

    def _specified(self, kind: str, x: np.ndarray) -> np.ndarray:
        """Become the node of the specification whose fields our own node has, with channels last."""
        attrs = {("tau_mem" if key == "tau" and "Cuba" in kind else key): v for key, v in self._attrs().items()}
        given = {key: self._channels_last(v, x) for key, v in attrs.items() if v is not None and key != "dt"}
        self.node = NirNode(kind, given)
        self.file = NirFile({}, ())  # none of snnc's: it answers in the same step
        self.rule = getattr(self, f"_{kind}")
        return self.rule(x)

    def _own_nir_if(self, x: np.ndarray) -> np.ndarray:
        return self._specified("IF", x)

    def _own_nir_lif(self, x: np.ndarray) -> np.ndarray:
        return self._specified("LIF", x)

    def _own_nir_cuba_lif(self, x: np.ndarray) -> np.ndarray:
        return self._specified("CubaLIF", x)

    def _own_nir_li(self, x: np.ndarray) -> np.ndarray:
        return self._specified("LI", x)

    def _own_nir_cuba_li(self, x: np.ndarray) -> np.ndarray:
        return self._specified("CubaLI", x)

    def _own_soft_reset_if(self, x: np.ndarray) -> np.ndarray:
        attrs = self._attrs()
        v = self.state.get("voltage", np.zeros_like(x) + attrs.get("initial", 0.0)) + x
        spikes = np.clip(np.floor(v), 0, attrs.get("gamma", 1))
        self._near(v - np.clip(np.round(v), 1, attrs.get("gamma", 1)))
        self.state["voltage"] = v - spikes
        return spikes

    def _own_signed_if(self, x: np.ndarray) -> np.ndarray:
        attrs = self._attrs()
        most = attrs.get("gamma", 4)
        zeros = np.zeros_like(x)
        sent, charge = self.state.get("sent", zeros), self.state.get("charge", zeros) + x
        steps = self.state.get("steps", np.zeros(())) + 1
        if plain_relu(attrs):
            due = charge + 0.5 - sent
            spikes = np.maximum(np.clip(np.floor(due), -most, most), -sent)
        else:
            seconds = steps * self.dt
            due = self._wrapped(attrs, charge / seconds, x) * seconds + 0.5 - sent
            spikes = np.clip(np.floor(due), -most, most)
        self._near(due - np.round(due))
        self.state = {"sent": sent + spikes, "charge": charge, "steps": steps}
        return spikes

    def _own_sigma_delta(self, x: np.ndarray) -> np.ndarray:
        attrs = self._attrs()
        if "sent" not in self.state:
            initial = self._channels_last(attrs.get("initial", 0.0), x) + np.zeros_like(x)
            self.state = {"arrived": initial, "sent": np.zeros_like(x)}
        arrived, sent = self.state["arrived"] + x / self.dt, self.state["sent"]
        target = self._wrapped(attrs, arrived, x) * self.dt
        spikes = np.zeros_like(x)
        for _ in range(attrs.get("spikes", 1)):
            more = self._nearest_power(target - sent, attrs.get("levels", 6))
            spikes, sent = spikes + more, sent + more
        self.state = {"arrived": arrived, "sent": sent}
        return spikes

    def _nearest_power(self, error: np.ndarray, levels: int) -> np.ndarray:
        """Return the nearest power of two from 2 ** (1 - levels) to 8, of either sign, or 0 where that is as near."""
        size = np.abs(error)
        powers = 2.0 ** np.arange(1 - levels, 4)
        bounds = np.concatenate([[powers[0] / 2], (powers[1:] + powers[:-1]) / 2])
        self._near(np.abs(size[..., None] - bounds).min(axis=-1))
        chosen = np.concatenate([[0.0], powers])[(size > bounds[0]) + np.searchsorted(bounds[1:], size, side="right")]
        return np.copysign(chosen, error)

    def _wrapped(self, attrs: dict[str, Any], x: np.ndarray, like: np.ndarray) -> np.ndarray:
        """Return what a neuron that wraps an activation is to have sent, in Hz, for what has arrived, in Hz."""
        function = attrs.get("of", {"op": "relu", "attrs": {}})
        if function["op"] == "linear" or plain_relu(attrs):
            return x if function["op"] == "linear" else np.maximum(x, 0)
        unit = self._channels_last(attrs.get("unit", 1.0), like)
        return activation(function["op"], function["attrs"], x * unit) / unit
