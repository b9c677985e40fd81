import json
import shlex

import numpy as np
import pytest

import snnc
from snnc import cli, ops, tune
from snnc.errors import DataError, UsageError
from snnc.neurons import Neurons
from snnc.samples import Samples
from snnc.samples import samples as samples_of
from snnc.testing import chain
from snnc.tune import trials
from snnc.tune.outcomes import outcome
from tests import models
from tests.conftest import dense

SOFT = "soft-reset-if"
"""Neurons without a forecast."""


def test_the_two_halves_are_disjoint():
    x = np.arange(40, dtype=np.float32)[:, None]
    first, second = tune.halves(Samples({"x": x}, {"out": np.zeros(40, int)}))
    assert set(first.inputs["x"].ravel()).isdisjoint(second.inputs["x"].ravel())
    with pytest.raises(DataError, match="39 labelled samples are too few"):
        tune.halves(Samples({"x": x[:39]}, {"out": np.zeros(39, int)}))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a model file and a file of samples that it labels itself."""
    folder = tmp_path_factory.mktemp("tune")
    model = models.small_cnn(folder / "model.keras")
    x = np.random.default_rng(2).uniform(0, 1, size=(120, 8, 8, 1)).astype(np.float32)
    np.savez(folder / "d.npz", x=x, y=tune.import_model(model).evaluate(x)["out"].argmax(axis=1))
    return model, folder / "d.npz"


def search(data, **options):
    model, path = data
    graph = tune.import_model(model)
    return tune.tune(model, samples_of(graph, path), **{"trials": 8, "target_drop": 5.0, **options})


@pytest.mark.parametrize("neurons", [[], ["--code", "counted"], ["--neurons", SOFT]])
@pytest.mark.filterwarnings("ignore::Warning")
def test_a_search_meets_the_target_keeps_its_front_and_its_command_makes_the_same_artifact(
    data, tmp_path, capsys, neurons
):
    if SOFT in neurons:
        pytest.importorskip("optuna")
    model, path = data
    arguments = ["--calibration", str(path), "--trials", "8", "--target-drop", "5", "-o", str(tmp_path / "best")]
    assert cli._run(["tune", str(model), *arguments, *neurons]) == 0
    out, err = capsys.readouterr()
    assert "the front: accuracy against steps, " in out
    kept = json.loads((tmp_path / "best.front.json").read_text())
    assert kept["target_drop"] == 5 and kept["minimise"] == "steps"
    assert [row["steps"] for row in kept["front"]] == sorted(row["steps"] for row in kept["front"])
    assert len(err.strip().splitlines()) >= len(kept["front"])  # each outcome, when it was there
    again = shlex.split(out.strip().splitlines()[-1])
    assert shlex.join(again) in [row["command"] for row in kept["front"]]
    again[-1] = str(tmp_path / "again")
    assert again[:2] == ["snnc", "compile"]
    assert cli._run(again[1:]) == 0
    for name in ("graph.json", "weights.npz"):
        assert (tmp_path / "best" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@pytest.mark.parametrize(("code", "kind"), [(None, "sigma-delta"), ("graded", "sigma-delta"), ("counted", "signed-if")])
def test_a_search_by_forecast_simulates_some_of_its_front_alone(data, code, kind):
    told = []
    found = search(data, code=code, watch=lambda outcome, front: told.append((outcome, front)))
    assert found.trials >= len(told) == found.trials - found.stopped > 0
    assert told[-1][1] == found.front
    assert found.best in found.front or found.best.drop <= 5
    assert found.met
    assert {node.op.model.kind for node in found.compiled.graph.nodes(Neurons)} == {kind}
    assert len(search(data, code=code, trials=1).front) == 1


@pytest.mark.parametrize("code", ["graded", "counted"])
@pytest.mark.parametrize("goal", ["steps", "spikes", "energy"])
def test_the_best_is_the_cheapest_that_was_simulated_and_meets_the_target(data, goal, code):
    told = []
    found = search(data, minimise=goal, code=code, watch=lambda outcome, front: told.append(outcome))
    good = [o for o in told if o.drop <= 5 + 1e-6]
    assert getattr(found.best, goal) == min(getattr(o, goal) for o in good)


def test_a_silent_network_loses_everything(data):
    model, path = data
    compiled = snnc.compile(
        model, level=2, calibration=np.load(path)["x"], verify=False, code="counted", scale=1e-6, steps=2
    )
    found = outcome({}, compiled.evaluate(path))
    assert found.spikes == 0 and found.drop == 100


@pytest.mark.filterwarnings("ignore::Warning")
def test_a_killed_search_goes_on_where_it_was(data, tmp_path, monkeypatch):
    optuna = pytest.importorskip("optuna")
    storage = tmp_path / "search.db"
    original, calls = trials._Task.first, []

    def killed(task, settings):
        if len(calls) == 7:
            raise KeyboardInterrupt
        calls.append(settings)
        return original(task, settings)

    monkeypatch.setattr(trials._Task, "first", killed)
    with pytest.raises(KeyboardInterrupt):
        search(data, neurons=SOFT, storage=storage, trials=10)
    monkeypatch.setattr(trials._Task, "first", original)
    finished = search(data, neurons=SOFT, storage=storage, trials=10)
    assert finished.trials == 10
    with trials._kept(optuna, storage) as kept:
        states = [t.state.name for t in optuna.load_study(study_name="snnc", storage=kept).trials]
    assert states.count("FAIL") == 4  # the batch that was killed
    assert states.count("COMPLETE") + states.count("PRUNED") == 10
    with pytest.raises(UsageError, match="holds a search for another goal"):
        search(data, neurons=SOFT, storage=storage, minimise="spikes")


@pytest.mark.filterwarnings("ignore::Warning")
def test_the_number_of_workers_does_not_change_the_front(data):
    pytest.importorskip("optuna")
    one, two = (search(data, neurons=SOFT, workers=n, trials=7) for n in (1, 2))
    assert one.front == two.front
    assert one.best == two.best


@pytest.mark.filterwarnings("ignore::Warning")
def test_a_dask_cluster_gives_the_same_front(data):
    pytest.importorskip("optuna")
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        clustered = search(data, neurons=SOFT, workers=cluster.scheduler_address, trials=4)
    assert clustered.front == search(data, neurons=SOFT, trials=4).front


def test_a_storage_that_is_none_is_an_error(data, tmp_path):
    pytest.importorskip("optuna")
    (tmp_path / "no.db").write_bytes(b"this is no database at all, whatever its name says" * 100)
    with pytest.raises(UsageError, match="cannot be used as the storage"):
        search(data, neurons=SOFT, storage=tmp_path / "no.db")


def test_labels_are_needed_and_asked_for_before_anything_runs(rng):
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 2))
    with pytest.raises(DataError, match="needs labels"):
        tune.tune(graph, Samples({"input": rng.normal(size=(40, 3)).astype(np.float32)}))


def test_a_temporal_model_has_no_steps_to_search_for(rng):
    graph = chain(ops.Input(shape=(3,), dt=0.001), dense(rng, 3, 2))
    found = Samples({"input": rng.normal(size=(40, 5, 3)).astype(np.float32)}, {"dense": np.arange(40) % 2})
    with pytest.raises(UsageError, match="one step a slice"):
        tune.tune(graph, found)
