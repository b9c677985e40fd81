import json

import numpy as np
import pytest

import snnc
from snnc import cli, ops
from snnc.comparison import compare
from snnc.errors import UsageError
from snnc.files import npz_bytes
from snnc.outputs import write_file
from snnc.testing import chain


@pytest.fixture(scope="module")
def graph():
    rng = np.random.default_rng(0)

    def dense(inputs, units):
        return ops.Dense(weight=rng.normal(size=(inputs, units)), bias=rng.normal(size=units))

    return chain(ops.Input(shape=(6,)), dense(6, 8), ops.Relu(), dense(8, 3))


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(1)
    return {"x": rng.uniform(0, 1, (24, 6)).astype(np.float32), "y": np.arange(24) % 3}


def test_rows_say_what_evaluate_says(graph, samples):
    both = {level: snnc.compile(graph, scale=scale, verify=False) for level, scale in (("slow", 50.0), ("fast", 900.0))}
    rows = compare(both, samples, steps=20)
    assert [row.name for row in rows] == ["slow", "fast"]
    for row in rows:
        found = both[row.name].evaluate(samples, steps=20)
        assert (row.accuracy, row.spikes, row.synops) == (found.accuracy, found.spikes, found.synops)
        assert (row.steps, row.backend, row.engine, row.resources) == (20, "nengo", "numpy", {})
    assert rows[0].spikes < rows[1].spikes


def test_only_one_model_can_be_compared(graph, samples):
    one = snnc.compile(graph, verify=False)
    with pytest.raises(UsageError, match="two compilations or more"):
        compare({"a": one}, samples)
    other = chain(ops.Input(shape=(6,)), ops.Relu())
    with pytest.raises(UsageError, match="b and a are not the same model"):
        compare({"a": one, "b": snnc.compile(other, verify=False)}, samples)


def test_the_command_prints_a_column_each(graph, samples, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, scale in (("slow", 50.0), ("fast", 900.0)):
        snnc.compile(graph, scale=scale, verify=False).save(name)
    write_file(tmp_path / "x.npz", npz_bytes(samples))
    arguments = ["compare", "slow", "fast", "--inputs", "x.npz", "--steps", "10", "--limit", "9"]
    assert cli._run(arguments) == 0
    shown = capsys.readouterr().out
    assert "slow" in shown and "fast" in shown and "agreement with the model" in shown
    assert cli._run([*arguments, "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["slow", "fast"]
