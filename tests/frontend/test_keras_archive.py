"""Kinds of files, told by their bytes; damaged and hostile ones give one line and nothing else."""

from __future__ import annotations

import contextlib
import json
import zipfile

import h5py
import numpy as np
import pytest

from snnc.errors import FileError, FrontendError
from snnc.frontend.keras_archive import parse_version
from tests.frontend.keras_files import by_class, dense, kernel, sequential, small, write_h5, write_zip
from tests.frontend.loading import import_model

CONFIG = sequential(dense("dense", 2, batch_input_shape=[None, 3]))


@pytest.fixture
def weights(rng):
    return {"layers/dense": [kernel(rng, 3, 2), kernel(rng, 2)]}


def result(graph, x):
    (y,) = graph.evaluate(x).values()
    return y


def one_line(error):
    return "\n" not in str(error.value) and len(str(error.value)) < 600


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "model.weights", "model"])
def test_the_suffix_does_not_matter(rng, tmp_path, weights, name):
    path, w, b = small(rng, tmp_path / name)
    x = rng.normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_allclose(result(import_model(str(path)), x), x @ w + b, rtol=1e-5, atol=1e-6)
    write_zip(path, CONFIG, weights)
    w, b = weights["layers/dense"]
    np.testing.assert_allclose(result(import_model(path), x), x @ w + b, rtol=1e-5, atol=1e-6)


def test_a_folder_of_the_three_files(rng, tmp_path, weights):
    folder = tmp_path / "unzipped"
    with zipfile.ZipFile(write_zip(tmp_path / "m.keras", CONFIG, weights)) as archive:
        archive.extractall(folder)
    x = rng.normal(size=(2, 3)).astype(np.float32)
    np.testing.assert_array_equal(result(import_model(folder), x), result(import_model(tmp_path / "m.keras"), x))


@pytest.mark.parametrize("root", ["", "model_weights"])
def test_weights_alone_with_a_config(rng, tmp_path, root):
    w, b = kernel(rng, 3, 2), kernel(rng, 2)
    path = write_h5(tmp_path / "w.h5", None, {"dense": {"dense/kernel:0": w, "dense/bias:0": b}}, root=root)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    x = rng.normal(size=(2, 3)).astype(np.float32)
    np.testing.assert_allclose(result(import_model(path, config=config), x), x @ w + b, rtol=1e-5)
    with pytest.raises(FileError, match="--config"):
        import_model(path)
    with pytest.raises(FileError, match="a config without weights"):
        import_model(config)


def test_weights_in_shards(rng, tmp_path, weights):
    document = sequential(dense("a", 2, batch_input_shape=[None, 3]), dense("b", 4))
    second = {"layers/dense": [], "layers/dense_1": [kernel(rng, 2, 4), kernel(rng, 4)]}
    (tmp_path / "m_00000.weights.h5").write_bytes(by_class(weights))
    (tmp_path / "m_00001.weights.h5").write_bytes(by_class(second))
    (tmp_path / "m.json").write_text(json.dumps(document))
    index = tmp_path / "m.weights.json"
    places = {"/layers/dense/vars": ["m_00000.weights.h5"], "/layers/dense_1/vars": "m_00001.weights.h5"}
    index.write_text(json.dumps({"weight_map": places}))
    graph = import_model(index, config=tmp_path / "m.json")
    np.testing.assert_array_equal(graph["b"].op.weight, second["layers/dense_1"][0])
    np.testing.assert_array_equal(graph["a"].op.weight, weights["layers/dense"][0])
    index.write_text(json.dumps({"weight_map": {"/layers/dense/vars": "../m_00000.weights.h5"}}))
    with pytest.raises(FileError, match="not beside it"):
        import_model(index, config=tmp_path / "m.json")


