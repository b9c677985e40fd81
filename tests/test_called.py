"""The arguments of a compilation are kept, and said again as a command line that makes the same artifact."""

import inspect
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer

import snnc
from snnc import cli, neurons, ops
from snnc.called import NOT_KEPT, command, said
from snnc.passes.scale_rates import ScaleRates
from snnc.testing import chain
from tests import models
from tests.conftest import dense


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return a folder with a model and samples, which the test is in."""
    models.small_cnn(tmp_path / "model.keras")
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(1).random((24, 8, 8, 1), np.float32))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--level 1 --neurons spiking-relu --scale 100 --scale conv_b=50 --synapse 0.005 --steps 9 --no-verify --seed 3",
        "--calibration x.npz --calibration-limit 16 --code counted --target-drop 2 --minimise spikes --task classes",
        "--input-range 0,1 --no-pass drop-identities --pass 'scale-rates{scale=80.0}' --level 1 --read-out last",
        "--input-range image=0,2 --read-out 'low-pass{tau=0.02}' --dt 0.002",
    ],
)
def test_the_command_makes_the_same_artifact(here, words, capsys):
    line = f"snnc compile model.keras -o first {words}"
    input_name = snnc.import_model("model.keras").inputs[0]
    assert cli._run(shlex.split(line.replace("image=", f"{input_name}="))[1:]) == 0
    again = command(json.loads((here / "first" / "manifest.json").read_text())["call"], "second")
    assert again.startswith("snnc compile model.keras ") and again.endswith(" -o second")
    assert cli._run(shlex.split(again)[1:]) == 0
    assert files("first") == files("second")
    assert snnc.load("second").call == snnc.load("first").call


def test_every_argument_is_an_option_of_the_command_line_or_not_kept():
    options = {
        option
        for param in typer.main.get_command(cli.app).commands["compile"].params
        for option in (*param.opts, *param.secondary_opts)
    }
    kept = [name for name in inspect.signature(snnc.compile).parameters if name not in (*NOT_KEPT, "model")]
    assert len(kept) > 20
    samples = {"verify": False, "strict": True, "temporal": True, "options": {"scale-rates": {"scale": 99}}}
    for name in kept:
        made = command({"model": "m", name: samples.get(name, "1")}, "out")
        assert next(word for word in shlex.split(made) if word.startswith("--")) in options, name


def test_objects_are_kept_as_text(rng):
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 4, ops.Relu()), dense(rng, 4, 2), names=["x", "hidden", "out"])
    x = rng.random((12, 3)).astype(np.float32)
    made = snnc.compile(
        graph, neurons=neurons.SoftResetIf(gamma=2), calibration=x, passes=[ScaleRates(scale=80.0)], level=1
    )
    assert made.call["neurons"] == "soft-reset-if{gamma=2 initial=0.0}"
    assert made.call["calibration"] == "<array float32 (12, 3)>"
    assert made.call["passes"][0].startswith("scale-rates{")
    assert command(made.call, "out") is None  # no command line can say an array
    assert command({}, "out") is None
    assert said({"a": (np.float32(0.5), Path("b"), object())}) == {"a": [0.5, "b", "<object>"]}


def test_what_is_default_is_not_kept(here):
    assert snnc.compile("model.keras", backend="nengo", verify=False, passes=()).call == {
        "model": "model.keras",
        "verify": False,
    }
