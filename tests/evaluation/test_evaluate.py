import numpy as np
import pytest
from scipy.stats import binomtest

import snnc
from snnc import neurons, ops
from snnc.analysis.cost import AC_45NM, MAC_45NM
from snnc.analysis.errors import interval, rounded
from snnc.analysis.quantised import quantised_graph
from snnc.engine.answers import finish_each
from snnc.engine.read_out import MeanReadOut
from snnc.engine.simulate import simulate
from snnc.evaluation.evaluate import evaluation
from snnc.evaluation.measures import stays_from
from snnc.evaluation.tasks import tasks_and_targets
from snnc.ops.read_out_activation import ReadOutActivation
from snnc.samples import Samples
from snnc.testing import chain
from snnc.testing.graphs import sequence_model
from tests.conftest import dense

DT = 0.001


@pytest.fixture
def network(rng):
    fire = neurons.Neurons(model=neurons.SoftResetIf(initial=0.5), scale=0.002)
    return chain(
        ops.Input(shape=(4,)), dense(rng, 4, 6), fire, dense(rng, 6, 5), fire, dense(rng, 5, 3),
        names=["x", "d1", "n1", "d2", "n2", "out"],
    )  # fmt: skip


def measure(graph, steps=20, batch=30, most=30, watch=("n1", "n2")):
    rng = np.random.default_rng(5)
    x = {"x": rng.normal(size=(batch, 4)).astype(np.float32)}
    labelled = Samples(x).labelled(graph, graph.evaluate(x)["out"].argmax(axis=1))
    tasks, samples = tasks_and_targets(graph, labelled)

    def recorded(part):
        return simulate(graph, part.inputs, steps, window=slice(0, steps), watch=watch)

    runs = [(part, recorded(part)) for part in samples.parts(most)]
    return evaluation(graph, graph, runs, steps, DT, MeanReadOut(start=0.0), tasks), recorded(samples), x


def test_it_does_not_matter_in_what_parts_the_samples_come(network):
    whole, parted = (list(leaves(measure(network, most=most)[0].as_dict())) for most in (30, 7))
    assert len(whole) > 60
    whole, parted = ([0.0 if n is None else n for n in numbers] for numbers in (whole, parted))
    assert parted == pytest.approx(whole, rel=1e-5)


