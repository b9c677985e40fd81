import numpy as np
import pytest

from snnc.analysis.task import KINDS, Task
from snnc.errors import DataError


@pytest.mark.parametrize("labels", [[2, 0, 1], [[2], [0], [1]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]], [2.0, 0.0, 1.0]])
def test_labels_are_classes_a_column_or_one_hot(labels):
    task = Task("out", "classes", (3,), "largest")
    assert task.targets(np.array(labels), (3,)).tolist() == [2, 0, 1]


def test_probabilities_are_labels_too():
    task = Task("out", "classes", (3,), "largest")
    assert task.targets(np.array([[0.1, 0.7, 0.2], [0.9, 0.05, 0.05]]), (2,)).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "give"),
        ([0.5, 1, 2], "classes 0 to 2"),
        ([0, 1, 3], "the labels run from 0 to 3"),
        ([-1, 1, 2], "the labels run from -1 to 2"),
        ([[0, 2, 0], [1, 1, 0], [2, 0, 0]], "rows are one-hot"),
        (["a", "b", "c"], "labels are finite numbers"),
    ],
)
def test_others_are_data_errors(labels, message):
    with pytest.raises(DataError, match=rf"do not fit output 'out' of shape \(3,\) as classes: .*{message}"):
        Task("out", "classes", (3,), "largest").targets(np.array(labels), (3,))


@pytest.mark.parametrize("labels", [[0, 1, 1], [-1, 1, 1], [0, 255, 255], [False, True, True], [[0.0], [1.0], [1.0]]])
def test_no_and_yes_are_written_in_several_ways(labels):
    assert Task("out", "binary", (1,), "threshold").targets(np.array(labels), (3,)).tolist() == [[0], [1], [1]]
    with pytest.raises(DataError, match="no is 0 or -1, yes is 1 or 255"):
        Task("out", "binary", (1,), "threshold").targets(np.array(labels) * 3, (3,))


def test_scores_say_by_their_largest_what_is_decided(rng):
    y = rng.uniform(size=(5, 2, 3)).astype(np.float32)
    pixels = Task("out", "pixels", (2, 3), "largest", axis=-2)
    assert pixels.scores(y).argmax(axis=1).tolist() == pixels.decide(y).ravel().tolist()
    yes = Task("out", "pixels", (2, 3), "threshold", threshold=0.5)
    assert yes.scores(y).argmax(axis=1).tolist() == yes.decide(y).ravel().tolist()
    assert yes.scores(y - 0.5, logits=True).argmax(axis=1).tolist() == yes.decide(y).ravel().tolist()
    assert Task("out", "regression", (2, 3)).scores(y) is None
    assert Task("out", "undecided", (3,)).scores(y[:, 0]) is not None


def test_every_kind_says_in_one_line_what_it_is():
    for kind in (*KINDS, "undecided"):
        line = str(Task("out", kind, (4, 4, 3), "largest" if kind in ("classes", "pixels") else None, by="by its relu"))
        assert line.startswith(f"output 'out': {kind} (") and line.endswith("), by its relu") and "\n" not in line
