"""``snnc.compile`` in a program."""

import numpy as np
import pytest

import snnc
from snnc import neurons, ops, runnable
from snnc.engine import rate
from snnc.errors import DataError, UsageError
from snnc.evaluation import verify
from snnc.evaluation.verify import Check, Finding
from snnc.ir.made_for import MadeFor
from snnc.passes.base import Pass, Stage
from snnc.testing import chain
from tests import models
from tests.conftest import dense


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return models.small_cnn(tmp_path_factory.mktemp("models") / "model.keras")


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(3).uniform(0, 1, size=(6, 8, 8, 1)).astype(np.float32)


def test_run_predict_and_the_network(model, x):
    c = snnc.compile(model, level=1, scale=500, steps=20)
    outputs = c.run(x, steps=30)
    assert outputs["out"].shape == (6, 30, 3)
    assert np.allclose(c.predict(x, steps=30), outputs["out"][:, 15:].mean(axis=1), atol=1e-5)
    assert c.run(x)["out"].shape == (6, 20, 3)
    assert {str(c.network_map[name])[1:9] for name in ("conv_a", "conv_b")} == {"Neurons "}
    assert c.network_map["flatten"] is not None
    assert c.program.network is c.network


def test_the_same_seed_gives_the_same_spikes_and_another_seed_others(model, x):
    a, b, c = (snnc.compile(model, level=1, scale=100, seed=seed, verify=False).run(x, 20)["out"] for seed in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_save_and_load_give_the_same_spikes(model, x, tmp_path):
    c = snnc.compile(model, scale=100, synapse=0.002)
    c.save(tmp_path / "out")
    back = snnc.load(tmp_path / "out")
    assert back.graph == c.graph
    assert back.source == c.source
    assert back.notes == c.notes
    assert [e.name for e in back.journal] == [e.name for e in c.journal]
    assert np.array_equal(back.run(x, 15)["out"], c.run(x, 15)["out"])


def test_the_read_out_is_chosen_and_kept(model, x, tmp_path):
    c = snnc.compile(model, scale=200, synapse=0.005, read_out="last", steps=20, verify=False)
    c.save(tmp_path / "out")
    back = snnc.load(tmp_path / "out")
    assert np.array_equal(back.predict(x), c.run(x)["out"][:, -1])
    y = np.arange(6) % 3
    chosen = c.run(x)["out"].argmax(axis=-1)
    assert c.evaluate(x, y).accuracy_by_step == tuple(np.mean(chosen == y[:, None], axis=0))


def test_spikes_approach_the_model_with_more_steps_and_a_higher_scale(model, x):
    want = snnc.import_model(model).evaluate(x)["out"]
    errors = []
    for scale, steps in ((50, 20), (1000, 200)):
        got = snnc.compile(model, level=1, scale=scale, synapse=0.005, verify=False).predict(x, steps)
        errors.append(np.abs(got - want).max() / np.abs(want).max())
    assert errors[1] < 0.05 < errors[0]


def test_evaluate_takes_labels_beside_or_inside_the_inputs(model, x, tmp_path):
    c = snnc.compile(model, scale=500, verify=False)
    y = c.source.evaluate(x)["out"].argmax(axis=1)
    measured = c.evaluate(x, y, steps=40)
    assert measured.model_accuracy == 1.0
    assert measured.rates["conv_a"] > 0
    np.savez(tmp_path / "d.npz", x=x, y=y)
    assert c.evaluate(tmp_path / "d.npz", steps=40) == measured
    with pytest.raises(DataError, match="needs labels"):
        c.evaluate(x, steps=40)
    with pytest.raises(DataError, match="the model has classes 0 to 2, the labels run from 4 to 9"):
        c.evaluate(x, np.arange(4, 10) % 10, steps=40)


def test_many_samples_are_looked_at_part_by_part(model, x, monkeypatch):
    c = snnc.compile(model, scale=500, verify=False)
    y = c.source.evaluate(x)["out"].argmax(axis=1)
    measured, verified = c.evaluate(x, y, steps=10), c.verify(x, steps=10)
    monkeypatch.setattr(runnable, "ELEMENTS", 1)
    monkeypatch.setattr(runnable, "FEWEST", 4)
    recorded = []
    run = c.program.run
    monkeypatch.setattr(c.program, "run", lambda x, *a, **k: (recorded.append(len(x["input"])), run(x, *a, **k))[1])
    again = c.evaluate(x, y, steps=10, engine="program")
    assert again.accuracy_by_step == measured.accuracy_by_step
    assert again.spikes == measured.spikes
    assert again.layers[1].error == pytest.approx(measured.layers[1].error, rel=1e-5)
    parted = c.verify(x, steps=10)
    assert recorded == [3, 3, 3, 3]
    assert parted.backend_error == pytest.approx(verified.backend_error, rel=1e-5)
    errors, whole = ([row.backend for row in report.layers if row.backend is not None] for report in (parted, verified))
    assert len(errors) == 2
    assert errors == pytest.approx(whole, rel=1e-5)


def test_calibration_samples_are_what_compile_verifies_with(model, x):
    report = snnc.compile(model, level=1, neurons="relu", calibration={"input": x}).report
    assert (report["samples"], report["real"]) == (6, True)
    assert snnc.compile(model, neurons="relu").report["real"] is False
    assert snnc.compile(model, neurons="relu", verify=False).report is None


def test_verify_names_the_layer_where_the_error_starts(model, x):
    c = snnc.compile(model, neurons="relu", level=0)
    broken = c.graph.copy()
    op = broken["conv_b.linear"].op
    broken.replace("conv_b.linear", type(op)(**{**op.attrs(), "bias": op.bias + 1}))
    c.graph = broken
    report = c.verify(x)
    assert not report.passed
    assert report.starts_at == "conv_b"
    assert "the passes changed the outputs" in report.problems[0]


def test_verify_names_the_pass_that_lied(model, x):
    class Lies(Pass):
        name, stage, exact = "lies", Stage.CANONICALIZE, True

        def apply(self, graph, context):
            op = graph["out"].op
            graph.replace("out", type(op)(**{**op.attrs(), "bias": op.bias + 1}))

    report = snnc.compile(model, neurons="relu", passes=[Lies()]).verify(x)
    assert not report.passed
    assert "most of it by lies" in report.problems[0]


def test_a_plugins_check_is_part_of_the_report(model):
    class TooBig(Check):
        name = "too-big"

        def inspect(self, subject, report):
            return [Finding("nodes", f"{len(subject.graph)} of 3 allowed", passed=len(subject.graph) <= 3)]

    report = snnc.compile(model, neurons="relu", passes=[TooBig()]).report
    assert report["passed"] is False
    assert report["problems"] == ["nodes: 7 of 3 allowed"]


def test_an_agreement_too_low_on_real_samples_fails_with_the_remedy(model, x):
    report = snnc.compile(model, level=1, scale=1, verify=False).verify(x, steps=3)
    assert report.agreement < 0.9
    assert "raise --scale" in report.problems[0]


def test_strict_refuses_what_does_not_spike(tmp_path):
    rng = np.random.default_rng(0)
    layers = [models.input_layer(3), models.dense_layer("a", 4, "relu"), models.dense_layer("b", 2, "softmax")]
    weights = {"dense": [rng.normal(size=(3, 4)), np.zeros(4)], "dense_1": [rng.normal(size=(4, 2)), np.zeros(2)]}
    path = models.write_keras(tmp_path / "m.keras", models.sequential(layers), weights)
    with pytest.raises(
        snnc.SnncError, match=r"strict: 1 nonlinearities do not spike: b \(softmax\).*drop-final-softmax"
    ):
        snnc.compile(path, strict=True, level=0)
    with pytest.raises(snnc.SnncError, match=r"a \(relu\)"):
        snnc.compile(path, strict=True, neurons="relu", passes=["drop-final-softmax"])
    assert snnc.compile(path, strict=True).graph["b"].op.kind == "deferred"
    c = snnc.compile(path, strict=True, passes=["drop-final-softmax"])
    assert c.census.host == ()
    assert c.census.spiking_share == 8 / 20


@pytest.mark.parametrize(
    "end", [[ops.Tanh()], [ops.Sigmoid()], [ops.UnitNorm(axes=(0,))], [ops.Standardize(axes=(0,)), ops.Softmax()]]
)
def test_what_is_nonlinear_at_the_end_comes_close_to_the_model_with_steps(rng, end):
    heads = chain(ops.Input(shape=(6,)), dense(rng, 6, 12), ops.Relu(), dense(rng, 12, 4), *end)
    x = rng.uniform(0, 1, size=(8, 6)).astype(np.float32)
    c = snnc.compile(heads, neurons="soft-reset-if", scale=100, strict=True, verify=False)
    want = heads.evaluate(x)[heads.outputs[0]]
    few, many = (np.abs(c.predict(x, steps) - want).max() for steps in (16, 1600))
    assert many < 0.03 < few
    assert c.run(x, 8)[heads.outputs[0]].shape == (8, 8, 4)


def spiking(**settings):
    """Return a graph that spikes already, with an activation that no pass may touch."""
    graph = chain(
        ops.Input(shape=(3,)),
        ops.Relu(),
        neurons.Neurons(model=neurons.SoftResetIf(initial=0.25), scale=0.01),
        ops.Dense(weight=np.eye(3, dtype=np.float32), bias=np.zeros(3, np.float32)),
    )
    graph.made_for = MadeFor(**settings)
    return graph


def test_a_network_that_spikes_already_is_translated_as_it_is():
    graph = spiking(dt=0.002, steps=7, read_out="last{start=0.5}", seed=3, notes=("as it is written",))
    c = snnc.compile(graph, verify=False)
    assert c.graph == graph
    said = c.settings
    assert (said.level, said.dt, said.steps, said.seed, said.read_out) == (0, 0.002, 7, 3, "last{start=0.5}")
    assert "as it is written" in c.notes
    mine = snnc.compile(graph, dt=0.001, steps=2, seed=0, read_out=0.25, verify=False).settings
    assert (mine.dt, mine.steps, mine.seed, mine.read_out) == (0.001, 2, 0, "mean{start=0.25}")
    defaults = snnc.compile(spiking(), verify=False).settings
    assert (defaults.dt, defaults.steps, defaults.seed, defaults.read_out) == (0.001, None, 0, "mean{start=0.5}")


def test_passes_run_on_it_only_where_they_are_named():
    c = snnc.compile(spiking(), passes=["swap-activations"], verify=False)
    assert [entry.name for entry in c.journal] == ["swap-activations{neurons=spiking-relu}"]
    assert len(c.graph.nodes(neurons.Neurons)) == 2


@pytest.mark.parametrize(
    "chosen", [{"neurons": "lif"}, {"scale": 5.0}, {"synapse": 0.1}, {"level": 1}, {"code": "counted"}]
)
def test_its_neurons_and_rates_are_not_chosen_again(chosen):
    with pytest.raises(UsageError, match="is a spiking network already"):
        snnc.compile(spiking(), **chosen)


def test_a_backend_with_neurons_of_its_own_takes_it_as_a_model():
    from snnc_nengo.backend import NengoBackend

    class Chip(NengoBackend):
        name = "chip"
        extends = "nengo"
        keeps_neurons = False

    c = snnc.compile(spiking(dt=0.002, steps=7), backend=Chip(), level=1, neurons="lif", verify=False)
    assert (c.settings.dt, c.settings.steps, c.settings.level) == (0.001, None, 1)
    assert {node.op.model.kind for node in c.graph.nodes(neurons.Neurons)} == {"lif", "soft-reset-if"}


def test_wrong_arguments_are_errors(model, x):
    with pytest.raises(UsageError, match="neither a model file"):
        snnc.compile(object())
    with pytest.raises(UsageError, match=r"run: steps is 2\.5, not of type int"):
        snnc.compile(model, verify=False).run(x, steps=2.5)
    with pytest.raises(UsageError, match="steps must be"):
        snnc.compile(model, verify=False).run(x, steps=0)
    with pytest.raises(DataError, match="unknown input 'wrong'"):
        snnc.compile(model, verify=False).run({"wrong": x})


def test_a_pass_that_measures_is_told_whether_its_samples_are_made_up(model, x):
    seen = []

    class Measures(Pass):
        name, stage, needs_calibration = "measures", Stage.SCALE, True

        def apply(self, graph, context):
            seen.append((context.made, len(context.samples["input"])))

    snnc.compile(model, level=1, passes=[Measures()])
    snnc.compile(model, level=1, passes=[Measures()], calibration=np.concatenate([x, x]))
    assert seen == [(True, 64), (False, 6)]


def test_a_model_that_overflows_is_one_clear_error(tmp_path):
    layers = [models.input_layer(2), models.dense_layer("a", 2, "exponential"), models.dense_layer("b", 2)]
    weights = {"dense": [np.full((2, 2), 500.0), np.zeros(2)], "dense_1": [np.eye(2), np.zeros(2)]}
    path = models.write_keras(tmp_path / "m.keras", models.sequential(layers), weights)
    with pytest.raises(snnc.SnncError, match="non-finite value; look at its weights"):
        snnc.compile(path, level=1)
    with pytest.raises(snnc.SnncError, match="infinite or NaN in the model itself; look at its weights"):
        snnc.compile(path)


def test_verify_evaluates_each_graph_once_a_part(model, x, monkeypatch):
    c = snnc.compile(model, scale=200, verify=False)
    whole = c.verify(x, steps=20)
    seen = []

    def counted(graph, inputs, keep, evaluate_nodes=rate.evaluate_nodes):
        seen.append((graph is c.source, len(inputs["input"])))
        return evaluate_nodes(graph, inputs, keep)

    monkeypatch.setattr(rate, "evaluate_nodes", counted)
    monkeypatch.setattr(verify, "evaluate_nodes", counted)
    monkeypatch.setattr(runnable, "FEWEST", 2)
    monkeypatch.setattr(runnable, "ELEMENTS", 1)
    in_parts = c.verify(x, steps=20)
    assert sorted(seen) == 3 * [(False, 2)] + 3 * [(True, 2)]
    assert in_parts.agreement == whole.agreement
    assert np.allclose([in_parts.rewrite_error, in_parts.backend_error], [whole.rewrite_error, whole.backend_error])


@pytest.mark.parametrize("options", [{"scale": 200}, {"code": "counted"}, {"steps": 4}, {"neurons": "relu"}])
def test_a_trace_has_the_spikes_of_every_step_and_layer(model, x, options):
    c = snnc.compile(model, verify=False, **options)
    spikes = c.trace(x, steps=10)
    found = c.evaluate(x[:1], np.zeros(1, int), steps=10)
    assert list(spikes) == [row.layer for row in found.layers]
    for row in found.layers:
        assert spikes[row.layer].shape == (10, *c.graph[row.layer].type.shape)
        sent = np.abs(spikes[row.layer])
        assert np.allclose(sent * 64, np.round(sent * 64), atol=1e-3)
        assert np.count_nonzero(sent > 1e-3) == pytest.approx(row.messages)
