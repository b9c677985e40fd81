"""The memory of a network."""

import numpy as np

from snnc import neurons, ops
from snnc.analysis.memory import memory
from snnc.testing import chain


def test_parameters_and_states_are_bytes_of_float32():
    fire = neurons.Neurons(model=neurons.SoftResetIf(), scale=0.5)
    graph = chain(
        ops.Input(shape=(3,)),
        ops.Dense(weight=np.ones((3, 5)), bias=np.ones(5)),
        fire,
        neurons.Synapse(model=neurons.Lowpass(tau=0.01)),
        names=["x", "dense", "fire", "filter"],
    )
    found = memory(graph)
    assert found.parameters == 4 * (3 * 5 + 5)
    assert found.states == 4 * (5 + 5)


def test_a_model_has_no_states():
    assert memory(chain(ops.Input(shape=(3,)), ops.Relu(), names=["x", "y"])).states == 0
