"""A compiled model is safe to share among threads, and so are several."""

import copy
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import snnc
from tests import models
from tests.ops.test_blas import blas_threads

BACKENDS = {"nengo": "nengo", "nengo-dl": "nengo_dl", "tensorflow": "tensorflow", "loihi": "nengo_loihi"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return models.small_cnn(tmp_path_factory.mktemp("threads") / "model.keras")


@pytest.fixture
def x():
    return np.random.default_rng(1).uniform(0, 1, size=(3, 8, 8, 1)).astype(np.float32)


@pytest.fixture(autouse=True)
def _often_switched():
    """Let threads take turns far more often than they would, so that what they share shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def compiled(model, backend="nengo", **settings):
    pytest.importorskip(BACKENDS[backend])
    return snnc.compile(model, backend=backend, **{"scale": 200, "verify": False, **settings})


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def in_threads(count, work, times=1):
    """Return what ``work(i)`` gives in so many threads, each of which does it so many times, all at once."""
    start = threading.Barrier(count)

    def loop(i):
        start.wait(60)
        return [work(i) for _ in range(times)]

    with ThreadPoolExecutor(count) as pool:
        return [result for results in pool.map(loop, range(count)) for result in results]


def test_eight_threads_and_a_hundred_runs_give_what_one_gives(model, x):
    shared, before = compiled(model, synapse=0.005), blas_threads()
    wanted = [compiled(model, synapse=0.005).run(x + i / 10, 10, jobs=1) for i in range(8)]
    got = in_threads(8, lambda i: (i, shared.run(x + i / 10, 10, jobs=1)), times=100)
    assert len(got) == 800
    assert all(same(run, wanted[i]) for i, run in got)
    assert blas_threads() == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_whatever_threads_ask_of_one_model_is_what_one_after_another_gets(model, x, backend):
    asked = {
        "run": lambda c: c.run(x, 6, jobs=1),
        "predict": lambda c: {"y": c.predict(x, 6, jobs=1)},
        "verify": lambda c: {"y": c.verify(x, 6, jobs=1).as_dict()["backend_error"]},
        "evaluate": lambda c: {"y": c.evaluate(x, np.arange(3), 6, engine="program", jobs=1).as_dict()["spikes"]},
        "numpy": lambda c: {"y": c.evaluate(x, np.arange(3), 6, engine="numpy").as_dict()["spikes"]},
    }
    alone, shared = compiled(model, backend), compiled(model, backend, build=False)
    wanted = [ask(alone) for ask in asked.values()]
    got = in_threads(len(asked), lambda i: (i, list(asked.values())[i](shared)), times=3)
    assert all(same(answer, wanted[i]) for i, answer in got)


def test_models_that_are_built_and_run_in_threads_of_their_own_do_not_disturb_each_other(model, x):
    # rates are computed in 64 bits and spikes in 32, which is a setting of all of Nengo
    kinds = [{"neurons": "relu"}, {"neurons": "spiking-relu"}, {"neurons": "lif"}, {"synapse": 0.005}]
    wanted = [compiled(model, **kind).run(x, 6, jobs=1) for kind in kinds]
    got = in_threads(len(kinds), lambda i: (i, compiled(model, **kinds[i]).run(x, 6, jobs=1)), times=3)
    assert all(same(run, wanted[i]) for i, run in got)


def _with_two_jobs(model, x):
    return compiled(model).run(x, 6, jobs=2)


def test_jobs_inside_of_jobs_are_threads_that_share_nothing(model, x):
    from joblib import Parallel, delayed

    wanted = _with_two_jobs(model, x)
    assert all(same(run, wanted) for run in Parallel(2)(delayed(_with_two_jobs)(model, x) for _ in range(4)))


def test_processes_that_two_threads_ask_for(model, x):
    c = compiled(model)
    wanted = c.run(x, 6, jobs=1)
    assert all(same(run, wanted) for run in in_threads(2, lambda _: c.run(x, 6, jobs=2), times=2))
    ours = [compiled(model) for _ in range(3)]
    assert all(same(run, wanted) for run in in_threads(3, lambda i: ours[i].run(x, 6, jobs=2 + i % 2), times=3))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_compiled_model_is_pickled_and_copied(model, x, backend):
    c = compiled(model, backend)
    wanted = c.run(x, 6)
    for again in (pickle.loads(pickle.dumps(c)), copy.copy(c), copy.deepcopy(c)):
        assert same(again.run(x, 6), wanted)
        assert again.settings == c.settings
        assert again.source == c.source
        assert snnc.compile(again.source, backend=backend, scale=200, verify=False).graph == c.graph
