"""What a model says of its spikes for an activation that stays the same is what they say."""

import numpy as np
import pytest

from snnc import neurons, ops
from snnc.analysis.quantised import counted
from snnc.engine.simulate import simulate
from snnc.ops.changes import Difference
from snnc.testing import chain

DT = 0.0009765625  # 2 ** -10, so that nothing is rounded
STEPS = 16
MODELS = [
    neurons.SoftResetIf(),
    neurons.SoftResetIf(gamma=3, initial=0.5),
    neurons.SignedIf(gamma=2),
    neurons.SignedIf(gamma=2).replacing(ops.Tanh()),
    neurons.SignedIf(gamma=4).replacing(ops.Linear()),
    neurons.SigmaDelta(levels=3),
    neurons.SigmaDelta(levels=6, spikes=2).replacing(ops.Linear()),
    neurons.SigmaDelta(levels=2).replacing(ops.Tanh()),
]


@pytest.mark.parametrize("steps", [1, 4, STEPS])
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_it_is_what_a_run_gives(model, steps):
    wanted = np.arange(-48, 49, dtype=np.float32)[None] / 16  # in units of what one spike a step stands for
    fire = neurons.Neurons(model=model, scale=DT * 4.0)
    parts = [ops.Input(shape=(97,)), *([Difference()] if model.graded else []), fire]
    graph = chain(*parts, names=[*["x", "change", "fire"][: len(parts) - 1], "fire"])
    ran = simulate(graph, {"x": wanted * 4}, steps, window=slice(0, steps), dt=DT, watch=["fire"])
    reached, said = counted(fire, fire.evaluate(wanted * 4), steps, DT)
    np.testing.assert_allclose(fire.decoded(ran.means["fire"], steps), said, atol=1e-6)
    beyond = reached != fire.evaluate(wanted * 4)
    assert (np.abs(reached[beyond]) < np.abs(fire.evaluate(wanted * 4)[beyond])).all()


def test_other_models_say_nothing():
    for model in (neurons.Lif(), neurons.Poisson(base="lif-rate")):
        assert counted(neurons.Neurons(model=model, scale=1.0), np.ones((1, 2), np.float32), 4, DT) is None


def test_with_a_random_start_it_is_off_by_a_spike_at_most():
    x = np.linspace(0, 3, 4000, dtype=np.float32)[None]
    fire = neurons.Neurons(model=neurons.SpikingRelu(), scale=DT)
    graph = chain(ops.Input(shape=(4000,)), fire, names=["x", "fire"])
    ran = simulate(graph, {"x": x}, 5, window=slice(0, 5), dt=DT, watch=["fire"])
    _, said = counted(fire, x, 5, DT)
    assert np.abs(said - ran.means["fire"]).max() <= 0.2 + 1e-6
