"""Populations and connection lists: what the file says, what engines make of it, and what cannot be said."""

from __future__ import annotations

import ast
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from snnc_pynn import network as loader
from snnc_pynn.exporter import PynnExporter

import snnc
from snnc import cli
from snnc.api import FileError, Graph, LoweringError, Neurons, neurons, ops
from snnc.compiled import Compiled
from snnc.registry import Registry
from tests.conftest import ROOT

STEPS = 30


def net() -> Graph:
    """Return a residual network with a depthwise and a strided convolution, pooling, and two outputs."""
    rng, graph = np.random.default_rng(0), Graph("net")

    def weights(*shape: int) -> Any:
        return (rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)

    def conv(inputs: int, outputs: int, strides: int = 1, groups: int = 1) -> ops.Conv:
        kernel, bias = weights(3, 3, inputs // groups, outputs), weights(outputs)
        both = {"strides": (strides, strides), "dilation": (1, 1), "padding": "same", "groups": groups}
        return ops.Conv(kernel=kernel, bias=bias, **both)

    def add(name: str, op: Any, *sources: str) -> None:
        graph.add(name, op, list(sources), layers=[name] if sources else [])

    add("x", ops.Input(shape=(5, 6, 2)))
    add("conv", conv(2, 4), "x")
    add("first", ops.Relu(), "conv")
    add("depthwise", conv(4, 4, groups=4), "first")
    add("second", ops.Relu(), "depthwise")
    add("sum", ops.Add(), "first", "second")
    add("strided", conv(4, 6, strides=2), "sum")
    add("third", ops.Relu(), "strided")
    add("pool", ops.GlobalAvgPool(), "third")
    add("classes", ops.Dense(weight=weights(6, 5), bias=weights(5)), "pool")
    add("map", ops.AvgPool(size=(2, 2), strides=(2, 2)), "second")
    graph.set_outputs({"classes": "classes", "map": "map"})
    return graph


def compiled(graph: Graph | None = None, **options: Any) -> Compiled:
    given = {"level": 1, "scale": 150, "neurons": "soft-reset-if{initial=0.5}", "read_out": 0.25, **options}
    return snnc.compile(graph or net(), verify=False, build=False, steps=STEPS, **given)


def samples(count: int = 3) -> Any:
    return np.random.default_rng(1).random((count, 5, 6, 2)).astype(np.float32)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    compiled().export(tmp_path / "net.npz", "pynn")
    return tmp_path / "net.npz"


class Numpy(loader.Running):
    """Our own reading of the file in numpy, a layer after another: all that is needed to run it."""

    def run(self, currents: Any) -> Any:
        there, spikes = self.network.populations, {}
        for p in sorted(there.values(), key=lambda p: p.depth):
            voltage, sent = np.full(p.size, p.initial), np.zeros((STEPS, p.size))
            before = [given for given in self.between() if given.target == p.name]
            for t in range(STEPS):
                voltage += currents[p.name] + sum(given.apply(spikes[given.source][t], p.size) for given in before)
                sent[t] = voltage >= 1
                voltage -= sent[t]
            spikes[p.name] = sent
        found = {name: np.nonzero(sent) for name, sent in spikes.items()}
        return {name: (steps + self.start(there[name]), which) for name, (steps, which) in found.items()}


def same_as_snnc(c: Compiled, running: loader.Running, count: int = 3) -> None:
    watch = [node.name for node in c.graph.nodes(Neurons)]
    wanted = c.predict(samples(count))
    for i, x in enumerate(samples(count)):
        totals = c.engine("numpy").run({"x": x[None]}, STEPS, watch=watch).totals
        counts, outputs = running.show(x)
        for name in watch:
            sent = np.rint(totals[name][0] * c.settings.dt / np.asarray(c.graph[name].op.scale))
            assert sent.any()
            np.testing.assert_array_equal(counts[name], sent)
        for name, y in outputs.items():
            np.testing.assert_allclose(y, wanted[name][i], rtol=1e-5, atol=1e-5)


def test_the_file_alone_gives_snncs_spikes_and_answers(written: Path) -> None:
    network = loader.load(written)
    same_as_snnc(compiled(), Numpy(network), 20)
    assert {p.name: p.depth for p in network.populations.values()} == {"first": 0, "second": 1, "third": 2}


def test_scales_by_channel_are_in_the_weights(tmp_path: Path) -> None:
    c, rng = compiled(), np.random.default_rng(3)
    for node in c.graph.nodes(Neurons):
        scale = np.float32(node.op.scale) * rng.uniform(0.5, 2, node.type.shape[-1]).astype(np.float32)
        c.graph.replace(node.name, replace(node.op, scale=scale))
    c.export(tmp_path / "net.npz", "pynn")
    same_as_snnc(c, Numpy(loader.load(tmp_path / "net.npz")))


@pytest.mark.filterwarnings("ignore")  # of its own
def test_brian2_gives_the_counts_of_every_layer(written: Path) -> None:
    brian2 = pytest.importorskip("brian2")
    brian2.prefs.codegen.target = "numpy"
    same_as_snnc(compiled(), loader.load(written).build_brian2())


@pytest.mark.filterwarnings("ignore")  # of their own
def test_pynn_on_brian2_gives_the_counts_of_every_layer(written: Path) -> None:
    brian2 = pytest.importorskip("brian2")
    sim = pytest.importorskip("pyNN.brian2")
    logging.getLogger("brian2").setLevel(logging.WARNING)
    brian2.prefs.codegen.target = "numpy"
    network = loader.load(written)
    same_as_snnc(compiled(), network.build(sim))
    counts, _ = network.build(sim, sim.IF_curr_delta).show(samples(1)[0])
    exact, _ = Numpy(network).show(samples(1)[0])
    assert 0 < sum(c.sum() for c in counts.values()) < sum(c.sum() for c in exact.values())


def test_the_loader_needs_numpy_alone() -> None:
    tree = ast.parse((ROOT / "plugins" / "snnc_pynn" / "network.py").read_text())
    at_once = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {getattr(node, "module", None) or node.names[0].name for node in at_once}
    assert names == {"__future__", "collections.abc", "dataclasses", "json", "typing", "numpy"}


def test_the_same_network_gives_the_same_bytes_and_the_command_writes_them(tmp_path: Path) -> None:
    compiled().save(tmp_path / "out")
    command = ["export", str(tmp_path / "out"), "--format", "pynn", "-o"]
    for name in ("one.npz", "two.npz"):
        assert cli._run([*command, str(tmp_path / name)]) == 0
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert cli._run([*command, str(tmp_path / "one.npz"), "--force"]) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"neurons": "spiking-relu"}, "layer 'second': its neurons are 'spiking-relu'; use --neurons soft-reset-if"),
        ({"neurons": "soft-reset-if{gamma=2}"}, "layer 'third': its neurons send up to 2 spikes a step"),
        ({"synapse": 0.005}, "layer 'first.synapse': it filters what spikes bring; compile without --synapse"),
        ({"neurons": {"second": "none", "*": "soft-reset-if"}}, "layer 'second': there is no op 'relu'"),
    ],
)
def test_what_such_cells_cannot_do_is_refused_by_layer(options: dict[str, Any], said: str) -> None:
    with pytest.raises(LoweringError) as refused:
        PynnExporter().to_bytes(compiled(**options).exported)
    assert said in str(refused.value)


