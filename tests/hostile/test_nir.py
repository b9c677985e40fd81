"""NIR files that are damaged, lie or ask for all there is: one line and exit code 2, soon."""

import itertools
import json
import time

import h5py
import numpy as np
import pytest
from snnc_nir.file import NirFile

from snnc import cli
from tests.plugins.nir.files import affine, chain, conv, fires, node


def good():
    return chain((2, 5, 5), conv(np.ones((3, 2, 3, 3))), fires(3, 3, 3, v_reset=np.zeros((3, 3, 3))), out=(3, 3, 3))


def refused(capsys, path, tmp_path):
    """Assert that ``show`` and ``compile`` say one line and write nothing."""
    for arguments in (["show", str(path)], ["compile", str(path), "-o", str(tmp_path / "out")]):
        start = time.monotonic()
        code = cli._run(arguments)
        out, err = capsys.readouterr()
        assert code == 2, err
        assert out == ""
        assert err.startswith("snnc: ")
        assert err.count("\n") == 1
        assert len(err) < 1200
        assert time.monotonic() - start < 20  # a hang, not a measurement: the limit inside is a few seconds
    assert not (tmp_path / "out").exists()
    return err


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "net.nir"
    path.write_bytes(good().to_bytes())
    return path


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.9])
def test_a_file_that_is_cut_off(capsys, path, tmp_path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(capsys, path, tmp_path)


def changed(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def without(name):
    return lambda file: file.__delitem__(name)


def instead(name, value, **how):
    def change(file):
        del file[name]
        file.create_dataset(name, data=value, **how)

    return change


def soft_link(file):
    del file["node/nodes/n0/weight"]
    file["node/nodes/n0/weight"] = h5py.SoftLink("/node/nodes/n0/bias")


def external_link(file):
    del file["node/nodes/n0"]
    file["node/nodes/n0"] = h5py.ExternalLink("other.nir", "/node/nodes/n0")


def group_for_a_field(file):
    del file["node/nodes/n0/stride"]
    file.create_group("node/nodes/n0/stride")


def a_bomb(file):
    del file["node/nodes/n0/weight"]
    file.create_dataset("node/nodes/n0/weight", shape=(10**5, 10**5, 3, 3), dtype="f4", chunks=(64, 64, 3, 3))


def a_graph_in_itself(file):
    """Let each node be a graph which holds all of them: hard links, so that none leaves the file."""
    for name in ("n0", "n1"):
        del file[f"node/nodes/{name}"]
        file[f"node/nodes/{name}"] = file["node"]


def a_graph_in_itself_many_times(file):
    a_graph_in_itself(file)
    for number in range(200):
        file[f"node/nodes/m{number}"] = file["node"]


def many_axes(file):
    del file["node/nodes/n1/r"]
    file.create_dataset("node/nodes/n1/r", data=np.ones((1,) * 32))


@pytest.mark.parametrize(
    "change",
    [
        without("node"),
        without("node/type"),
        without("node/edges"),
        without("node/nodes"),
        without("node/nodes/n0/type"),
        without("node/nodes/n0/weight"),
        without("node/nodes/n1/v_threshold"),
        without("node/nodes/input/shape"),
        without("node/nodes/n1"),
        instead("node/type", "Wormhole"),
        instead("node/type", 5),
        instead("node/nodes", 5),
        instead("node/nodes/n0", 5),
        instead("node/nodes/n0/type", 5),
        instead("node/nodes/n0/type", "Conv3d"),
        instead("node/nodes/n0/type", "NIRGraph"),
        instead("node/edges", 5),
        instead("node/edges", "x"),
        instead("node/edges", [["input", "n0", "n1"]], dtype=h5py.string_dtype()),
        instead("node/edges", [["input", "nowhere"]], dtype=h5py.string_dtype()),
        instead(
            "node/edges", [["input", "n0"], ["n0", "n1"], ["n1", "n0"], ["n1", "output"]], dtype=h5py.string_dtype()
        ),
        instead("node/edges", [["input", "n0"], ["n0", "n0"], ["n0", "output"]], dtype=h5py.string_dtype()),
        instead("node/nodes/input/shape", np.array([2**62, 2**62, 2**62])),
        instead("node/nodes/input/shape", np.array([-2, 5, 5])),
        instead("node/nodes/input/shape", np.array([], dtype=int)),
        instead("node/nodes/input/shape", 10**9),
        instead("node/nodes/input/shape", "wide"),
        instead("node/nodes/n0/weight", np.full((3, 2, 3, 3), np.nan)),
        instead("node/nodes/n0/weight", np.ones((3, 2, 3, 3), dtype="c8")),
        instead("node/nodes/n0/weight", np.ones((3, 2, 0, 3))),
        instead("node/nodes/n0/weight", np.ones((3, 2, 90, 90))),
        instead("node/nodes/n0/padding", np.array([-1, -1])),
        instead("node/nodes/n0/padding", np.array([2**60, 2**60])),
        instead("node/nodes/n0/padding", np.array([10**6, 10**6])),
        instead("node/nodes/n0/stride", np.array([0, 1])),
        instead("node/nodes/n0/stride", np.nan),
        instead("node/nodes/n0/dilation", np.array([10**6, 1])),
        instead("node/nodes/n0/groups", 10**9),
        instead("node/nodes/n1/v_threshold", np.full((3, 3, 3), np.inf)),
        instead("node/nodes/n1/r", h5py.Empty("f4")),
        soft_link,
        external_link,
        group_for_a_field,
        a_bomb,
        a_graph_in_itself,
        a_graph_in_itself_many_times,
        many_axes,
    ],
)
def test_what_is_damaged_or_lies(capsys, path, tmp_path, change):
    changed(path, change)
    refused(capsys, path, tmp_path)


def test_no_hdf5_file(capsys, tmp_path):
    path = tmp_path / "net.nir"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"node" * 5000)
    refused(capsys, path, tmp_path)
    path.write_bytes(b"MZ")
    refused(capsys, path, tmp_path)


def of_snnc(**metadata):
    """Return a file that says of itself that snnc wrote it."""
    return chain(
        (2,), fires(2, metadata={"layer": "a", "shape": np.array([2])}), metadata={"written_by": "snnc 9", **metadata}
    )


OP = {"op": "neurons", "attrs": {"model": {"neuron": "sigma-delta", "attrs": {"levels": 6}}, "scale": 1e-4}}


def own(op, **arrays):
    text = op if isinstance(op, str) else json.dumps(op)
    return chain(
        (2,), node("snnc.sigma-delta", shape=(2,), metadata={"op": text, **arrays}), metadata={"written_by": "snnc 9"}
    )


def with_attrs(**attrs):
    return {"op": "neurons", "attrs": {"model": {"neuron": "sigma-delta", "attrs": attrs}, "scale": 1e-4}}


@pytest.mark.parametrize(
    "file",
    [
        of_snnc(tail="[" * 10**6),
        of_snnc(tail='{"nodes": 5}'),
        of_snnc(inputs='{"input": {"op": "' + "[" * 5000 + '"}}'),
        of_snnc(inputs="9" * 5000),
        of_snnc(outputs='{"output": {"shape": [99999999999]}}'),
        of_snnc(outputs='{"output": {"shape": [true, 2]}}'),
        of_snnc(steps=np.array(-1)),
        of_snnc(steps=np.array(1e300)),
        of_snnc(seed=np.array(-1)),
        of_snnc(dt=np.array(np.nan)),
        own("5"),
        own("{}"),
        own({"op": "lambda", "attrs": {}}),
        own({**OP, "attrs": {**OP["attrs"], "scale": 7}}),
        own(with_attrs(levels="6")),
        own(with_attrs(levels=10**9)),
        own(with_attrs(initial={"array": "w9"})),
        own(with_attrs(initial={"array": "w0"}), w0=np.ones(2)),
        own(with_attrs(nonsense=1)),
        own(with_attrs(of={"op": "lambda", "attrs": {}})),
    ],
)
def test_metadata_that_lies(capsys, tmp_path, file):
    path = tmp_path / "net.nir"
    path.write_bytes(file.to_bytes())
    refused(capsys, path, tmp_path)


@pytest.mark.parametrize("text", ["mean{", "__import__", "mean{start=7}"])
def test_a_read_out_that_there_is_not(capsys, tmp_path, text):
    path = tmp_path / "net.nir"
    path.write_bytes(of_snnc(read_out=text).to_bytes())
    assert cli._run(["compile", str(path), "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_network_of_too_many_nodes(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SNNC_BUDGET", "0.001")
    nodes = {f"n{k}": affine(np.eye(2)) for k in range(30)}
    names = ["input", *nodes, "output"]
    ends = {"input": node("Input", shape=(2,)), "output": node("Output", shape=(2,))}
    path = tmp_path / "net.nir"
    path.write_bytes(NirFile({**nodes, **ends}, tuple(itertools.pairwise(names))).to_bytes())
    assert "layers and nodes" in refused(capsys, path, tmp_path)


def test_names_with_control_characters_are_shown_as_they_are_and_never_obeyed(capsys, tmp_path):
    name = "\x1b[31mred\nline"
    ends = {"input": node("Input", shape=(2,)), "output": node("Output", shape=(3,))}
    file = NirFile({**ends, name: fires(2)}, (("input", name), (name, "output")))
    path = tmp_path / "net.nir"
    path.write_bytes(file.to_bytes())
    assert "\x1b" not in refused(capsys, path, tmp_path)
