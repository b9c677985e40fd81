"""What a verification says of exact parts and of spikes."""

import json
from dataclasses import replace

import numpy as np
import pytest

import snnc
from snnc import ops
from snnc.compiler import JUDGED, SHOWN
from snnc.evaluation.verify import Check, Finding
from snnc.passes.base import Pass, Stage
from snnc.testing import chain
from tests import models
from tests.conftest import dense

N = 64


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return models.small_cnn(tmp_path_factory.mktemp("models") / "model.keras")


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(3).uniform(0, 1, size=(N, 8, 8, 1)).astype(np.float32)


def test_random_inputs_judge_what_is_exact_but_no_spikes(model):
    report = snnc.compile(model, scale=1, steps=3).report
    assert (report["exact"], report["spiking"], report["passed"]) == ("passed", "not judged", None)
    assert report["unjudged"] == "random inputs cannot tell: give samples"
    rates = snnc.compile(model, neurons="relu").report
    assert (rates["exact"], rates["spiking"], rates["passed"]) == ("passed", None, True)


def test_all_samples_that_calibrated_nothing_judge_up_to_so_many(model, x):
    assert snnc.compile(model, scale=100, calibration=x).report["samples"] == N
    report = snnc.compile(model, level=2, calibration=x).report
    assert report["samples"] == N // 2
    assert report["agreement_interval"][0] < report["agreement"] <= report["agreement_interval"][1]
    many = np.concatenate([x] * 5)
    assert snnc.compile(model, scale=100, steps=2, calibration=many).report["samples"] == JUDGED
    assert snnc.compile(model, scale=100, steps=50, calibration=many).report["samples"] == SHOWN // 50


def test_calibration_changes_outputs_on_purpose_and_is_no_rewrite_error(model, x):
    c = snnc.compile(model, level=2, code="counted", calibration=x)
    assert c.report["calibration_error"] > 1e-3
    assert c.report["rewrite_error"] < 1e-5
    assert (c.report["exact"], c.report["spiking"]) == ("passed", "passed")
    again = c.verify(x[1::2])
    assert again.passed
    assert again.rewrite_error == pytest.approx(c.report["rewrite_error"], rel=0.1, abs=1e-7)


def test_a_pass_that_lies_is_found_beside_calibration(model, x):
    class Lies(Pass):
        name, stage, exact = "lies", Stage.CANONICALIZE, True

        def apply(self, graph, context):
            op = graph["out"].op
            graph.replace("out", type(op)(**{**op.attrs(), "bias": op.bias + 1}))

    report = snnc.compile(model, level=2, code="counted", calibration=x, passes=[Lies()]).report
    assert report["exact"] == "failed"
    assert "(most of it by lies)" in report["problems"][0]


def test_a_pass_that_may_change_outputs_does_not_hide_one_that_may_not(model, x):
    class Changes(Pass):
        name, stage, exact = "changes", Stage.CANONICALIZE, False

        def apply(self, graph, context):
            op = graph["out"].op
            graph.replace("out", type(op)(**{**op.attrs(), "bias": op.bias + 1}))

    class Lies(Changes):
        name, exact = "lies", True

    assert snnc.compile(model, neurons="relu", passes=[Changes()]).report["exact"] == "passed"
    report = snnc.compile(model, neurons="relu", passes=[Changes(), Lies()]).report
    assert report["exact"] == "failed"


def test_compile_warns_of_a_poor_network_and_verify_fails_it(model, x, tmp_path, capsys):
    from snnc import cli

    np.savez(tmp_path / "x.npz", input=x)
    out, data = str(tmp_path / "out"), str(tmp_path / "x.npz")
    command = ["compile", str(model), "-o", out, "--level", "1", "--scale", "1", "--steps", "3"]
    assert cli._run([*command, "--calibration", data]) == 0
    printed = capsys.readouterr().out
    assert "WARNING: output 'out': the spiking network agrees" in printed
    assert "verify: passed" not in printed
    assert "FAILED" not in printed
    assert cli._run(["verify", out, "--inputs", data]) == 1
    assert "FAILED: output 'out'" in capsys.readouterr().out
    assert cli._run(["verify", out]) == 0
    assert "spiking part not judged (random inputs cannot tell: give samples)" in capsys.readouterr().out
    assert cli._run(["verify", out, "--inputs", data, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["exact"], report["spiking"], report["passed"]) == ("passed", "failed", False)
    assert report["problems"] == report["spiking_problems"]


def test_compile_fails_where_a_check_does(model, tmp_path):
    class Never(Check):
        name = "never"

        def inspect(self, subject, report):
            return [Finding("never", "good enough", passed=False)]

    report = snnc.compile(model, neurons="relu", passes=[Never()]).report
    assert (report["passed"], report["exact"]) == (False, "passed")
    assert report["spiking_problems"] == []


def test_a_remedy_is_tried_before_it_is_advised(model, x):
    advice = snnc.compile(model, neurons="soft-reset-if", scale=100, steps=10, calibration=x).report["problems"][0]
    assert "run more steps: --steps 20 gives an agreement of" in advice
    assert "calibrate on samples: --level 2" in advice
    (advice,) = snnc.compile(model, scale=1, steps=3, calibration=x).report["problems"]
    assert "no spike from conv_" in advice
    assert "twice the steps are no remedy" in advice


def test_an_op_without_neurons_that_makes_an_error_steps_do_not_mend_is_named():
    rng = np.random.default_rng(1)
    sharp = dense(rng, 12, 12)
    sharp = replace(sharp, weight=20 * sharp.weight)
    g = chain(
        *(ops.Input(shape=(6,)), dense(rng, 6, 12), ops.Relu(), sharp, ops.Softmax(), dense(rng, 12, 3)),
        names=["x", "d1", "relu", "d2", "gate", "logits"],
    )
    x = rng.uniform(0, 1, size=(N, 6)).astype(np.float32)
    c = snnc.compile(g, neurons="soft-reset-if", scale=50, calibration=x, steps=60)
    assert c.report["spiking"] == "failed"
    assert "'gate' (softmax) has no neurons" in c.report["problems"][0]


def test_numbers_are_judged_by_their_error(rng):
    g = chain(ops.Input(shape=(6,)), dense(rng, 6, 12), ops.Relu(), dense(rng, 12, 1), names=["x", "d", "r", "y"])
    x = rng.uniform(0, 1, size=(N, 6)).astype(np.float32)
    report = snnc.compile(g, level=2, calibration=x).report
    assert (report["spiking"], report["agreement"]) == ("passed", None)
    assert report["outputs"][0]["error"] < 0.1
    report = snnc.compile(g, scale=1, steps=3, calibration=x).report
    assert report["spiking"] == "failed"
    assert "off by" in report["problems"][0]
