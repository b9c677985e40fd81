import numpy as np
from snnc_loihi.passes.calibrate import Calibrate
from snnc_loihi.passes.set_rates import SetRates

import snnc
from snnc.api import Neurons, Synapse, evaluate_nodes, neurons, ops, simulate, with_ideal_rates
from snnc.testing import apply
from tests.plugins.loihi.graphs import chip, conv, dense, random, row

STEPS = 60
WINDOW = slice(20, STEPS)


def samples(graph, batch=48, seed=0):
    rng = np.random.default_rng(seed)
    return {"x": rng.uniform(0, 1, (batch, *graph["x"].type.shape)).astype(np.float32)}


def layers():
    """Return a graph of three layers with ranges and filters, and the model that it stands for."""
    low_pass = Synapse(model=neurons.Lowpass(tau=0.002))
    graph = row(
        (6, 6, 2),
        conv(3, 2, 6),
        chip(),
        low_pass,
        conv(3, 6, 8, padding="same"),
        chip(),
        low_pass,
        conv(4, 8, 5),
        name="n",
    )
    return apply(SetRates(), graph, samples=samples(graph)), with_ideal_rates(graph)


def said(graph, name, x):
    return simulate(graph, x, STEPS, window=WINDOW, watch=[name], outputs=False).means[name]


def calibrated(graph):
    return apply(Calibrate(), graph, samples=samples(graph), steps=STEPS)


def test_outputs_come_closer_to_the_model_on_other_samples():
    graph, model = layers()
    x = samples(graph, seed=1)
    wanted = model.evaluate(x)["y"]

    def error(g):
        outputs = simulate(g, x, STEPS, window=WINDOW).outputs["y"][:, WINDOW].mean(axis=1)
        return np.sqrt(np.mean((outputs - wanted) ** 2)) / wanted.std()

    assert error(graph) > 0.2
    assert error(calibrated(graph)) < 0.6 * error(graph)


def test_the_layers_before_are_corrected_first():
    graph, model = layers()
    x = samples(graph)
    wanted = evaluate_nodes(model, x, {"b"})["b"]
    before, after = (np.abs(said(g, "b", x) - wanted).mean() for g in (graph, calibrated(graph)))
    assert after < 0.9 * before
    assert [n.op for n in calibrated(graph) if isinstance(n.op, Neurons)] == [
        n.op for n in graph if isinstance(n.op, Neurons)
    ]


def test_a_silent_channel_stays_as_it_is():
    graph = row((4,), dense(4, 3), chip(0.01), dense(3, 2))
    weight = np.abs(random(4, 3))
    weight[:, 0] *= -1
    graph.replace("dense", type(graph["dense"].op)(weight=weight, bias=np.zeros(3, dtype=np.float32)))
    after = calibrated(graph)
    last = after.output_nodes["y"]
    np.testing.assert_allclose(after[last].op.weight[0], graph[graph.output_nodes["y"]].op.weight[0])
    assert np.all(np.abs(after[last].op.weight[1:]) > np.abs(graph[graph.output_nodes["y"]].op.weight[1:]))


def test_other_neurons_are_left_alone():
    graph = row((4,), dense(4, 3), Neurons(model=neurons.SoftResetIf(), scale=0.01), dense(3, 2))
    assert calibrated(graph) == graph


def test_it_is_kept_where_samples_held_back_say_so():
    graph = row((6, 6, 1), conv(3, 1, 4), ops.Relu(), conv(4, 4, 3), name="whole")
    c = snnc.compile(
        graph,
        backend="loihi",
        neurons="loihi-signed-if",
        synapse=0.002,
        calibration=samples(graph)["x"],
        verify=False,
        build=False,
    )
    (entry,) = (e for e in c.journal if e.name == "loihi-calibrate")
    assert entry.changed
    assert entry.kept
    assert entry.loss[1] < 0.6 * entry.loss[0]


def test_sums_of_relus_get_the_weights_that_suit_the_rates_of_their_neurons():
    model = row((6, 6, 2), conv(3, 2, 6), ops.Swish(), conv(3, 6, 8), ops.Tanh(), conv(2, 8, 5), name="n")
    x = samples(model)
    calibrated_, plain = (
        snnc.compile(
            model,
            backend="loihi",
            neurons="loihi-signed-if",
            synapse=0.002,
            calibration=x["x"],
            verify=False,
            build=False,
            skip=skip,
        )
        for skip in ((), ["loihi-calibrate"])
    )
    (entry,) = (e for e in calibrated_.journal if e.name == "loihi-calibrate")
    assert entry.kept
    other = samples(model, seed=1)
    wanted = model.evaluate(other)["y"]

    def error(c):
        outputs = simulate(c.graph, other, STEPS, window=WINDOW).outputs["y"][:, WINDOW].mean(axis=1)
        return np.sqrt(np.mean((outputs - wanted) ** 2)) / wanted.std()

    assert error(calibrated_) < 0.25
    assert error(calibrated_) < 0.6 * error(plain)