def test_other_files_are_refused_in_one_line(tmp_path):
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "text.keras").write_bytes(b"hello, this is no model at all")
    (tmp_path / "pickle.h5").write_bytes(b"\x80\x04\x95")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "x")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.ones(3)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")
    (tmp_path / "nothing").mkdir()
    reasons = {
        "missing.h5": "no such file",
        "empty.h5": "empty",
        "text.keras": "neither",
        "pickle.h5": "pickle",
        "other.keras": "not a Keras model",
        "other.h5": "--config",
        "saved": "SavedModel",
        "nothing": "config.json",
    }
    for name, reason in reasons.items():
        with pytest.raises(FileError, match=reason) as caught:
            import_model(tmp_path / name)
        assert one_line(caught)


def zipped(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")


@pytest.mark.parametrize(
    ("content", "name", "what"),
    [
        (("net/data.pkl", "net/version"), "net.pt", "a PyTorch file"),
        (("net/data.pkl", "net/code/net.py"), "net.keras", "a PyTorch file"),
        (b"\x80\x02\x8a\nl\xfc\x9cF", "old.pth", "Python pickle"),
        (b"\x08\x07\x12\x07pytorch", "net.bin", "an ONNX model"),
        (b"?", "net.onnx", "an ONNX model"),
        (b"\x1c\x00\x00\x00TFL3\x14\x00", "net.bin", "TensorFlow Lite"),
        (b'\x40\x00\x00\x00\x00\x00\x00\x00{"a": 1}', "net.safetensors", "safetensors"),
        (b"\x0a\x10", "saved_model.pb", "TensorFlow graph"),
        (("saved/saved_model.pb", "saved/variables/x"), "saved.zip", "zip of a TensorFlow SavedModel"),
        (b'{"modelTopology": {}, "weightsManifest": []}', "model.json", "TensorFlow.js"),
        (("x.npy", "y.npy"), "samples.npz", "numpy arrays"),
        (b"\x93NUMPY\x01\x00", "x.npy", "numpy arrays"),
        (("model.keras",), "model.zip", "with a model in it"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "model.h5", "Git LFS"),
        (b"<!DOCTYPE html>", "model.h5", "failed download"),
    ],
)
def test_models_of_other_kinds_are_called_by_their_name(tmp_path, content, name, what):
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else zipped(path, *content)
    with pytest.raises(FileError, match=f"is .*{what}.*Keras") as caught:
        import_model(path)
    assert one_line(caught)


def test_truncated_files_give_one_file_error(rng, tmp_path, weights):
    h5, *_ = small(rng, tmp_path / "whole.h5")
    archive = write_zip(tmp_path / "whole.keras", CONFIG, weights)
    for whole in (h5, archive):
        data = whole.read_bytes()
        cut = tmp_path / "cut"
        for size in np.linspace(9, len(data) - 1, 25).astype(int):
            cut.write_bytes(data[:size])
            with pytest.raises(FileError) as caught:
                import_model(cut)
            assert one_line(caught)


def test_flipped_bytes_in_an_archive_are_found(rng, tmp_path, weights):
    """Of an archive, because it has checksums: libhdf5 itself dies of some damaged HDF5 files."""
    whole = np.frombuffer(write_zip(tmp_path / "whole.keras", CONFIG, weights).read_bytes(), dtype=np.uint8)
    broken, refused = tmp_path / "broken", []
    for _ in range(100):
        bad = whole.copy()
        bad[rng.integers(0, len(bad), size=8)] ^= rng.integers(1, 256, size=8, dtype=np.uint8)
        broken.write_bytes(bad.tobytes())
        with contextlib.suppress(FileError):  # a flip in what nobody reads does no harm
            import_model(broken)
            continue
        refused.append(bad)
    assert len(refused) > 80


def test_a_zip_entry_outside_the_archive(tmp_path, weights):
    path = write_zip(tmp_path / "m.keras", CONFIG, weights)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../evil", "x")
    with pytest.raises(FileError, match="points outside"):
        import_model(path)


def test_a_zip_bomb(tmp_path, weights):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(CONFIG))
        archive.writestr("model.weights.h5", bytes(80 << 20))
    with pytest.raises(FileError, match="bomb"):
        import_model(path)


