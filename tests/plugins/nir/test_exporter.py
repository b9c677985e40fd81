"""Files on the disk: exported, read again, spoilt and found out; and networks for readers that know nothing of snnc."""

import json
from dataclasses import replace

import numpy as np
import pytest
from snnc_nir.exporter import NirExporter
from snnc_nir.file import NirFile, read

import snnc
from snnc import cli, neurons
from snnc.errors import FileError, LoweringError, UsageError
from snnc.neurons import Neurons
from snnc.portable import portable
from tests.nir_executor import execute
from tests.plugins.nir.networks import Net, chain, networks

NETWORKS = networks()
PLAIN = {"neurons": "soft-reset-if{initial=0.5}", "scale": 300.0, "level": 1, "steps": 12, "verify": False}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with an artifact and the file of it."""
    folder = tmp_path_factory.mktemp("made")
    c = snnc.compile(chain(Net()), **PLAIN)
    c.save(folder / "artifact")
    c.export(folder / "net.nir", "nir")
    return folder


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_comes_back_as_it_was_compiled(name, tmp_path):
    c = snnc.compile(NETWORKS[name], **PLAIN)
    c.export(tmp_path / "net.nir", "nir")
    report = c.verify_exported(tmp_path / "net.nir")
    assert report.passed, report.problems
    assert sum(row.ties for row in report.layers) == 0 and report.left_out == 0


def test_the_same_network_is_the_same_bytes(made, tmp_path):
    c = snnc.load(made / "artifact")
    c.export(tmp_path / "again.nir", "nir")
    assert (tmp_path / "again.nir").read_bytes() == (made / "net.nir").read_bytes()


def field(node, name, change):
    """Return a way to spoil one field of one node."""

    def spoil(file):
        old = file.nodes[node]
        return {**file.nodes, node: replace(old, fields={**old.fields, name: change(old.fields.get(name))})}, file

    return spoil


def said(node, name, change):
    """Return a way to spoil the metadata of one node."""

    def spoil(file):
        old = file.nodes[node]
        return {**file.nodes, node: replace(old, metadata={**old.metadata, name: change(old.metadata.get(name))})}, file

    return spoil


SPOILT = {
    "a scale is dropped": field("conv_1_weights", "weight", lambda w: w * np.float32(0.3)),
    "a bias is dropped": field("conv_weights", "bias", np.zeros_like),
    "rows and columns change places": field("conv_weights", "weight", lambda w: w.swapaxes(2, 3)),
    "channels change places": field("conv_1_weights", "weight", lambda w: w[:, ::-1]),
    "outputs change places": field("dense_weights", "weight", lambda w: w[::-1]),
    "reset to a value": field("relu", "v_reset", lambda _: np.full((5, 7, 6), 0.25, dtype=np.float32)),
    "another reset": said("relu", "reset", lambda _: "zero"),
    "no voltage at the start": said("relu", "initial_voltage", lambda _: np.array(0.0)),
    "two spikes a step": said("relu_1", "most_spikes", lambda _: np.array(2)),
    "another threshold": field("relu_1", "v_threshold", lambda v: v * np.float32(2)),
    "another resistance": field("relu_1", "r", lambda r: r * np.float32(0.5)),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_file_is_found_out(how, made, tmp_path, capsys):
    nodes, file = SPOILT[how](read(made / "net.nir"))
    (tmp_path / "net.nir").write_bytes(NirFile(nodes, file.edges, file.metadata).to_bytes())
    code = cli._run(["verify", str(made / "artifact"), "--exported", str(tmp_path / "net.nir")])
    told = capsys.readouterr()
    assert code in (1, 2), told.out
    assert ("FAILED: " in told.out) if code == 1 else (how == "reset to a value" and "reset by subtraction" in told.err)


@pytest.mark.parametrize(
    ("key", "value"), [("read_out", "last{start=0.0}"), ("steps", np.array(3)), ("dt", np.array(0.01)), ("tail", None)]
)
def test_spoilt_metadata_is_found_out(key, value, made, tmp_path, capsys):
    file = read(made / "net.nir")
    metadata = {k: v for k, v in {**file.metadata, key: value}.items() if v is not None}
    (tmp_path / "net.nir").write_bytes(NirFile(file.nodes, file.edges, metadata).to_bytes())
    code = cli._run(["verify", str(made / "artifact"), "--exported", str(tmp_path / "net.nir")])
    told = capsys.readouterr()
    # without a tail that says nothing, a network that has none is the same
    assert code == 0 if key == "tail" else code in (1, 2) and ("FAILED" in told.out or "error" in told.err)


def test_a_good_file_passes_on_the_command_line(made, capsys):
    assert cli._run(["verify", str(made / "artifact"), "--exported", str(made / "net.nir")]) == 0
    assert "verify: passed" in capsys.readouterr().out
    assert cli._run(["verify", str(made / "artifact"), "--exported", str(made / "net.nir"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] and [row["differing"] for row in report["layers"]] == [0, 0]


def test_a_file_by_itself_cannot_be_verified(made, capsys):
    assert cli._run(["verify", str(made / "net.nir")]) == 2
    assert "snnc verify FOLDER --exported net.nir" in capsys.readouterr().err


def test_export_on_the_command_line_says_what_others_do_otherwise(made, tmp_path, capsys):
    assert cli._run(["export", str(made / "artifact"), "--format", "nir", "-o", str(tmp_path / "net.nir")]) == 0
    told = capsys.readouterr().out
    assert "note: NIR has no words for reset by subtraction, a voltage at the start" in told
    assert (tmp_path / "net.nir").read_bytes() == (made / "net.nir").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "nope", "-o", "net.nope"], "unknown format 'nope'"),
        (["-o", "net.nir"], "name a format: nir"),
        (["-o", "net.nir", "--portable"], "--portable is for a file format"),
        (["--format", "nir", "-o", "net.nir", "--calibration", "x.npz"], "are for --portable"),
    ],
)
def test_what_cannot_be_exported_is_said(arguments, message, made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli._run(["export", str(made / "artifact"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_what_nir_cannot_say_is_refused_by_name(tmp_path):
    net = Net()
    pooled = net.add(net_max_pool(), net.relu(net.conv(net.input(8, 8, 1), 3)))
    c = snnc.compile(net.out(net.dense(net.flatten(net.relu(net.conv(pooled, 3))), 2)), **PLAIN)
    with pytest.raises(LoweringError, match=r"NIR cannot say 1 layer.*'max-pool.*train with average pooling"):
        c.export(tmp_path / "net.nir", "nir")
    c = snnc.compile(chain(Net()), neurons="poisson", level=1, scale=100.0, verify=False)
    with pytest.raises(LoweringError, match=r"layer 'relu': neurons 'poisson' draw random numbers"):
        c.export(tmp_path / "net.nir", "nir")
    c = snnc.compile(chain(Net()), neurons="relu", level=1, scale=100.0, verify=False)
    with pytest.raises(LoweringError, match=r"layer 'relu': neurons 'relu' give rates"):
        c.export(tmp_path / "net.nir", "nir")
    assert not any(tmp_path.iterdir())


def net_max_pool():
    from snnc import ops

    return ops.MaxPool(size=(2, 2), strides=(2, 2), padding="valid")


def test_nothing_is_replaced_that_is_no_result(made, tmp_path):
    c = snnc.load(made / "artifact")
    (tmp_path / "mine.nir").write_bytes(b"\x89HDF\r\n\x1a\n of somebody else")
    with pytest.raises(FileError, match="no result of snnc"):
        c.export(tmp_path / "mine.nir", "nir")
    c.export(tmp_path / "mine.nir", "nir", force=True)
    c.export(tmp_path / "mine.nir", "nir")
    assert c.verify_exported(tmp_path / "mine.nir").passed


def test_a_file_of_no_known_format_cannot_be_verified(made, tmp_path):
    (tmp_path / "x.bin").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="of no format that snnc exports and reads back: nir"):
        snnc.load(made / "artifact").verify_exported(tmp_path / "x.bin")


def test_portable_is_said_by_nir_alone_and_says_what_it_costs(tmp_path, rng):
    graph = chain(Net())
    x = rng.uniform(size=(40, 9, 8, 2)).astype(np.float32)
    y = graph.evaluate(x)["out"].argmax(axis=1)
    c = snnc.compile(graph, verify=False)
    made = portable(c, NirExporter(), {"x": x, "y": y}, steps=16)
    models = [node.op.model for node in made.compiled.graph.nodes(Neurons)]
    assert models and all(type(m) is neurons.SoftResetIf and (m.gamma, m.initial) == (1, 0) for m in models)
    assert len(made.costs) == 4 and "accuracy" in made.costs[-1] and "16 steps" in made.costs[-1]
    made.compiled.export(tmp_path / "net.nir", "nir")
    file = read(tmp_path / "net.nir")
    plain = NirFile({k: replace(n, metadata={}) for k, n in file.nodes.items()}, file.edges, {})
    got = execute(plain, {"x": np.moveaxis(x, -1, 1)}, steps=16).outputs["out"]
    want = made.compiled.run(x, 16)["out"]
    np.testing.assert_allclose(got.reshape(want.shape), want, atol=2e-4 * np.abs(want).max())


def test_portable_without_samples_judges_nothing(rng):
    made = portable(snnc.compile(chain(Net()), verify=False), NirExporter(), steps=8)
    assert "not judged" in made.costs[-1]


def test_a_portable_file_has_no_convolutions_in_groups(tmp_path):
    c = snnc.compile(NETWORKS["depthwise"], **PLAIN)
    c.export(tmp_path / "net.nir", "nir")
    c.export(tmp_path / "plain.nir", "nir", plain=True)
    groups = [
        {int(node.fields["groups"]) for node in read(tmp_path / name).nodes.values() if node.type == "Conv2d"}
        for name in ("net.nir", "plain.nir")
    ]
    assert groups == [{1, 4}, {1}]
    assert c.verify_exported(tmp_path / "plain.nir").passed
    told = " ".join(NirExporter().notes(c.exported))
    assert "convolutions in groups" in told
    assert "convolutions in groups" not in " ".join(NirExporter().notes(replace(c.exported, plain=True)))


def test_sums_that_released_readers_get_wrong_are_said():
    told = " ".join(NirExporter().notes(snnc.compile(NETWORKS["residual"], **PLAIN).exported))
    assert "several edges into one node add up" in told
