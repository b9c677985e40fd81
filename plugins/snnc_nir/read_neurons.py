"""Neurons and other nodes with a state of a NIR file as ops."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from snnc.api import (
    AnyArray,
    FrontendError,
    Kinds,
    Neurons,
    Op,
    Shape,
    Synapse,
    UsageError,
    neurons,
    op_from_text,
    ops,
)
from snnc_nir.fields import Fields
from snnc_nir.file import OWN
from snnc_nir.neurons import NirCubaLi, NirCubaLif, NirIf, NirLi, NirLif
from snnc_nir.read_linear import Step

NEURONS = ("IF", "LIF", "CubaLIF", "LI", "CubaLI", "I")
"""The types of NIR that have a state and are read."""
REFUSED: Mapping[str, str] = {
    "NIRGraph": "a graph inside a graph is read where it has one input and one output: write its nodes into the graph "
    "itself",
    "Delay": "delays are not read: leave it out, or train without",
    "Threshold": "it compares and keeps nothing, and no neuron here does so: use an IF or LIF node",
}
"""What is not read, and what to do."""


def stateful(fields: Fields, shape: Shape, dt: float, own: bool, kinds: Kinds) -> list[Step]:
    """Return the ops of a node with a state.

    Args:
        fields: the node's.
        shape: what arrives, channels first.
        dt: seconds a step.
        own: whether snnc wrote the file: its filters are a step late.
        kinds: the classes that an op in the metadata may name.

    Raises:
        FrontendError: it cannot be read.

    """
    kind = fields.node.type
    if kind.startswith(OWN):
        return [("", _own(fields, dt, kinds))]
    if kind == "IF" and fields.text("reset") == "subtract":
        return _soft_reset(fields, shape, dt)
    if kind == "LIF" and fields.number("refractory_period") is not None:
        return [("", _refractory(fields, shape, dt))]
    if fields.text("reset") not in (None, "zero"):
        raise fields.error(f"its metadata says the reset {fields.text('reset')!r}, which is none of a {kind}")
    if kind == "LI" and own:
        return [("", _low_pass(fields, shape))]
    if kind == "I":
        r = np.asarray(fields.parameter("r", shape), dtype=np.float32)
        return [("charge", ops.Affine(scale=r, shift=np.zeros(()) * r)), ("", ops.Accumulate())]
    return [("", _specified(fields, shape, dt))]


def _specified(fields: Fields, shape: Shape, dt: float) -> Neurons:
    """Return neurons as the specification has them."""
    kind = fields.node.type
    names = {
        "IF": (NirIf, ("r", "v_threshold")),
        "LIF": (NirLif, ("tau", "r", "v_leak", "v_threshold")),
        "CubaLIF": (NirCubaLif, ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold")),
        "LI": (NirLi, ("tau", "r", "v_leak")),
        "CubaLI": (NirCubaLi, ("tau_syn", "tau_mem", "r", "v_leak")),
    }
    cls, needed = names[kind]
    given: dict[str, Any] = {("tau" if n == "tau_mem" else n): fields.parameter(n, shape) for n in needed}
    if kind.startswith("Cuba"):
        given["w_in"] = fields.parameter("w_in", shape, 1.0)
    if kind.endswith("F"):
        reset = fields.parameter("v_reset", shape) if "v_reset" in fields.node.fields else None
        if reset is None and fields.text("reset") == "zero":
            reset = 0.0
        given |= {"v_reset": reset, "dt": dt}
    for name, value in given.items():
        if name.startswith("tau") and not (np.asarray(value) > 0).all():
            raise fields.error(f"its {name} must be positive")
    if kind.endswith("F"):
        low = 0.0 if given["v_reset"] is None else given["v_reset"]
        if not (np.asarray(given["v_threshold"]) > np.asarray(low)).all():
            raise fields.error(
                "its v_threshold is not above v_reset, or above 0 where that is missing: it would fire for ever"
            )
    return Neurons(model=cls(**given), scale=dt if kind.endswith("F") else 1.0)


def _soft_reset(fields: Fields, shape: Shape, dt: float) -> list[Step]:
    """Return the neurons of an IF that says of itself that it is reset by subtraction, as snnc's are."""
    r, threshold = fields.parameter("r", shape), fields.parameter("v_threshold", shape)
    initial = fields.number("initial_voltage", 0.0)
    most = fields.number("most_spikes", 1.0)
    assert initial is not None and most is not None
    if np.any(fields.parameter("v_reset", shape, 0.0)):
        raise fields.error("its metadata says that it is reset by subtraction, but its v_reset is not 0")
    if not np.all(np.asarray(threshold) > 0):
        raise fields.error("its v_threshold is not above 0: it would fire for ever")
    if most != int(most) or not 1 <= most < 1 << 20:
        raise fields.error(f"its metadata says most_spikes {most:g}, which must be a whole number from 1 on")
    factor = np.asarray(r, dtype=np.float64) / np.asarray(threshold, dtype=np.float64)
    start = initial / np.asarray(threshold, dtype=np.float64)
    if (start != start.flat[0]).any():
        raise fields.error(
            "its initial_voltage is another share of the threshold from neuron to neuron; it must be one"
        )
    model = neurons.SoftResetIf(gamma=int(most), initial=float(start.flat[0]))
    population: Step = ("", Neurons(model=model, scale=dt))
    if (factor == 1).all():
        return [population]
    return [("charge", ops.Affine(scale=factor, shift=np.zeros(()) * factor)), population]


