"""A NIR file is recognised by what is in it, and compiles and runs like a model."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from snnc_nir.frontend import NirFrontend

import snnc
from snnc import cli
from snnc.errors import FileError, UsageError
from snnc.registry import Registry
from tests.frontend.keras_files import dense, sequential, source, write_h5
from tests.nir_executor import execute
from tests.plugins.nir.files import affine, binary, chain, conv, fires, node

FRONTEND = NirFrontend(Registry.discover().kinds)


@pytest.fixture
def file(rng):
    """Return a file of others: a convolution, a pool and two populations that are set to 0 by a spike."""
    return chain(
        (2, 6, 6),
        conv(binary(rng, 4, 2, 3, 3), bias=binary(rng, 4)),
        fires(4, 4, 4, v_reset=np.zeros((4, 4, 4))),
        node("SumPool2d", kernel_size=2, stride=2, padding=0),
        node("Flatten", start_dim=0, end_dim=-1),
        affine(binary(rng, 3, 16), binary(rng, 3)),
        fires(3, v_reset=np.zeros(3)),
        out=(3,),
    )


@pytest.fixture
def path(file, tmp_path):
    path = tmp_path / "net.nir"
    path.write_bytes(file.to_bytes())
    return path


def test_files_are_recognised_by_their_content(path, tmp_path):
    other = tmp_path / "net.h5"
    other.write_bytes(path.read_bytes())
    assert FRONTEND.accepts(path)
    assert FRONTEND.accepts(str(other))
    assert snnc.import_model(other) == snnc.import_model(path)
    model = sequential(source("node", 4), dense("dense", 2))
    weights = {"dense": {"dense/kernel:0": np.ones((4, 2)), "dense/bias:0": np.ones(2)}}
    keras = write_h5(tmp_path / "keras.h5", model, weights)
    assert not FRONTEND.accepts(keras)
    assert snnc.import_model(keras).outputs == ("dense",)
    for no_file in (tmp_path, tmp_path / "nothing.h5", 5, None):
        assert not FRONTEND.accepts(no_file)


def test_a_file_that_is_not_there_or_is_none(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        snnc.import_model(tmp_path / "nothing.nir")
    (tmp_path / "text.nir").write_text("hello")
    with pytest.raises(FileError, match=r"text\.nir"):
        snnc.import_model(tmp_path / "text.nir")


def test_options_of_keras_files_are_refused(path):
    for option in ({"config": path}, {"input_shape": (6, 6, 2)}):
        with pytest.raises(UsageError, match="is a NIR file"):
            snnc.import_model(path, **option)
    with pytest.raises(UsageError, match="NODE or TYPE=subtract"):
        snnc.import_model(path, replace={"n0": "relu"})


@pytest.mark.parametrize("backend", ["nengo", "tensorflow", "nengo-dl"])
@pytest.mark.parametrize("resets", [None, {"IF": "subtract"}])
def test_every_backend_gives_the_spikes_of_the_executor(backend, resets, file, path, rng):
    pytest.importorskip(backend.replace("-", "_"))
    compiled = snnc.compile(path, backend=backend, replace=resets)
    assert compiled.report["exact"] == "passed"
    assert compiled.settings.level == 0
    assert compiled.settings.dt == 1e-4
    x = np.abs(binary(rng, 3, 2, 6, 6)).astype(np.float32)
    got = compiled.run(np.moveaxis(x, 1, -1), 20)["output"]
    if resets:
        for name in ("n1", "n5"):
            del file.nodes[name].fields["v_reset"]
    want = execute(file, {"input": x}, steps=20).outputs["output"]
    assert want.sum() > 10
    assert np.array_equal(got, want)
    assert any("spike" in note for note in compiled.notes)


@pytest.mark.parametrize("backend", ["nengo", "tensorflow", "nengo-dl"])
def test_every_neuron_has_its_own_parameters_on_every_backend(backend, tmp_path, rng):
    pytest.importorskip(backend.replace("-", "_"))
    shape = (3, 4, 2)
    parameters = {
        "r": 1 + rng.integers(0, 3, size=shape) / 4,
        "v_threshold": 1 + rng.integers(0, 5, size=shape) / 4,
        "v_reset": -rng.integers(0, 3, size=shape) / 4,
    }
    file = chain(shape, node("Scale", scale=np.full(shape, 0.5)), node("IF", **parameters), out=shape)
    (tmp_path / "net.nir").write_bytes(file.to_bytes())
    x = np.abs(binary(rng, 2, *shape)).astype(np.float32)
    want = execute(file, {"input": x}, steps=16).outputs["output"]
    compiled = snnc.compile(tmp_path / "net.nir", backend=backend, verify=False)
    got = compiled.run(np.moveaxis(x, 1, -1), 16)["output"]
    assert want.sum() > 10
    assert np.array_equal(np.moveaxis(got, -1, 2), want)


@pytest.mark.parametrize("backend", ["nengo", "tensorflow"])
def test_sequences_come_slice_by_slice(backend, tmp_path, rng):
    pytest.importorskip(backend)
    leaky = {"tau": np.full(3, 2e-3), "r": np.full(3, 20.0), "v_leak": np.zeros(3)}
    file = chain(
        (4,),
        affine(binary(rng, 3, 4)),
        node("LIF", **leaky, v_threshold=np.ones(3), v_reset=np.zeros(3)),
        node("LI", **leaky),
        out=(3,),
        metadata={"temporal": np.array(1)},
    )
    (tmp_path / "net.nir").write_bytes(file.to_bytes())
    x = (rng.uniform(size=(2, 25, 4)) < 0.3).astype(np.float32)  # spikes
    compiled = snnc.compile(tmp_path / "net.nir", backend=backend, temporal=True, dt=5e-4)
    assert compiled.temporal
    want = execute(file, {"input": x}, dt=5e-4).outputs["output"]
    assert np.ptp(want) > 0
    np.testing.assert_allclose(compiled.run(x)["output"], want, rtol=1e-4, atol=1e-5)


def test_a_folder_of_any_name_is_none(tmp_path, path):
    snnc.compile(path, verify=False).save(tmp_path / "out.nir")
    assert not FRONTEND.accepts(tmp_path / "out.nir")
    assert snnc.import_model(tmp_path / "out.nir") == snnc.import_model(path)


def test_loihi_gets_neurons_of_its_own(path):
    pytest.importorskip("nengo_loihi")
    compiled = snnc.compile(path, backend="loihi", verify=False)
    kinds = {op.model.kind for op in (n.op for n in compiled.graph.nodes(snnc.neurons.Neurons))}
    assert all(kind.startswith("loihi") for kind in kinds)
    assert compiled.settings.dt == 0.001
    assert compiled.settings.level == 1
    assert any("has no neurons nir-if" in note for note in compiled.notes)
    assert np.isfinite(compiled.predict(np.ones((1, 6, 6, 2), np.float32), steps=5)).all()


def test_the_command_line(path, tmp_path, capsys):
    assert cli._run(["show", str(path)]) == 0
    assert "nir-if" in capsys.readouterr().out
    assert cli._run(["compile", str(path), "-o", str(tmp_path / "out")]) == 0
    assert (
        cli._run(["compile", str(path), "-o", str(tmp_path / "fast"), "--dt", "0.001", "--replace", "IF=subtract"]) == 0
    )
    assert snnc.load(tmp_path / "out").settings.dt == 1e-4
    assert snnc.load(tmp_path / "fast").settings.dt == 0.001
    assert cli._run(["verify", str(tmp_path / "out")]) == 0


def test_a_file_of_the_package_nir(tmp_path, rng):
    nir = pytest.importorskip("nir")

    def full(value, *shape):
        return np.full(shape, value, dtype=np.float32)

    leaky = {"r": full(20.0, 3), "v_leak": full(0.0, 3), "v_threshold": full(1.0, 3)}
    kernel, weight = binary(rng, 4, 2, 3, 3).astype(np.float32), binary(rng, 3, 36).astype(np.float32)
    how = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1, "bias": full(0.5, 4)}
    two = np.array([2, 2])
    nodes = {
        "input": nir.Input(np.array([2, 6, 6])),
        "conv": nir.Conv2d(input_shape=(6, 6), weight=kernel, **how),
        "if": nir.IF(r=full(1.0, 4, 6, 6), v_threshold=full(2.0, 4, 6, 6)),
        "pool": nir.SumPool2d(kernel_size=two, stride=two, padding=0 * two),
        "flat": nir.Flatten(input_type=np.array([4, 3, 3]), start_dim=0, end_dim=-1),
        "dense": nir.Affine(weight, full(0.0, 3)),
        "lif": nir.LIF(tau=full(0.002, 3), **leaky),
        "mixed": nir.Linear(binary(rng, 3, 3).astype(np.float32)),
        "cuba": nir.CubaLIF(tau_mem=full(0.002, 3), tau_syn=full(0.001, 3), **leaky),
        "scale": nir.Scale(scale=full(0.5, 3)),
        "li": nir.LI(tau=full(0.002, 3), r=full(1.0, 3), v_leak=full(0.0, 3)),
        "output": nir.Output(np.array([3])),
    }
    names = list(nodes)
    path = tmp_path / "net.nir"
    nir.write(path, nir.NIRGraph(nodes, list(itertools.pairwise(names))))
    x = np.abs(binary(rng, 3, 2, 6, 6)).astype(np.float32)
    want = execute(path, {"input": x}, steps=30).outputs["output"]
    got = snnc.compile(path, verify=False).run(np.moveaxis(x, 1, -1), 30)["output"]
    assert np.ptp(want) > 0
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_a_graph_inside_a_graph_stands_in_its_place(tmp_path, rng):
    nir = pytest.importorskip("nir")
    ones = np.ones(3, np.float32)

    def inside(*nodes):
        named = {"input": nir.Input(np.array([3])), **{f"n{k}": n for k, n in enumerate(nodes)}}
        named["output"] = nir.Output(np.array([3]))
        return nir.NIRGraph(named, list(itertools.pairwise(named)))

    block = inside(nir.Linear(binary(rng, 3, 3).astype(np.float32)), nir.IF(r=ones, v_threshold=ones))
    nothing = inside()
    nodes = {"input": nir.Input(np.array([3])), "a": inside(block, nir.Scale(2 * ones)), "b": nothing}
    nodes |= {"c": nir.Linear(binary(rng, 3, 3).astype(np.float32)), "output": nir.Output(np.array([3]))}
    edges = [("input", "a"), ("a", "b"), ("b", "c"), ("input", "c"), ("c", "output")]
    nir.write(tmp_path / "net.nir", nir.NIRGraph(nodes, edges))
    graph = snnc.import_model(tmp_path / "net.nir")
    assert {"a.n0.n0", "a.n0.n1", "a.n1", "c"} <= {n.name for n in graph}
    x = np.abs(binary(rng, 2, 3)).astype(np.float32)
    got = snnc.compile(tmp_path / "net.nir", verify=False).run(x, 9)["output"]
    spikes = execute(tmp_path / "net.nir", {"input": x}, steps=9).outputs
    assert spikes["a.n0.n1"].sum() > 0
    assert np.array_equal(got, spikes["output"])
    read = nodes["c"].weight @ (x[:, None] + 2 * spikes["a.n0.n1"]).transpose(0, 2, 1)
    assert np.array_equal(got, read.transpose(0, 2, 1))


def test_to_recognise_a_file_nothing_heavy_is_loaded(path):
    code = f"import sys, snnc; snnc.import_model({str(path)!r}); print('torch' in sys.modules, 'nir' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]
