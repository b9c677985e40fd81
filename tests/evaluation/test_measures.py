import numpy as np
import pytest

from snnc.analysis.errors import interval
from snnc.analysis.task import Task
from snnc.evaluation.measures import measure_of


def measured(task, every, model, target, parts=1):
    measure = measure_of(task)
    for part in np.array_split(np.arange(len(model)), parts):
        measure.add(every[part], model[part], None if target is None else target[part])
    return measure.result()


def test_values_have_an_r2_and_errors_that_do_not_depend_on_parts_or_on_a_large_mean(rng):
    target = 1e6 + rng.normal(size=(90, 2))
    model = (target + 0.1 * rng.normal(size=target.shape)).astype(np.float64)
    every = model[:, None] + rng.normal(size=(90, 3, 2)) * np.array([1, 0.5, 0.2])[:, None]
    task = Task("out", "regression", (2,))
    found, in_parts = (measured(task, every, model, target, parts) for parts in (1, 7))
    spread = np.square(target - target.mean(axis=0)).sum()
    assert found.model_score == pytest.approx(1 - np.square(model - target).sum() / spread)
    assert found.score == pytest.approx(1 - np.square(every[:, -1] - target).sum() / spread)
    assert found.metrics["MSE"] == pytest.approx(np.square(every[:, -1] - target).mean())
    assert found.metrics["MAE"] == pytest.approx(np.abs(every[:, -1] - target).mean())
    apart = np.square(every[:, -1] - model).sum() / np.square(model - model.mean(axis=0)).sum()
    assert found.error == pytest.approx(np.sqrt(apart))
    assert found.score_by_step == pytest.approx(in_parts.score_by_step)
    assert found.drop == pytest.approx(100 * (found.model_score - found.score))
    assert (found.measure, found.agreement) == ("R2", None)
    assert found.score_interval[0] < found.score < found.score_interval[1]
    assert found.score_interval_by_step[-1] == found.score_interval


def test_the_interval_of_r2_holds_it_19_times_of_20(rng):
    task, held = Task("out", "regression", (1,)), 0
    for _ in range(200):
        target = rng.normal(size=(60, 1))
        every = (target + 0.3 * rng.normal(size=target.shape))[:, None]
        low, high = measured(task, every, target, target).score_interval
        held += low <= 1 - 0.09 <= high
    assert 180 <= held <= 198


def test_an_accuracy_has_an_interval_each_step():
    target = np.array([0, 1, 2, 0])
    every = np.eye(3)[np.array([[1, 0], [1, 1], [0, 2], [2, 0]])]
    found = measured(Task("out", "classes", (3,), "largest"), every, np.eye(3)[target], target)
    assert found.score_interval_by_step == (interval(0.25, 4), interval(1.0, 4))
    assert found.score_interval == found.score_interval_by_step[-1]
    assert (
        measured(
            Task("out", "regression", (1,)), target[:1, None, None], target[:1, None], target[:1, None]
        ).score_interval
        is None
    )


def test_values_that_do_not_differ_are_met_or_not():
    task, same = Task("out", "regression", (1,)), np.ones((4, 1))
    assert measured(task, same[:, None], same, same).score == 1.0
    assert measured(task, same[:, None] + 1, same, same).score == 0.0


def test_pixels_have_an_accuracy_and_a_mean_iou():
    target = np.array([[[0, 0], [1, 1]]] * 4)
    ours = np.eye(3)[np.array([[[0, 1], [1, 1]]] * 4)]
    found = measured(Task("out", "pixels", (2, 2, 3), "largest"), ours[:, None], np.eye(3)[target], target)
    assert found.metrics == {"accuracy": 0.75, "mean IoU": pytest.approx((1 / 2 + 2 / 3) / 2)}  # no third class at all
    assert found.model_metrics == {"accuracy": 1.0, "mean IoU": 1.0}
    assert found.agreement == 0.75
    assert found.score_interval == interval(0.75, 4)  # the samples do not differ: no more than four are independent


def test_labels_have_accuracy_exact_match_and_f1():
    target = np.array([[1, 0], [1, 1], [0, 0], [0, 1]])
    ours = np.array([[1, 0], [1, 0], [0, 0], [1, 1]]) - 0.5
    found = measured(Task("out", "multi-label", (2,), "threshold"), ours[:, None], target - 0.5, target, parts=2)
    assert found.metrics == {"accuracy": 0.75, "exact match": 0.5, "F1": pytest.approx(2 * 3 / (4 + 4))}


def test_answers_of_each_step_are_judged_at_that_step(rng):
    target = rng.integers(0, 3, (20, 5))
    every = np.eye(3)[target]
    every[:, 4] = np.eye(3)[(target[:, 4] + 1) % 3]
    task = Task("out", "sequences", (3,), "largest", each_step=True)
    found = measured(task, every, np.eye(3)[target], target)
    assert found.score_by_step == (1.0, 1.0, 1.0, 1.0, 0.0)
    assert (found.score, found.model_score, found.agreement) == (pytest.approx(0.8), 1.0, pytest.approx(0.8))
    values = measured(
        Task("out", "sequences", (3,), each_step=True), every, np.eye(3)[target], np.eye(3)[target].astype(float)
    )
    assert values.score_by_step[:4] == (1.0,) * 4 and values.score_by_step[4] < 0 and 0 < values.score < 1


def test_without_labels_only_the_distance_from_the_model_is_told(rng):
    model = rng.normal(size=(20, 3))
    found = measured(Task("out", "classes", (3,), "largest"), model[:, None], model, None)
    assert (found.metrics, found.score, found.agreement, found.drop) == ({}, None, 1.0, 0.0)
