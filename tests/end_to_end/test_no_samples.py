"""Compiling with nothing given: level 2 on inputs that are made up."""

import numpy as np
import pytest

import snnc
from snnc import cli
from snnc.neurons import Neurons
from tests import models


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return models.small_cnn(tmp_path_factory.mktemp("models") / "model.keras")


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(3).uniform(0, 1, size=(64, 8, 8, 1)).astype(np.float32)


@pytest.mark.parametrize(("code", "kind"), [(None, "sigma-delta"), ("counted", "signed-if")])
def test_level_2_is_the_default_and_comes_close_to_the_model_in_few_steps(model, x, code, kind):
    c = snnc.compile(model, code=code)
    assert c.settings.level == 2
    assert {node.op.model.kind for node in c.graph.nodes(Neurons)} == {kind}
    assert c.settings.steps <= 8
    want = c.source.evaluate(x)["out"]
    assert np.abs(c.predict(x) - want).mean() < 0.1 * np.abs(want).mean()
    assert c.report["real"] is False


def test_notes_say_what_the_inputs_were_made_of(model):
    notes = snnc.compile(model, verify=False).notes
    assert any("no samples were given, so that inputs were made up: 'input' from 0 to 1" in note for note in notes)
    assert any("nothing in the model says" in note for note in notes)
    asked = snnc.compile(model, input_range=(-1, 2), verify=False).notes
    assert any("'input' from -1 to 2 (as asked for)" in note for note in asked)
    assert not any("nothing in the model says" in note for note in asked)


def test_samples_that_are_given_leave_no_note_on_inputs(model, x):
    assert not any("made up" in note for note in snnc.compile(model, calibration=x, verify=False).notes)


def test_level_1_asks_for_no_inputs_and_is_there_for_those_who_ask(model):
    c = snnc.compile(model, level=1, scale=100)
    assert {node.op.model.kind for node in c.graph.nodes(Neurons)} == {"spiking-relu"}
    assert not any("made up" in note for note in c.notes)


def test_the_range_is_kept_in_the_artifact_and_used_again(model, tmp_path):
    c = snnc.compile(model, input_range={"input": (0, 255)}, verify=False)
    c.save(tmp_path / "out")
    again = snnc.compile(tmp_path / "out", verify=False)
    assert again.graph == c.graph
    assert any("'input' from 0 to 255 (as asked for)" in note for note in again.notes)


def test_a_wider_range_means_larger_thresholds(model):
    narrow, wide = (snnc.compile(model, input_range=(0, high), steps=8, verify=False) for high in (1, 255))
    ratio = np.asarray(wide.graph["conv_a"].op.scale) / np.asarray(narrow.graph["conv_a"].op.scale)
    assert (ratio > 50).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["1,0"], "the lower first"),
        (["0,nan"], "the lower first"),
        (["0,inf"], "the lower first"),
        (["3"], "the lower first"),
        (["0,1,2"], "the lower first"),
        (["low,high"], "'low,high' is no range; write 0,255"),
        ([""], "the lower first"),
        (["image=0,1"], "unknown input 'image'"),
    ],
)
def test_what_is_no_range_is_one_line_and_exit_code_2(model, tmp_path, capsys, words, message):
    options = [part for word in words for part in ("--input-range", word)]
    code = cli._run(["compile", str(model), "-o", str(tmp_path / "out"), *options])
    printed = capsys.readouterr().err.strip()
    assert code == 2
    assert message in printed
    assert len(printed.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_command_takes_a_range_that_begins_with_a_minus(model, tmp_path, capsys):
    code = cli._run(["compile", str(model), "-o", str(tmp_path / "out"), "--input-range", "-1,1"])
    assert code == 0
    assert "from -1 to 1 (as asked for)" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mlp", "mobilenet"])
def test_plainly_trained_networks_keep_their_answers_in_8_steps(shared, name):
    data = np.load(shared / "data" / "fashion.npz")
    x, y = data["test_x"][:250, ..., None] / np.float32(255), data["test_y"][:250]
    c = snnc.compile(shared / "models" / "networks" / f"{name}.h5", verify=False)
    measured = c.evaluate(x, y)
    assert measured.steps <= 8
    assert measured.agreement >= 0.93
    assert measured.accuracy >= measured.model_accuracy - 0.03
