import numpy as np
import pytest

from snnc import ops
from snnc.errors import DataError
from snnc.samples import class_labels, samples
from snnc.testing import chain
from tests.conftest import dense


@pytest.fixture
def graph(rng):
    return chain(ops.Input(shape=(4,)), dense(rng, 4, 3), names=["image", "out"])


def test_an_npz_may_name_the_input_or_call_it_x_and_holds_labels_as_y(tmp_path, graph, rng):
    x = rng.normal(size=(5, 4))
    for name in ("x", "image"):
        np.savez(tmp_path / "s.npz", **{name: x, "y": np.arange(5) % 3})
        found = samples(graph, tmp_path / "s.npz")
        assert np.allclose(found.inputs["image"], x)
        assert found.labels.tolist() == [0, 1, 2, 0, 1]
        assert len(found.head(2)) == 2


@pytest.mark.parametrize("labels", [[2, 0, 1], [[2], [0], [1]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]], [2.0, 0.0, 1.0]])
def test_labels_are_classes_a_column_or_one_hot(labels):
    assert class_labels(np.array(labels), 3).tolist() == [2, 0, 1]


@pytest.mark.parametrize("labels", [[0, 1], [[[0]]], [0.5, 1, 2], ["a", "b", "c"], [[0, 2], [1, 1], [2, 0]]])
def test_other_labels_are_data_errors(labels):
    with pytest.raises(DataError, match="labels of"):
        class_labels(np.array(labels), 3)
