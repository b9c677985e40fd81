import numpy as np
import pytest

from snnc import ops
from snnc.errors import DataError
from snnc.samples import ANY_OUTPUT, Samples, samples
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
        assert found.labels["out"].tolist() == [0, 1, 2, 0, 1]
        assert len(found.head(2).labels["out"]) == 2


def test_labels_are_kept_as_they_are_whatever_they_are(graph, rng):
    x = rng.normal(size=(5, 4))
    for y in (np.array(list("abcde")), rng.normal(size=(5, 2, 2)), np.array([True] * 5)):
        found = samples(graph, {"x": x, "y": y})
        assert found.labels["out"] is y
    with pytest.raises(DataError, match=r"labels of shape \(6, 0\) do not fit 5 samples"):
        samples(graph, {"x": x, "y": np.zeros((6, 0))})
    with pytest.raises(DataError, match="labels of shape"):
        samples(graph, {"x": x, "y": np.float32(1)})
    with pytest.raises(DataError, match="labels are no array"):
        samples(graph, {"x": x, "y": [[1], [1, 2], [1], [1], [1]]})


def test_labels_are_of_an_output_and_of_one_that_is_named_where_there_are_several(graph, rng):
    graph.add("other", dense(rng, 4, 2), ["image"])
    graph.set_outputs({"out": "out", "other": "other"})
    x, y = rng.normal(size=(5, 4)), np.arange(5)
    assert samples(graph, {"x": x, "y_other": y}).labels == {"other": y}
    assert samples(graph, {"x": x, "y": y}, output="other").labels == {"other": y}
    assert list(samples(graph, {"x": x, "y": y}).labels) == [ANY_OUTPUT]
    with pytest.raises(DataError, match="labels 'y_owt': unknown output 'owt'"):
        samples(graph, {"x": x, "y_owt": y})
    with pytest.raises(DataError, match="unknown output 'owt'"):
        samples(graph, {"x": x, "y": y}, output="owt")
    with pytest.raises(DataError, match="given twice"):
        samples(graph, {"x": x, "y": y, "y_out": y}, output="out")
    assert Samples({"image": x}).labelled(graph, {"out": y}).part(slice(1, 3)).labels["out"].tolist() == [1, 2]


def test_an_entry_that_is_nothing_is_named_itself(graph, rng):
    with pytest.raises(DataError, match="unknown input 'labels'; known: image; labels are named y"):
        samples(graph, {"x": rng.normal(size=(5, 4)), "labels": np.arange(5)})


def test_a_file_of_labels_may_have_any_name_for_its_only_array(graph, rng, tmp_path):
    x, y = rng.normal(size=(5, 4)), np.arange(5)
    for name in ("y", "y_out", "labels"):
        np.savez(tmp_path / "labels.npz", **{name: y})
        assert samples(graph, x, tmp_path / "labels.npz").labels["out"].tolist() == y.tolist()
    np.savez(tmp_path / "labels.npz", a=y, b=y)
    with pytest.raises(DataError, match="holds a, b; name the labels y"):
        samples(graph, x, tmp_path / "labels.npz")
