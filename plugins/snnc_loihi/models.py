"""The neurons of a Loihi core, and those on the host that send it spikes.

A core integrates once a step, a neuron fires at most once a step and forgets what it had above its threshold (hard
reset). Equations are those of nengo-loihi's emulator; currents are in Hz, voltages in units of the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from snnc.api import Activation, AnyArray, Array, NeuronModel, Shape, State, UsageError, neurons, op

STEP = 0.001
"""Seconds of a step of the chip: what the rate curves are for."""
MARGIN = 0.995
"""The threshold in units of what one spike of weight 1 brings: the chip compares with >, not with >=."""
REACH = 1 << 15
"""The most thresholds that a current of 23 bits can hold; a threshold is then 255 units."""
DEEPEST = 127.0
"""The lowest floor of a membrane, in thresholds."""
LEAKS = tuple(1 << k for k in range(8))
"""Of 4096 parts of a current, how many may go in a step."""
DECAY = 2**12 - 1
"""The largest decay that a core can store (12 bits)."""


class HardResetIf(neurons.ReluLike):
    """v = max(v + u dt, -floor); a spike where v > threshold, then v = 0.

    A constant u fires every n steps, n the smallest with n u dt > threshold. Over many u, or for one that fluctuates,
    the mean of the rate is u / (threshold + u dt / 2): half a step of every interval is lost.
    """

    spiking: ClassVar[bool] = True
    matches_activation = False
    scale_invariant = False
    floor: float
    threshold: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.floor <= DEEPEST and 0.5 <= self.threshold <= 1):
            raise UsageError(
                f"neurons {self.kind!r}: floor {self.floor:g} or threshold {self.threshold:g} does not fit the chip; "
                "use 0 to 127 and 0.5 to 1"
            )

    def response(self, xp: Any, current: Any) -> Any:
        u = xp.maximum(current, 0)
        return xp.minimum(u / self.threshold / (1 + u * (STEP / 2 / self.threshold)), 1 / STEP)

    def settled(self, u: AnyArray, dt: float = STEP) -> AnyArray:
        """Return the rate in Hz that a constant ``u`` in Hz settles to: one of 1 / (n dt)."""
        with np.errstate(divide="ignore"):
            period = np.floor(self.threshold / (np.maximum(u, 0) * dt)) + 1
        return 1 / (period * dt)

    def counted(self, activation: Array, steps: int) -> tuple[Array, Array]:
        with np.errstate(divide="ignore"):
            period = np.floor(self.threshold / (np.maximum(activation, 0) * np.float32(self.gain))) + 1
        return np.minimum(activation, np.float32(1)), (np.floor(steps / period) / steps).astype(np.float32)

    @property
    def defects(self) -> Mapping[str, NeuronModel]:
        deep = type(self)(**{**self.attrs(), "floor": DEEPEST})
        return {"floor": deep, "overshoot": neurons.SoftResetIf(initial=1 - self.threshold / self.gain)}

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"voltage": np.zeros(shape, dtype=np.float32)}

    def drive(self, xp: Any, current: Any, dt: float) -> Any:
        return current * dt

    def rule(self, xp: Any, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        voltage = xp.maximum(state["voltage"] + drive, -self.floor)
        fired = voltage > self.threshold
        return xp.astype(fired, voltage.dtype), {"voltage": xp.where(fired, xp.zeros_like(voltage), voltage)}

    def step(self, drive: Array, state: State, dt: float, out: AnyArray | None = None) -> AnyArray:
        voltage = state["voltage"]  # in place: half of the rule's time
        voltage += drive
        np.maximum(voltage, -self.floor, out=voltage)
        spikes = np.empty_like(voltage) if out is None else out
        np.greater(voltage, self.threshold, out=spikes)
        voltage *= 1 - spikes
        return spikes


@op
class LoihiRelu(HardResetIf):
    """Nengo-Loihi's own: the membrane has no negative voltage, so that what inhibits first is forgotten.

    Weights and biases are half a percent larger, where ``loihi-signed-if`` has a threshold that is smaller.
    """

    kind: ClassVar[str] = "loihi-relu"
    floor: float = 0.0
    threshold: float = 1.0

    @property
    def gain(self) -> float:
        return 1 / MARGIN


@op
class LoihiSignedIf(HardResetIf):
    """The membrane goes down to ``-floor`` thresholds, so that inhibition counts; the default of the backend.

    The threshold is a little below 1: a weight of exactly one threshold would halve the rate.
    """

    kind: ClassVar[str] = "loihi-signed-if"
    floor: float = 1.0
    threshold: float = MARGIN


@op
class LoihiLif(neurons.Lif):
    """v += decay (J - v) with J = tau_rc u + 1/2, v >= 0; a spike at v > 1, then v = 0 for tau_ref in whole steps.

    The decay has 12 bits. Intervals are whole steps, half a step longer than without steps in the mean.
    """

    kind: ClassVar[str] = "loihi-lif"

    def curve(self, xp: Any, current: Any) -> Any:
        """Return the mean rate in Hz for a current J."""
        above = current - 1
        safe = xp.where(above > 0, above, xp.ones_like(above))
        rate = 1 / (self._refractory(STEP) * STEP + self.tau_rc * xp.log1p(1 / safe) + STEP / 2)
        return xp.where(above > 0, rate, xp.zeros_like(above))

    def counted(self, activation: Array, steps: int) -> tuple[Array, Array]:
        waits = self._refractory(STEP)
        current = np.float32(self.gain / STEP) * activation + np.float32(self.offset)
        with np.errstate(divide="ignore", invalid="ignore"):
            rises = np.floor(np.log1p(-1 / current) / np.log1p(-self._decay(STEP))) + 1
            counts = np.where(current > 1, np.floor((steps + waits) / (rises + waits)), 0)
        return np.minimum(activation, np.float32(1 / (1 + waits))), (counts / steps).astype(np.float32)

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"voltage": np.zeros(shape, dtype=np.float32), "waits": np.zeros(shape, dtype=np.float32)}

    def rule(self, xp: Any, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        voltage, waits = state["voltage"], state["waits"]
        voltage = xp.maximum(voltage + (drive - voltage) * self._decay(dt), 0)
        nothing = xp.zeros_like(voltage)
        voltage = xp.where(waits > 0, nothing, voltage)
        fired = voltage > 1
        return xp.astype(fired, voltage.dtype), {
            "voltage": xp.where(fired, nothing, voltage),
            "waits": xp.where(fired, nothing + self._refractory(dt), xp.maximum(waits - 1, 0)),
        }

    def _decay(self, dt: float) -> float:
        return float(np.round(-np.expm1(-dt / self.tau_rc) * DECAY) / DECAY)

    def _refractory(self, dt: float) -> int:
        return round(self.tau_ref / dt)


@op
class LoihiSoftIf(neurons.SoftResetIf):
    """u = u (1 - leak / 4096) + drive; a spike where u >= 1 - initial, which takes 1 off u in the next step.

    The *current* of a compartment is what integrates here, since a spike sets the voltage alone to zero, and what
    takes a spike off it is a synapse from each neuron to itself: one step later, which is when it would count first.
    So it resets by subtraction (Rueckauer et al. 2017), of which a core knows nothing.
    ``initial`` is how far above nothing it starts, in thresholds: half turns the floor of the count into rounding.
    ``reach`` is how many thresholds the current can hold. For each time that it doubles beyond 512, weights lose a bit.
    ``leak``, a power of two, keeps it there: a neuron that is inhibited by d thresholds in each step goes down to
    4096 d / leak. What spikes is next to nothing, as u is as often below zero as above.
    A neuron that is ``capped`` stands for min(max(x, 0), m): its scale is such that a spike in each step says m.
    """

    kind: ClassVar[str] = "loihi-soft-if"
    initial: float = 0.5
    reach: int = 512
    leak: int = 1
    capped: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gamma != 1 or not 0 <= self.initial <= 0.9 or not 1 <= self.reach <= REACH:
            raise UsageError(
                f"neurons 'loihi-soft-if': gamma {self.gamma}, initial {self.initial:g} or reach {self.reach} does not "
                f"fit the chip, which fires once a step, starts at 0 to 0.9 thresholds, and holds 1 to {REACH} of them"
            )
        if self.leak not in LEAKS:
            raise UsageError(f"neurons 'loihi-soft-if': leak {self.leak} is not one of {', '.join(map(str, LEAKS))}")

    @property
    def stays(self) -> float:
        """Return what stays of the current from one step to the next."""
        return 1 - self.leak / (DECAY + 1)

    def response(self, xp: Any, current: Any) -> Any:
        rate = xp.maximum(current, 0)
        return xp.minimum(rate, 1 / STEP) if self.capped else rate

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        return {"current": np.zeros(shape, dtype=np.float32)}

    def rule(self, xp: Any, drive: Any, state: State, dt: float) -> tuple[Any, State]:
        current = state["current"] * self.stays + drive
        spikes = xp.astype(current >= 1 - self.initial, current.dtype)
        return spikes, {"current": current - spikes * (1 / self.stays)}

    def step(self, drive: Array, state: State, dt: float, out: AnyArray | None = None) -> AnyArray:
        current = state["current"]  # in place: half of the rule's time
        current *= np.float32(self.stays)
        current += drive
        spikes = np.empty_like(current) if out is None else out
        np.copyto(spikes, current >= 1 - self.initial)
        current -= spikes * np.float32(1 / self.stays)
        return spikes


@op
class LoihiEncoder(neurons.SoftResetIf):
    """Turns values into spikes on the host, with a soft reset and at most one spike a step: what the chip can take."""

    kind: ClassVar[str] = "loihi-encoder"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gamma != 1:
            raise UsageError("neurons 'loihi-encoder': the chip takes one spike a step, so gamma must be 1")

    def can_replace(self, activation: Activation) -> bool:
        return False


ON_CHIP = (LoihiSoftIf, LoihiSignedIf, LoihiRelu, LoihiLif)
"""The models that a core can be."""
MODELS = (*ON_CHIP, LoihiEncoder)
