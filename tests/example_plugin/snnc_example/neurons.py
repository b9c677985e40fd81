"""Neurons of our own: this class is all that numpy, Nengo, NengoDL, TensorFlow and an exported SavedModel need."""

from typing import ClassVar

import numpy as np

from snnc.api import Array, Namespace, Shape, State, neurons, op


@op
class BoundedIf(neurons.ReluLike):
    """v = max(v + u dt, -floor); n = max(floor(v), 0); v -= n: it keeps no more inhibition than ``floor``."""

    kind: ClassVar[str] = "bounded-if"
    spiking: ClassVar[bool] = True
    floor: float = 1.0

    def start(self, shape: Shape, rng: np.random.Generator) -> State:
        """Start half way to the threshold."""
        return {"voltage": np.full(shape, 0.5, dtype=np.float32)}

    def rule(self, xp: Namespace, drive: Array, state: State, dt: float) -> tuple[Array, State]:
        """Integrate, and take the spikes off."""
        voltage = xp.maximum(state["voltage"] + drive * dt, -self.floor)
        spikes = xp.maximum(xp.floor(voltage), 0)
        return spikes, {"voltage": voltage - spikes}