def leaves(value):
    """Yield the numbers in dicts and sequences."""
    if isinstance(value, (dict, list, tuple)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    elif not isinstance(value, str):
        yield value


def test_parts_are_of_nearly_one_size_and_keep_their_labels():
    samples = Samples({"x": np.arange(10.0)[:, None]}, {"out": np.arange(10)})
    parts = samples.parts(4)
    assert [len(part) for part in parts] == [3, 3, 4]
    assert np.concatenate([part.labels["out"] for part in parts]).tolist() == list(range(10))
    assert np.concatenate([part.inputs["x"] for part in parts])[:, 0].tolist() == list(range(10))
    assert [len(part) for part in samples.parts(100)] == [10]


def test_the_first_layer_has_no_timing_error_and_the_parts_are_what_they_say(network):
    found, _, x = measure(network)
    first, second = found.layers
    assert first.timing == pytest.approx(0, abs=1e-5)  # its input is constant, so counting says it all
    assert first.quantised == pytest.approx(first.error, abs=1e-5)
    assert second.timing > 0
    a = network.evaluate(x) and np.maximum(x["x"] @ network["d1"].op.weight + network["d1"].op.bias, 0)
    assert first.saturated == pytest.approx(np.mean(a > 2.0))
    clipped = np.sqrt(np.mean((np.minimum(a, 2.0) - a) ** 2)) / np.sqrt(np.mean(a**2))
    assert first.clipping == pytest.approx(clipped, rel=1e-4)


def test_spikes_rates_and_operations_are_counted(network):
    found, run, _ = measure(network, steps=20)
    counts = {name: run.totals[name] / (0.002 / DT) for name in ("n1", "n2")}
    assert found.spikes == pytest.approx(sum(c.sum(axis=1).mean() for c in counts.values()), rel=1e-5)
    assert found.rates["n1"] == pytest.approx(counts["n1"].mean() / 0.02, rel=1e-5)
    n1 = counts["n1"].sum(axis=1).mean()
    n2 = counts["n2"].sum(axis=1).mean()
    assert found.synops == pytest.approx(5 * n1 + 3 * n2, rel=1e-5)
    assert found.cost.effective_acs == pytest.approx(found.synops)
    assert found.cost.effective_macs == pytest.approx(4 * 6 * 20)
    assert found.cost.dense == (24 + 30 + 15) * 20
    assert found.cost.energy_model == pytest.approx((24 + 30 + 15) * MAC_45NM)
    assert found.cost.energy_45nm == pytest.approx(24 * MAC_45NM + found.synops * AC_45NM)


def test_filtered_spikes_are_values_and_cost_products(network):
    network.insert_after("n1", "filter", neurons.Synapse(model=neurons.Lowpass(tau=0.005)))
    found, run, _ = measure(network)
    fired = (run.totals["n1"] > 0).mean(axis=0).sum()
    assert found.cost.effective_macs == pytest.approx((24 + 5 * fired) * 20, rel=1e-5)
    assert found.cost.effective_acs < found.synops


def test_what_the_host_computes_counts_and_the_model_is_no_dearer_than_itself(rng):
    """Without one neuron it is the model: every weight behind a value is a product, once as nothing changes."""
    graph = chain(
        ops.Input(shape=(4,)), dense(rng, 4, 6), ops.Swish(), dense(rng, 6, 5), dense(rng, 5, 3), ops.Relu(),
        names=["x", "d1", "s1", "d2", "d3", "out"],
    )  # fmt: skip
    found, _, _ = measure(graph, steps=7, watch=())
    assert found.cost.energy_45nm == pytest.approx((24 + 30 + 15) * MAC_45NM)
    assert found.cost.energy_45nm == pytest.approx(found.cost.energy_model) == found.cost.energy_model_sparse
    assert found.cost.effective_macs == (24 + 30 + 15) * 7
    assert found.spikes_per_neuron is None and not found.silent


def test_behind_spikes_the_host_and_weights_behind_weights_work_in_every_step(rng, network):
    network.insert_after("n2", "host", ops.Swish())
    network.insert_after("host", "more", dense(rng, 5, 5))
    found, run, _ = measure(network, steps=20)
    n1 = run.totals["n1"].sum(axis=1).mean() / (0.002 / DT)
    assert found.cost.effective_acs == pytest.approx(5 * n1, rel=1e-5)
    assert found.cost.energy_45nm == pytest.approx((24 + 20 * (25 + 15)) * MAC_45NM + 5 * n1 * AC_45NM, rel=1e-5)


def test_the_models_products_of_zeros_are_told_apart(network):
    for name in ("n1", "n2"):
        network.replace(name, ops.Relu())
    found, _, x = measure(network, watch=())
    hidden = [np.maximum(x["x"] @ network["d1"].op.weight + network["d1"].op.bias, 0)]
    hidden.append(np.maximum(hidden[0] @ network["d2"].op.weight + network["d2"].op.bias, 0))
    of_zeros = sum((h == 0).mean(axis=0).sum() * n for h, n in zip(hidden, (5, 3), strict=True))
    assert of_zeros > 0
    assert found.cost.energy_model_sparse == pytest.approx((24 + 30 + 15 - of_zeros) * MAC_45NM)


def test_a_network_that_nothing_gets_through_is_silent(rng, network):
    spikes, _, _ = measure(network)
    assert not spikes.silent
    assert spikes.spikes_per_neuron == pytest.approx(spikes.spikes / 11)
    network.replace("d2", ops.Dense(weight=np.zeros((6, 5)), bias=np.full(5, -1.0)))
    found, _, _ = measure(network)
    assert found.spikes > 0 and found.silent


def test_accuracy_by_step_is_that_of_the_read_out_after_each_step(network):
    found, _, _ = measure(network, steps=12)
    assert len(found.accuracy_by_step) == len(found.agreement_by_step) == 12
    assert found.accuracy == found.accuracy_by_step[-1] == found.agreement
    assert found.model_accuracy == 1.0
    low, high = found.accuracy_interval
    assert low < found.accuracy <= high


def test_a_deferred_softmax_is_applied_to_every_read_out(network):
    network.insert_after("out", "soft", ReadOutActivation(activation=ops.Softmax()))
    _, run, _ = measure_deferred(network)
    y = finish_each(network, {"out": MeanReadOut(start=0.0).every_step(run.outputs["out"], 0.001)})["out"]
    assert np.allclose(y.sum(axis=-1), 1, atol=1e-5)
    assert np.allclose(y[:, -1], ops.Softmax().evaluate(run.outputs["out"].mean(axis=1)), atol=1e-5)


def measure_deferred(graph):
    x = {"x": np.random.default_rng(5).normal(size=(6, 4)).astype(np.float32)}
    return None, simulate(graph, x, 10, window=slice(0, 10)), x


def test_neurons_without_a_counting_form_have_no_twin(rng):
    lif = neurons.Neurons(model=neurons.Lif(), scale=0.01)
    graph = chain(ops.Input(shape=(4,)), lif, dense(rng, 4, 3), names=["x", "n1", "out"])
    assert quantised_graph(graph, 10, DT) is None


@pytest.mark.parametrize("code", ["graded", "counted"])
def test_the_errors_of_codes_are_split_and_nothing_is_late_in_the_first_layer(rng, code):
    graph = chain(
        ops.Input(shape=(4,)),
        dense(rng, 4, 8, ops.Tanh()),
        dense(rng, 8, 8, ops.Relu()),
        dense(rng, 8, 3),
        names=["x", "d1", "d2", "out"],
    )
    x = rng.normal(size=(40, 4)).astype(np.float32)
    y = graph.evaluate({"x": x})["out"].argmax(axis=1)
    first, second = snnc.compile(graph, code=code, steps=6, calibration=x).evaluate(x, y).layers
    assert None not in (first.clipping, first.quantisation, first.quantised, first.timing, second.timing)
    assert first.timing < 1e-5 < first.quantisation <= first.quantised == pytest.approx(first.error, rel=1e-3)


@pytest.mark.parametrize(
    ("accuracy", "wanted", "first"),
    [([0.1, 0.9, 0.5, 0.9, 0.95], 0.9, 4), ([0.9, 0.9], 0.5, 1), ([0.9, 0.1], 0.5, None), ([0.5], 0.5, 1)],
)
def test_the_step_from_which_on_it_stays(accuracy, wanted, first):
    assert stays_from(accuracy, wanted) == first


def test_the_interval_is_wilsons():
    assert interval(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert interval(1.0, 50)[1] == 1.0
    for hits, samples in ((0, 10), (7, 10), (500, 1000), (9921, 10000)):
        scipy = binomtest(hits, samples).proportion_ci(method="wilson")  # takes 0.5 s to import, and z is 1.95996
        assert interval(hits / samples, samples) == pytest.approx((scipy.low, scipy.high), abs=1e-5)


def test_numbers_for_files_are_short_and_finite():
    given = {"a": 1.23456, "b": [float("nan"), float("inf"), 2], "c": {"d": (0.000123456, -1e-7, "text", None, True)}}
    assert rounded(given) == {"a": 1.23, "b": [None, None, 2], "c": {"d": [0.00012, 0.0, "text", None, True]}}


def test_the_report_tells_messages_payload_and_spikes_of_the_smallest_size(rng):
    x = rng.uniform(0, 1, size=(20, 6)).astype(np.float32)
    layers = [ops.Input(shape=(6,)), dense(rng, 6, 8), ops.Relu(), dense(rng, 8, 3)]
    graph = chain(*layers)
    labels = np.zeros(20, dtype=int)
    counted = snnc.compile(graph, level=2, calibration=x, code="counted", steps=2, verify=False, build=False)
    measured = counted.evaluate(x, labels)
    assert measured.payload == 1 + int(np.ceil(np.log2(counted.graph["relu"].op.model.gamma)))
    assert measured.messages < measured.spikes == measured.unit_spikes
    graded = snnc.compile(graph, level=2, calibration=x, steps=2, verify=False, build=False)
    measured = graded.evaluate(x, labels)
    levels = graded.graph["relu"].op.model.levels
    assert measured.payload == 1 + int(np.ceil(np.log2(levels + 3)))
    assert measured.messages == measured.spikes <= 2 * 8
    assert measured.spikes < measured.unit_spikes <= measured.spikes * 2 ** (levels + 2)


@pytest.mark.parametrize("read_out", ["last", "mean{start=0.5}"])
def test_changes_of_a_sequence_are_held_against_what_they_add_up_to(read_out):
    graph = sequence_model(0.01)
    slow = np.sin(np.linspace(0, 2, 40))[None, :, None] * np.arange(1.0, 6.0) / 5
    x = {"x": np.repeat(slow.astype(np.float32), 12, axis=0), "y": np.arange(12) % 3}
    fine = {"neurons": "sigma-delta{levels=14 spikes=4}", "scale": 100, "level": 1, "read_out": read_out}
    c = snnc.compile(graph, verify=False, **fine)
    found, report = c.evaluate(x), c.verify(x)
    assert found.layers[0].error < 0.02
    assert report.starts_at is None
    assert next(row.backend for row in report.layers if row.layer == found.layers[0].layer) < 0.02
