"""What neurons lose of an uneven input is the difference from neurons that lose less, defect by defect."""

import numpy as np
import pytest

from snnc import neurons, ops
from snnc.analysis.defects import by_defect
from snnc.engine.simulate import simulate
from snnc.ir.op import op
from snnc.testing import chain
from tests.conftest import dense

DT = 0.0009765625  # 2 ** -10, so that nothing is rounded


@op
class Shallow(neurons.ReluLike):
    """Forgets what inhibits, and what is above the threshold."""

    kind = "shallow"
    spiking = True
    floor: bool = True

    @property
    def defects(self):
        return {"floor": Shallow(floor=False), "overshoot": neurons.SoftResetIf()}

    def start(self, shape, rng):
        return {"voltage": np.zeros(shape, dtype=np.float32)}

    def drive(self, xp, current, dt):
        return current * dt

    def rule(self, xp, drive, state, dt):
        voltage = state["voltage"] + drive
        if self.floor:
            voltage = xp.maximum(voltage, 0)
        fired = voltage >= 1
        return xp.astype(fired, voltage.dtype), {"voltage": xp.where(fired, 0 * voltage, voltage)}


def network(first, second):
    """Return two sources of spikes with their weights onto one shallow neuron, for inputs of half a spike a step."""
    weight = np.array([[first], [second]], dtype=np.float32)
    return chain(
        ops.Input(shape=(2,)), neurons.Neurons(model=neurons.SoftResetIf(), scale=DT),
        ops.Dense(weight=weight, bias=np.zeros(1)), neurons.Neurons(model=Shallow(), scale=DT),
        names=["x", "spikes", "d", "fire"],
    )  # fmt: skip


def measured(graph, x, steps=40):
    """Return what each defect costs, in spikes a step."""
    found = by_defect(graph, {"x": np.float32(x)}, steps, window=slice(0, steps), dt=DT)
    assert set(found) == {"fire"}
    return {name: np.sqrt(value) for name, value in found["fire"].items()}


def test_what_is_above_the_threshold_is_overshoot():
    # spikes of 3/4 threshold: two make a spike and half a threshold is lost; without the reset there are three of four
    assert measured(network(0.75, 0.0), [[1.0, 0.0]]) == pytest.approx({"floor": 0.0, "overshoot": 0.25})


def test_what_inhibits_first_is_forgotten_below_a_floor():
    # of spikes that come in the same step nothing is lost, of an input that takes them off a step earlier all is
    assert measured(network(1.0, -1.0), [[1.0, 1.0]]) == {"floor": 0.0, "overshoot": 0.0}
    graph = network(1.0, -1.0)
    graph.replace("spikes", neurons.Neurons(model=neurons.SoftResetIf(initial=0.5), scale=DT))
    found = measured(graph, [[0.5, 0.25]])
    assert found["floor"] == pytest.approx(0.25) and found["overshoot"] == 0.0


def test_the_parts_add_up_to_all_that_is_lost(rng):
    graph = chain(
        ops.Input(shape=(4,)), neurons.Neurons(model=neurons.SoftResetIf(), scale=DT), dense(rng, 4, 1),
        neurons.Neurons(model=Shallow(), scale=DT), names=["x", "spikes", "d", "fire"],
    )  # fmt: skip
    x, window = np.float32(rng.uniform(0, 1, (1, 4))), slice(10, 40)
    given = []
    for model in (Shallow(), Shallow(floor=False), neurons.SoftResetIf()):
        graph.replace("fire", neurons.Neurons(model=model, scale=DT))
        given.append(simulate(graph, {"x": x}, 40, window=window, dt=DT, watch=["fire"]).means["fire"].item())
    graph.replace("fire", neurons.Neurons(model=Shallow(), scale=DT))
    found = by_defect(graph, {"x": x}, 40, window=window, dt=DT)["fire"]
    assert np.sqrt(found["floor"]) == pytest.approx(abs(given[0] - given[1]), abs=1e-6)
    assert np.sqrt(found["overshoot"]) == pytest.approx(abs(given[1] - given[2]), abs=1e-6)


def test_neurons_that_count_lose_nothing_else(rng):
    graph = chain(ops.Input(shape=(4,)), dense(rng, 4, 3), neurons.Neurons(model=neurons.SignedIf(), scale=DT))
    x = {graph.inputs[0]: np.ones((2, 4), np.float32)}
    assert by_defect(graph, x, 5, window=slice(0, 5), dt=DT) == {}