@pytest.mark.parametrize("chunks", [None, (1 << 20,)])
def test_an_hdf5_bomb(tmp_path, chunks):
    path = write_h5(tmp_path / "m.h5", sequential(dense("d", 1, batch_input_shape=[None, 1 << 26])), {"d": {}})
    with h5py.File(path, "a") as file:
        group = file["model_weights/d"]
        group.attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
        packed = {"chunks": chunks, "compression": "gzip"} if chunks else {}
        group.create_dataset("d/kernel:0", shape=(1 << 26,), dtype="f4", **packed)
        group.create_dataset("d/bias:0", data=np.zeros(1, dtype=np.float32))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(FileError, match="bomb"):
        import_model(path)


def _replaced(rng, path, make):
    """Replace the kernel in a model's file."""
    small(rng, path)
    with h5py.File(path, "a") as file:
        del file["model_weights/dense/dense/kernel:0"]
        make(file["model_weights/dense/dense"])
    return path


def _external_dataset(group, other):
    group.create_dataset("kernel:0", shape=(3, 2), dtype="f4", external=[(str(other), 0, 24)])


def _virtual(group, other):
    layout = h5py.VirtualLayout(shape=(3, 2), dtype="f4")
    layout[:] = h5py.VirtualSource(str(other), "secret", shape=(3, 2))
    group.create_virtual_dataset("kernel:0", layout)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda group, other: group.__setitem__("kernel:0", h5py.ExternalLink(str(other), "/secret")), "a link"),
        (
            lambda group, other: group.__setitem__("kernel:0", h5py.SoftLink("/model_weights/dense/dense/bias:0")),
            "a link",
        ),
        (_external_dataset, "another file"),
        (_virtual, "another file"),
        (lambda group, other: group.create_dataset("kernel:0", data=["a", "b"]), "not numbers"),
        (lambda group, other: group.create_group("kernel:0"), "has no array"),
        (lambda group, other: None, "has no array"),
        (lambda group, other: group.create_dataset("kernel:0", data=np.zeros(6, "V2")), "unknown type"),
    ],
)
def test_arrays_that_are_not_in_the_file_or_no_numbers(rng, tmp_path, make, reason):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones((3, 2), dtype=np.float32)
    path = _replaced(rng, tmp_path / "m.h5", lambda group: make(group, other))
    with pytest.raises(FileError, match=reason) as caught:
        import_model(path)
    assert one_line(caught)


def test_names_that_are_no_names(rng, tmp_path):
    path, *_ = small(rng, tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        file["model_weights/dense"].attrs["weight_names"] = [1, 2]
    with pytest.raises(FileError, match="not a list of names"):
        import_model(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite(rng, tmp_path, bad):
    path, *_ = small(rng, tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        file["model_weights/dense/dense/bias:0"][1] = bad
    with pytest.raises(FrontendError, match=r"layer 'dense' \(Dense\): its weight 'bias' holds NaN or infinite"):
        import_model(path)


def test_weights_of_the_wrong_shape(rng, tmp_path):
    path, *_ = small(rng, tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        del file["model_weights/dense/dense/kernel:0"]
        file["model_weights/dense/dense/kernel:0"] = np.ones((2, 3), dtype=np.float32)
    with pytest.raises(FrontendError, match=r"layer 'dense' \(Dense\): its kernel has shape \(2, 3\)"):
        import_model(path)


@pytest.mark.parametrize("document", [[], "x", {}, {"config": 3}, {"class_name": "Sequential", "config": {}}])
def test_configs_that_are_none(rng, tmp_path, weights, document):
    with pytest.raises(FrontendError) as caught:
        import_model(write_zip(tmp_path / "m.keras", document, weights))
    assert one_line(caught)


def test_json_nested_beyond_reason(tmp_path, weights):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "[" * 100_000)
        archive.writestr("model.weights.h5", by_class(weights))
    with pytest.raises(FileError, match="nested"):
        import_model(path)


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.15.1", (3, 15, 1)), ("2.2.4-tf", (2, 2, 4)), ("3.0.0.dev2024", (3, 0, 0)), ("?", (2, 0, 0))],
)
def test_versions(text, version):
    assert parse_version(text) == version
