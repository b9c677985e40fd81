import numpy as np
import pytest

from snnc.ir import activations as act
from snnc.ir import neurons

CURRENTS = np.array([-5.0, 0.0, 3.0, 20.0, 80.0, 150.0, 300.0], dtype=np.float32)


def test_every_model_stands_for_something_and_has_a_kind():
    activations = [act.Relu(), act.Sigmoid(), act.Tanh()]
    assert len(neurons.MODELS) >= 6
    for model in neurons.MODELS:
        assert any(model().represents(a) for a in activations), model.kind


@pytest.mark.parametrize("model", [m() for m in neurons.MODELS if m.exact], ids=lambda m: m.kind)
def test_an_exact_model_has_the_curve_of_its_activation(model):
    (activation,) = (a for a in (act.Relu(), act.Sigmoid(), act.Tanh()) if model.represents(a))
    x = np.linspace(-3, 3, 50, dtype=np.float32)
    assert np.allclose(model.rate(x), activation.evaluate(x), atol=1e-6)


@pytest.mark.parametrize("model", [m() for m in neurons.MODELS if m.spiking], ids=lambda m: m.kind)
def test_a_spiking_model_fires_at_its_rate(model, rng):
    dt, steps = 0.001, 4000
    state = model.start(CURRENTS.shape, rng)
    spikes = sum(model.step(CURRENTS.copy(), state, dt) * dt for _ in range(steps))
    assert np.allclose(spikes / (steps * dt), model.rate(CURRENTS), atol=1.0)


def test_lif_follows_its_wanted_rate_where_it_is_far_from_threshold_and_refractoriness():
    slow = neurons.LifRate(tau_rc=0.02, tau_ref=0.0)
    wanted = np.array([100.0, 500.0], dtype=np.float32)
    assert np.allclose(slow.rate(wanted), wanted, rtol=0.05)
