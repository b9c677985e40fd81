"""Networks for other tasks than one class a sample: compiled, run, judged, tuned and shown by every command."""

import json

import numpy as np
import pytest

import snnc
from snnc import cli, ops
from snnc.comparison import compare
from snnc.errors import DataError, UsageError
from snnc.files import npz_bytes
from snnc.ir.graph import Graph
from snnc.samples import samples as samples_of
from snnc.tune import tune

BATCH = 400


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(-1, 1, size=(BATCH, 2)).astype(np.float32)


def fitted(x, targets, activation=None):
    """Return random features with a last layer, by least squares, that gives the targets."""
    rng = np.random.default_rng(1)
    weight, bias = rng.normal(size=(2, 60)), rng.normal(size=60)
    hidden = np.maximum(x @ weight + bias, 0)
    last = np.linalg.lstsq(np.c_[hidden, np.ones(len(x))], targets, rcond=1e-3)[0]
    graph = Graph("fitted")
    graph.add("x", ops.Input(shape=(2,)))
    graph.add("hidden", ops.Dense(weight=weight, bias=bias, activation=ops.Relu()), ["x"])
    graph.add("out", ops.Dense(weight=last[:-1], bias=last[-1], activation=activation), ["hidden"])
    graph.set_outputs({"out": "out"})
    return graph


def yes(x):
    return (np.square(x).sum(axis=1) < 0.6).astype(int)


def waves(x):
    return np.c_[np.sin(3 * x[:, 0]), x[:, 0] * x[:, 1]]


TASKS = {
    "binary": lambda x: (fitted(x, 8.0 * yes(x)[:, None] - 4, ops.Sigmoid()), yes(x)),
    "logit": lambda x: (fitted(x, 8.0 * yes(x)[:, None] - 4), yes(x)[:, None].astype(np.float32)),
    "multi-label": lambda x: (fitted(x, np.sign(waves(x)) * 4, ops.Sigmoid()), waves(x) > 0),
    "regression": lambda x: (fitted(x, waves(x)), waves(x)),
    "reconstruction": lambda x: (fitted(x, x), None),
}


def data(x, y):
    return {"x": x} if y is None else {"x": x, "y": y}


@pytest.mark.parametrize("code", ["graded", "counted"])
@pytest.mark.parametrize("name", TASKS)
def test_level_2_calibrates_and_judges_by_the_task(name, code, x):
    graph, y = TASKS[name](x)
    c = snnc.compile(graph, calibration=data(x, y), code=code, build=False)
    decides = name in ("binary", "logit", "multi-label")
    (judged,) = c.report["outputs"]
    assert (judged["by"], judged["verdict"]) == ("agreement" if decides else "error", "passed")
    assert judged["of"] == ("labels" if name == "multi-label" else "samples")
    found = c.evaluate(data(x, y))
    assert found.task == ("binary" if name == "logit" else name)
    assert found.model_score > 0.9 and found.drop < 3
    assert (found.accuracy is None) == (found.agreement is None) == (not decides)
    again = c.evaluate(data(x, y), engine="program")
    assert again.score == pytest.approx(found.score)


def test_no_labels_are_needed_and_none_stop_a_command_that_needs_none(x, tmp_path, capsys):
    graph, _ = TASKS["binary"](x)
    snnc.compile(graph, level=1, verify=False).save(tmp_path / "model")
    for i, y in enumerate((np.array(["yes"] * BATCH), x[:, :1], np.zeros((BATCH, 3, 3)), np.full(BATCH, np.nan))):
        (tmp_path / "d.npz").write_bytes(npz_bytes({"x": x, "y": y}))
        words = [
            "compile",
            str(tmp_path / "model"),
            "--calibration",
            str(tmp_path / "d.npz"),
            "-o",
            str(tmp_path / "o"),
        ]
        assert cli._run(words) == 0
        for command in ("run", "verify"):
            assert cli._run([command, str(tmp_path / "o"), "--inputs", str(tmp_path / "d.npz")]) == 0
        evaluated = cli._run(["evaluate", str(tmp_path / "o"), "--inputs", str(tmp_path / "d.npz")])
        assert evaluated == (0 if i == 1 else 2)  # numbers are a regression
    capsys.readouterr()
    (tmp_path / "d.npz").write_bytes(npz_bytes({"x": x, "y": np.zeros((6, 0))}))
    assert cli._run(["run", str(tmp_path / "o"), "--inputs", str(tmp_path / "d.npz")]) == 2
    assert capsys.readouterr().err == (
        "snnc: labels of shape (6, 0) do not fit 400 samples; axis 0 of both is the batch\n"
    )


