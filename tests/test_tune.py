import shlex

import numpy as np
import pytest

from snnc import cli, ops, tune
from snnc.errors import DataError, UsageError
from snnc.samples import Samples
from snnc.samples import samples as samples_of
from snnc.testing import chain
from tests import models
from tests.conftest import dense

optuna = pytest.importorskip("optuna")


def outcome(accuracy, steps, spikes=1.0, drop=0.0, **settings):
    return tune.Outcome(settings, accuracy, drop, steps, spikes, energy=spikes)


def test_the_front_holds_what_nothing_beats_once():
    a, b, c = outcome(0.9, 4), outcome(0.95, 8), outcome(0.99, 16)
    beaten = [outcome(0.89, 4), outcome(0.9, 6), outcome(0.95, 8, spikes=2.0)]
    assert tune.front([c, *beaten, a, b], "steps") == (a, b, c)


def test_the_cheapest_that_meets_the_target_is_best_or_else_the_most_accurate():
    good, cheap, bad = outcome(0.99, 8, drop=0.2), outcome(0.98, 4, drop=0.9), outcome(0.9, 2, drop=9.0)
    assert tune.choose([good, cheap, bad], 1.0, "steps") == cheap
    assert tune.choose([good, cheap, bad], 0.1, "steps") == good
    assert tune.choose([outcome(0.9, 4, spikes=9.0), outcome(0.9, 8, spikes=1.0)], 1.0, "spikes").steps == 8


def test_the_two_halves_are_disjoint_and_need_labels():
    x = np.arange(40, dtype=np.float32)[:, None]
    first, second = tune.halves(Samples({"x": x}, np.zeros(40, int)))
    assert set(first.inputs["x"].ravel()).isdisjoint(second.inputs["x"].ravel())
    with pytest.raises(DataError, match="needs labels"):
        tune.halves(Samples({"x": x}))
    with pytest.raises(DataError, match="39 labelled samples are too few"):
        tune.halves(Samples({"x": x[:39]}, np.zeros(39, int)))


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


@pytest.mark.filterwarnings("ignore::Warning")
def test_a_search_meets_the_target_and_its_command_makes_the_same_artifact(data, tmp_path, capsys):
    model, path = data
    arguments = ["--calibration", str(path), "--trials", "8", "--target-drop", "5", "-o", str(tmp_path / "best")]
    assert cli._run(["tune", str(model), *arguments]) == 0
    out = capsys.readouterr().out
    assert "the front: accuracy against steps, after 8 trials" in out
    again = shlex.split(out.strip().splitlines()[-1])
    again[-1] = str(tmp_path / "again")
    assert again[:2] == ["snnc", "compile"]
    assert cli._run(again[1:]) == 0
    for name in ("graph.json", "weights.npz"):
        assert (tmp_path / "best" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


@pytest.mark.filterwarnings("ignore::Warning")
def test_a_killed_search_goes_on_where_it_was(data, tmp_path, monkeypatch):
    storage = tmp_path / "search.db"
    original, calls = tune._Task.first, []

    def killed(task, settings):
        if len(calls) == 7:
            raise KeyboardInterrupt
        calls.append(settings)
        return original(task, settings)

    monkeypatch.setattr(tune._Task, "first", killed)
    with pytest.raises(KeyboardInterrupt):
        search(data, storage=storage, trials=10)
    monkeypatch.setattr(tune._Task, "first", original)
    finished = search(data, storage=storage, trials=10)
    assert finished.trials == 10
    with tune._kept(optuna, storage) as kept:
        states = [t.state.name for t in optuna.load_study(study_name="snnc", storage=kept).trials]
    assert states.count("FAIL") == 4  # the batch that was killed
    assert states.count("COMPLETE") + states.count("PRUNED") == 10
    with pytest.raises(UsageError, match="holds a search for another goal"):
        search(data, storage=storage, minimise="spikes")


@pytest.mark.filterwarnings("ignore::Warning")
def test_the_number_of_workers_does_not_change_the_front(data):
    one, two = (search(data, workers=n, trials=7) for n in (1, 2))
    assert one.front == two.front
    assert one.best == two.best


@pytest.mark.filterwarnings("ignore::Warning")
def test_a_dask_cluster_gives_the_same_front(data):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        clustered = search(data, workers=cluster.scheduler_address, trials=4)
    assert clustered.front == search(data, trials=4).front


def test_a_scheduler_that_does_not_answer_and_a_storage_that_is_none_are_errors(data, tmp_path):
    (tmp_path / "no.db").write_bytes(b"this is no database at all, whatever its name says" * 100)
    with pytest.raises(UsageError, match="cannot be used as the storage"):
        search(data, storage=tmp_path / "no.db")


def test_a_temporal_model_has_no_steps_to_search_for(rng):
    graph = chain(ops.Input(shape=(3,), dt=0.001), dense(rng, 3, 2))
    found = Samples({"input": rng.normal(size=(40, 5, 3)).astype(np.float32)}, np.arange(40) % 2)
    with pytest.raises(UsageError, match="one step a slice"):
        tune.tune(graph, found)
