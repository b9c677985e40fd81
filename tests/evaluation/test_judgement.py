import math

import numpy as np
import pytest

from snnc.analysis.errors import interval
from snnc.analysis.task import Task
from snnc.backend import Tolerance
from snnc.evaluation.judgement import are_probabilities, error_of, judge, overall, shortfall

LIMITS = Tolerance(agreement=0.9, error=0.25)


def one_hot(classes, n=3):
    return np.eye(n, dtype=np.float32)[np.asarray(classes, dtype=int)]


def task(kind, shape, name="y"):
    choice = {"classes": "largest", "pixels": "largest", "multi-label": "threshold", "binary": "threshold"}.get(kind)
    return Task(name, kind, tuple(shape), choice)


def judged(got, want, kind="undecided"):
    (found,) = judge({"y": got}, {"y": want}, LIMITS, {"y": task(kind, want.shape[1:])})
    return found


def agreeing(agree, samples):
    want = np.zeros(samples, dtype=int)
    return judged(one_hot(np.arange(samples) >= agree), one_hot(want))


@pytest.mark.parametrize(
    ("agree", "samples", "verdict"),
    [(116, 128, "passed"), (110, 128, "not judged"), (106, 128, "failed"), (13, 16, "not judged"), (9, 16, "failed")],
)
def test_classes_fail_only_where_the_whole_interval_of_their_agreement_is_below_the_limit(agree, samples, verdict):
    found = agreeing(agree, samples)
    assert (found.verdict, found.by) == (verdict, "agreement")
    assert found.agreement_interval == interval(agree / samples, samples)
    assert (found.agreement_interval[1] < 0.9) == (verdict == "failed")


def test_values_are_judged_by_their_error_relative_to_their_deviation(rng):
    for shape in ((), (1,), (4, 4, 2)):
        want = rng.normal(loc=100, size=(60, *shape)).astype(np.float32)
        noise = rng.normal(size=want.shape).astype(np.float32)
        verdicts = [judged(want + share * noise, want).verdict for share in (0.1, 0.2, 1.0)]
        assert verdicts == ["passed", "passed", "failed"]
        found = judged(want + np.float32(0.2) * noise, want)
        assert (found.by, found.agreement) == ("error", None)
        assert found.error == pytest.approx(0.2, rel=0.2)
        assert found.error_interval[0] < found.error < found.error_interval[1]


def test_few_samples_cannot_tell_of_values_either():
    want = np.array([[0.0], [1.0], [2.0]], dtype=np.float32)
    assert judged(want + np.array([[0.0], [0.0], [0.6]], dtype=np.float32), want).verdict == "not judged"
    assert judged(want[:1] + 9, want[:1]).verdict == "not judged"


def test_logits_may_be_classes_or_values_and_pass_as_either(rng):
    want = rng.normal(size=(100, 2)).astype(np.float32) * np.float32([1, 1e-3])  # hardly differ: classes flip
    got = want + rng.normal(size=want.shape).astype(np.float32) * 0.05
    assert (judged(got, want).by, judged(got, want).verdict) == ("either", "passed")
    assert judged(got[::-1], want).verdict == "failed"
    assert judged(3 * want, want).verdict == "passed"
    assert judged(3 * want, want, "regression").verdict == "failed"
    assert judged(3 * want, want, "regression").by == "error"
    assert judged(3 * want, want, "classes").by == "agreement"


def test_probabilities_and_their_logarithms_are_classes(rng):
    p = rng.dirichlet(np.ones(4), size=20).astype(np.float32)
    assert are_probabilities(p)
    assert are_probabilities(np.log(np.maximum(p, 1e-6)))
    assert not are_probabilities(p - 0.25)
    assert not are_probabilities(p[:, :1])
    assert not are_probabilities(np.ones((20, 2), dtype=np.float32))


def test_what_does_not_differ_is_measured_by_itself_and_what_is_no_number_failed():
    want = np.full((20, 1), 2.0, dtype=np.float32)
    assert error_of(want * np.float32(1.1), want)[0] == pytest.approx(0.1, rel=1e-5)
    assert judged(want * np.nan, want).verdict == "failed"
    assert judged(want * np.nan, want).error == math.inf


def test_one_output_that_failed_fails_the_network_and_says_by_how_much():
    want = {"a": one_hot([0] * 40), "b": np.arange(40, dtype=np.float32)[:, None]}
    found = judge(
        {"a": want["a"], "b": -want["b"]},
        want,
        LIMITS,
        {"a": task("classes", (3,), "a"), "b": task("regression", (1,), "b")},
    )
    assert [each.verdict for each in found] == ["passed", "failed"]
    assert overall(found) == "failed"
    assert overall(found[:1]) == "passed"
    line = shortfall(found[1], 40, LIMITS)
    assert line.startswith("output 'b': the spiking network is off by 3")
    assert line.endswith("at 95 % confidence), more than 25%")
    assert "agrees with the model on 50.0% of 40 samples (35.2% to 64.8% at 95 % confidence), less than 90%" in (
        shortfall(agreeing(20, 40), 40, LIMITS)
    )


def test_a_yes_or_no_and_labels_are_judged_by_their_agreement(rng):
    want = rng.normal(size=(60, 1)).astype(np.float32)
    near = judged(want * np.float32(3), want, "binary")
    assert (near.verdict, near.by, near.agreement, near.of) == ("passed", "agreement", 1.0, "samples")
    assert judged(-want, want, "binary").verdict == "failed"
    labels = rng.normal(size=(60, 4)).astype(np.float32)
    wrong = labels * np.where(np.arange(4) == 0, -1, 1).astype(np.float32)
    found = judged(wrong, labels, "multi-label")
    assert (found.agreement, found.of, found.verdict) == (0.75, "labels", "failed")
    assert "agrees with the model on 75.0% of the labels of 60 samples" in shortfall(found, 60, LIMITS)


def test_pixels_of_one_sample_are_not_taken_to_be_independent():
    """Of three samples one is all wrong: 3072 single answers would fail, and three samples are too few to tell."""
    want = np.zeros((3, 32, 32, 2), dtype=np.float32)
    want[..., 0] = 1
    got = want.copy()
    got[0] = got[0, ..., ::-1]
    found = judged(got, want, "pixels")
    assert (found.agreement, found.of) == (pytest.approx(2 / 3), "pixels")
    assert found.agreement_interval == pytest.approx(interval(2 / 3, 3))
    assert found.verdict == "not judged"
    mixed = want.copy()
    mixed[:, ::3] = mixed[:, ::3, :, ::-1]  # a third of each is wrong: that is sure, whatever the number of samples
    mixed[0, 1, :5] = mixed[0, 1, :5, ::-1]
    assert judged(mixed, want, "pixels").verdict == "failed"