def test_the_task_is_said_in_a_line_and_changed_by_a_word(x, tmp_path, capsys):
    graph, y = TASKS["binary"](x)
    snnc.compile(graph, calibration=x, verify=False).save(tmp_path / "o")
    (tmp_path / "d.npz").write_bytes(npz_bytes({"x": x, "y": y}))
    words = ["evaluate", str(tmp_path / "o"), "--inputs", str(tmp_path / "d.npz")]
    assert cli._run(words) == 0
    out = capsys.readouterr().out
    assert "output 'out': binary (yes or no), by its sigmoid and labels (400,)\n" in out
    assert "accuracy of the spiking network" in out and "agreement with the model" in out
    assert cli._run([*words, "--task", "regression", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert (measured["task"], measured["accuracy"]) == ("regression", None)
    assert list(measured["outputs"][0]["metrics"]) == ["R2", "MSE", "MAE"]
    assert cli._run([*words, "--task", "out=regression"]) == 0
    assert "R2 of the model" in capsys.readouterr().out
    for wrong in ("pixel", "out=pixels", "aut=binary"):
        assert cli._run([*words, "--task", wrong]) == 2
        assert "task: " in capsys.readouterr().err
    assert cli._run(["verify", *words[1:], "--task", "regression"]) == 0
    out = capsys.readouterr().out
    assert "error relative to the output's deviation" in out and "regression (values), as asked for\n" in out


@pytest.mark.parametrize("name", ["binary", "regression"])
def test_pictures_and_comparisons_are_of_any_task(name, x, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    graph, y = TASKS[name](x)
    c = snnc.compile(graph, calibration=x, verify=False)
    c.save(tmp_path / "a")
    snnc.compile(graph, calibration=x, code="counted", verify=False).save(tmp_path / "b")
    (tmp_path / "d.npz").write_bytes(npz_bytes({"x": x, "y": y}))
    inputs = ["--inputs", str(tmp_path / "d.npz")]
    assert cli._run(["evaluate", str(tmp_path / "a"), *inputs, "--plots", str(tmp_path / "plots")]) == 0
    assert (tmp_path / "plots" / "accuracy.png").stat().st_size > 1000
    capsys.readouterr()
    assert cli._run(["compare", str(tmp_path / "a"), str(tmp_path / "b"), *inputs]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"output 'out': {name} (") and f"out, {name}" in shown
    assert ("R2 of the model" if name == "regression" else "agreement") in shown
    (row, _) = compare({"a": c, "b": c}, {"x": x, "y": y})
    found = c.evaluate(x, y)
    assert (row.score, row.measure, row.accuracy) == (found.score, found.measure, found.accuracy)


@pytest.mark.parametrize(("name", "measure"), [("binary", "accuracy"), ("regression", "R2"), ("reconstruction", "R2")])
def test_a_search_loses_points_of_the_score(name, measure, x):
    graph, y = TASKS[name](x)
    found = tune(graph, samples_of(graph, data(x, y)), target_drop=2.0, trials=3)
    assert found.met and {row.measure for row in found.front} == {measure}
    assert found.best.drop <= 2.0 + 1e-6
    measured = found.compiled.evaluate(samples_of(graph, data(x, y)).part(slice(BATCH // 2, None)))
    assert (measured.score, measured.drop) == (found.best.score, found.best.drop)


def two_heads(x):
    graph = fitted(x, np.c_[8.0 * yes(x) - 4, waves(x)])
    last = graph["out"].op
    graph.add("yes", ops.Dense(weight=last.weight[:, :1], bias=last.bias[:1], activation=ops.Sigmoid()), ["hidden"])
    graph.add("rest", ops.Dense(weight=last.weight[:, 1:], bias=last.bias[1:]), ["hidden"])
    graph.set_outputs({"inside": "yes", "waves": "rest"})
    graph.prune()
    return graph


def test_each_of_several_outputs_is_judged_by_its_kind(x, tmp_path, capsys):
    graph = two_heads(x)
    labelled = {"x": x, "y_inside": yes(x), "y_waves": waves(x)}
    c = snnc.compile(graph, calibration=labelled)
    assert [row["by"] for row in c.report["outputs"]] == ["agreement", "error"]
    found = c.evaluate(labelled)
    assert [each.task for each in found.outputs] == ["binary", "regression"]
    assert found.drop == max(each.drop for each in found.outputs)
    only = c.evaluate({"x": x, "y_waves": waves(x)})
    assert (only.output, only.outputs[0].score, only.outputs[0].agreement) == (
        "waves",
        None,
        found.outputs[0].agreement,
    )
    with pytest.raises(DataError, match=r"2 outputs \(inside, waves\)"):
        c.evaluate({"x": x, "y": yes(x)})
    with pytest.raises(UsageError, match="say NAME=binary"):
        c.evaluate(labelled, task="binary")
    alone = c.evaluate(x, yes(x), output="inside", task="binary")
    assert alone.accuracy == found.outputs[0].score
    c.save(tmp_path / "o")
    (tmp_path / "d.npz").write_bytes(npz_bytes({"x": x, "y": yes(x)}))
    words = ["--inputs", str(tmp_path / "d.npz")]
    for name in ("--output", "--judge"):
        for command in ("evaluate", "verify"):
            assert cli._run([command, str(tmp_path / "o"), *words, name, "inside"]) == 0
    assert "agreement of inside of the answer" in capsys.readouterr().out
    assert cli._run(["evaluate", str(tmp_path / "o"), *words]) == 2
    assert cli._run(["run", str(tmp_path / "o"), *words]) == 0  # which is no judgement
    calibrated = ["--calibration", str(tmp_path / "d.npz"), "--judge", "inside", "--task", "waves=regression"]
    assert cli._run(["compile", str(tmp_path / "o"), *calibrated, "-o", str(tmp_path / "p")]) == 0
    capsys.readouterr()
    tuned = [
        "tune",
        str(tmp_path / "o"),
        "--calibration",
        str(tmp_path / "d.npz"),
        "--target-drop",
        "4",
        "--trials",
        "2",
    ]
    assert cli._run([*tuned, "--judge", "inside", "--task", "binary", "-o", str(tmp_path / "t")]) == 0
    out, err = capsys.readouterr()
    assert "output 'inside': binary (yes or no), as asked for\n" in err
    assert "the front: accuracy" in out and "--task binary --judge inside" in out


def test_a_stream_is_judged_at_each_step_where_its_labels_are(x):
    rng = np.random.default_rng(2)
    graph = Graph("stream")
    graph.add("x", ops.Input(shape=(4,), dt=0.001))
    graph.add(
        "hidden", ops.Dense(weight=rng.normal(size=(4, 20)), bias=rng.normal(size=20), activation=ops.Relu()), ["x"]
    )
    graph.add("out", ops.Dense(weight=rng.normal(size=(20, 3)), bias=np.zeros(3), activation=ops.Softmax()), ["hidden"])
    graph.set_outputs({"out": "out"})
    x = rng.normal(size=(60, 9, 4)).astype(np.float32)
    y = graph.evaluate(x)["out"].argmax(axis=-1)
    c = snnc.compile(graph, calibration={"x": x, "y": y}, temporal=True)
    found = c.evaluate(x, y)
    assert (found.task, found.model_accuracy, len(found.accuracy_by_step)) == ("sequences", 1.0, 9)
    assert found.accuracy == pytest.approx(np.mean(found.accuracy_by_step)) and found.accuracy > 0.9
    whole = c.evaluate(x, y[:, -1])
    assert whole.task == "classes" and len(whole.accuracy_by_step) == 9