def _refractory(fields: Fields, shape: Shape, dt: float) -> Neurons:
    """Return the neurons of a LIF that says of itself that it is snnc's."""
    tau, period = fields.parameter("tau", shape), fields.number("refractory_period")
    plain = {"r": tau, "v_leak": 0.0, "v_threshold": 1.0}
    given = {name: fields.parameter(name, shape) for name in plain}
    if not isinstance(tau, float) or tau <= 0 or period is None or period < 0:
        raise fields.error("its tau must be one positive number for all, its refractory_period not negative")
    if np.any(given["v_leak"]) or np.any(given["v_threshold"] != 1) or np.any(fields.parameter("v_reset", shape, 0.0)):
        raise fields.error(
            "with a refractory_period in its metadata v_leak, v_reset and v_threshold are 0, 0 and 1; scale the "
            "weights instead, or leave the metadata out"
        )
    if not np.allclose(given["r"], tau / dt, rtol=1e-5):
        raise fields.error(f"with a refractory_period in its metadata r is tau / dt = {tau / dt:g}; scale the weights")
    return Neurons(model=neurons.Lif(tau_rc=tau, tau_ref=period), scale=dt)


def offset(fields: Fields, dt: float) -> float:
    """Return what snnc adds to what one of its LIF neurons reads, in units of the file; 0 for any other node."""
    if fields.node.type != "LIF" or fields.number("refractory_period") is None:
        return 0.0
    tau = float(np.asarray(fields.array("tau"), dtype=np.float64).flat[0])
    return dt * 0.5 / tau if tau > 0 else 0.0


def _low_pass(fields: Fields, shape: Shape) -> Synapse:
    """Return the filter of an LI that snnc wrote."""
    tau = fields.parameter("tau", shape)
    r, leak = fields.parameter("r", shape), fields.parameter("v_leak", shape)
    if not isinstance(tau, float) or tau <= 0 or np.any(r != 1) or np.any(leak):
        raise fields.error("a filter that snnc wrote has one tau for all, r = 1 and v_leak = 0; this one was changed")
    return Synapse(model=neurons.Lowpass(tau=tau))


def _own(fields: Fields, dt: float, kinds: Kinds) -> Op:
    """Return the op that a node of our own says in its metadata."""
    text = fields.text("op")
    if text is None:
        raise fields.error("its metadata has no op; is the file complete?")
    arrays = {name: value for name, value in fields.node.metadata.items() if isinstance(value, np.ndarray)}
    try:
        op = op_from_text(text, arrays, kinds, f"{fields.path}: node {fields.name!r}")
    except UsageError as error:  # a parameter that there cannot be
        raise fields.error(str(error)) from None
    named = op.model.kind if isinstance(op, Neurons) else op.kind
    if fields.node.type != OWN + named:
        raise fields.error(f"its metadata says the op {named!r}")
    if isinstance(op, Neurons) and not np.allclose(op.scale, unit := dt if op.model.spiking else 1, rtol=1e-6):
        raise fields.error(f"its metadata says a scale other than {unit:g}: what it sends would not be in spikes")
    if op.arity != 1:
        raise fields.error("its metadata says an op that does not read one value")
    return op


def parsed(text: Any, what: str, path: object) -> dict[str, Any]:
    """Return a JSON object of the graph's metadata; raise FrontendError for anything else."""
    if not isinstance(text, str):
        raise FrontendError(f"{path}: its metadata {what!r} is no text")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrontendError(f"{path}: its metadata {what!r} is damaged: {str(error)[:100]}") from None
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise FrontendError(f"{path}: its metadata {what!r} is damaged: no objects by name")
    return found


__all__ = ["NEURONS", "REFUSED", "AnyArray", "offset", "parsed", "stateful"]