def test_inputs_that_change_are_refused() -> None:
    graph = Graph("temporal")
    graph.add("x", ops.Input(shape=(3,), dt=0.001))
    model = neurons.SoftResetIf()
    graph.add("n", Neurons(model=model, scale=0.01), ["x"])
    graph.set_outputs({"n": "n"})
    with pytest.raises(LoweringError, match="layer 'x': its currents change with time; compile without --temporal"):
        PynnExporter().to_bytes(replace(compiled().exported, graph=graph))


def test_too_many_connections_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnc_pynn.write.MOST", 1000)
    with pytest.raises(LoweringError, match=r"layer 'first': it takes 2,160 connections from 'x', the most are 1,000"):
        PynnExporter().to_bytes(compiled().exported)


def test_what_is_left_out_is_said() -> None:
    graph = net()
    graph.add("softmax", ops.Softmax(), ["classes"], layers=["softmax"])
    graph.set_outputs({"softmax": "softmax", "map": "map"})
    notes = PynnExporter().notes(compiled(graph).exported)
    assert "PyNN's own forget what was above it" in notes[0]
    assert notes[1] == "the loader leaves out softmax, which is applied once, to what is read out"


def test_verify_reads_the_file_again_and_finds_what_was_changed(written: Path, tmp_path: Path) -> None:
    c = compiled()
    report = c.verify_exported(written, samples(20))
    assert report.passed, report.problems
    assert [(row.layer, row.neurons, row.differing) for row in report.layers] == [
        ("first", 2400, 0),
        ("second", 2400, 0),
        ("third", 1080, 0),
    ]
    c.save(tmp_path / "out")
    command = ["verify", str(tmp_path / "out"), "--exported", str(written)]
    assert cli._run(command) == 0
    with np.load(written) as file:
        arrays = dict(file)
    arrays["2/weight"] = arrays["2/weight"] * np.float32(1.1)
    np.savez(written, **arrays)
    changed = c.verify_exported(written, samples(20))
    assert not changed.passed
    assert [row.differing > 0 for row in changed.layers] == [False, False, True]
    assert cli._run(command) == 1


