import numpy as np

from snnc import ops
from snnc.engine.simulate import simulate
from snnc.neurons import Neurons
from snnc.passes.calibrate_scales import CalibrateScales
from snnc.passes.fit_activations import FitActivations
from snnc.passes.refit_decoders import RefitDecoders
from snnc.passes.swap_activations import SwapActivations
from snnc.testing import apply, chain
from tests.passes.test_fit_activations import conv, samples

STEPS = 24
X = samples((9, 9, 2), batch=96)


def model():
    names = ["x", "l1", "a1", "l2", "a2", "y"]
    return chain(ops.Input(shape=(9, 9, 2)), conv(2, 6), ops.Swish(), conv(6, 8), ops.Tanh(), conv(8, 3), names=names)


def spiking(graph, neurons="soft-reset-if"):
    """Return a graph whose activations are sums of spiking ReLUs."""
    graph = apply(FitActivations(neurons=neurons), graph, samples=X)
    graph = apply(SwapActivations(neurons=neurons), graph)
    return apply(CalibrateScales(), graph, samples=X, steps=STEPS)


def refitted(graph, reference, **options):
    return apply(RefitDecoders(), graph, samples=X, model=reference, steps=STEPS, **options)


def error(graph, reference):
    x, window = samples((9, 9, 2), batch=64, seed=1), slice(STEPS // 2, STEPS)
    got = simulate(graph, x, STEPS, window=window).outputs["y"][:, window].mean(axis=1)
    wanted = reference.evaluate(x)["y"]
    return np.sqrt(np.mean((got - wanted) ** 2)) / wanted.std()


def test_the_network_comes_nearer_to_the_model_on_other_samples():
    reference = model()
    before = spiking(reference)
    assert error(refitted(before, reference), reference) < 0.8 * error(before, reference)


def test_only_decoders_change():
    reference = model()
    before = spiking(reference)
    after = refitted(before, reference)
    changed = {node.name for node in after if node != before[node.name]}
    assert changed == {"a1", "a2"}


def test_neurons_that_take_spikes_back_need_none():
    before = spiking(model(), "signed-if")
    assert any(isinstance(node.op, Neurons) for node in before)
    assert refitted(before, model()) == before


def test_made_inputs_say_nothing_of_means():
    before = spiking(model())
    assert refitted(before, model(), made=True) == before


def test_a_graph_without_sums_stays():
    graph = chain(ops.Input(shape=(9, 9, 2)), conv(2, 6), ops.Relu(), conv(6, 3), names=["x", "l1", "a1", "y"])
    graph = apply(SwapActivations(neurons="soft-reset-if"), graph)
    assert refitted(graph, graph) == graph