def test_a_softmax_behind_the_read_out_is_compared_too(tmp_path: Path) -> None:
    graph = net()
    graph.add("softmax", ops.Softmax(), ["classes"], layers=["softmax"])
    graph.set_outputs({"softmax": "softmax", "again": "softmax", "map": "map"})
    c = compiled(graph)
    c.export(tmp_path / "net.npz", "pynn")
    report = c.verify_exported(tmp_path / "net.npz", samples(5))
    assert report.passed, report.problems


@pytest.mark.parametrize("damage", ["cut", "text", "version", "index", "missing", "nan", "back", "bias"])
def test_damaged_files_are_one_error(written: Path, damage: str) -> None:
    if damage in ("cut", "text"):
        written.write_bytes(written.read_bytes()[:3000] if damage == "cut" else b"net")
    else:
        with np.load(written) as file:
            arrays = dict(file)
        about = json.loads(str(arrays["about"]))
        if damage == "version":
            about["version"] = 2
        elif damage == "back":
            about["populations"]["first"]["depth"] = 1
        elif damage == "missing":
            del arrays["0/weight"]
        elif damage == "bias":
            arrays["population/0"] = arrays["population/0"][1:]
        else:
            arrays["1/pre" if damage == "index" else "1/weight"][0] = 1 << 20 if damage == "index" else np.nan
        np.savez(written, **{**arrays, "about": np.array(json.dumps(about))})
    with pytest.raises(loader.FormatError, match="is no file of snnc export --format pynn"):
        loader.load(written)
    with pytest.raises(FileError, match="net.npz"):
        PynnExporter().read(written, Registry.discover().kinds)


def test_a_sample_of_another_shape_is_refused(written: Path) -> None:
    with pytest.raises(ValueError, match=r"input 'x' has the shape \(5, 6\), not \(5, 6, 2\)"):
        Numpy(loader.load(written)).show(samples(1)[0, ..., 0])


def test_the_format_is_registered_by_its_plugin() -> None:
    from snnc_pynn import plugin

    assert Registry.discover([("pynn", plugin)], installed=False).exporters["pynn"] is PynnExporter
