"""What snnc wrote comes back as it was: the same spikes in every step, and written again the same bytes."""

import numpy as np
import pytest
from snnc_nir.exporter import NirExporter

import snnc
from snnc.evaluation.exported import compare_exported
from snnc.registry import Registry
from tests.nir_executor import execute
from tests.plugins.nir.files import affine, binary, chain, conv, node
from tests.plugins.nir.networks import networks
from tests.plugins.nir.test_write import MODELS

NETWORKS = networks()
KINDS = Registry.discover().kinds


def read_again(c, tmp_path):
    """Return the bytes of an exported network, and the network that is in them."""
    path = tmp_path / "net.nir"
    c.export(path, "nir")
    return path.read_bytes(), NirExporter().read(path, KINDS)


def compared(c, network, rng):
    """Return what is said of a network from a file beside the compiled one, for two random samples."""
    x = {name: rng.uniform(size=(2, *c.graph[name].type.shape)).astype(np.float32) for name in c.graph.inputs}
    return compare_exported(c.exported, network, c.samples(x), 12)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_comes_back_and_is_written_as_the_same_bytes(name, tmp_path, rng):
    c = snnc.compile(NETWORKS[name], verify=False, **MODELS["soft-reset-if"])
    data, network = read_again(c, tmp_path)
    assert NirExporter().to_bytes(network) == data
    report = compared(c, network, rng)
    assert report.passed
    assert not any(row.differing for row in report.layers)
    assert sum(row.spikes for row in report.layers) > 0


@pytest.mark.parametrize("model", sorted(set(MODELS) - {"soft-reset-if"}))
@pytest.mark.parametrize("name", ["chain", "residual", "conv1d", "of_vectors", "several_ends", "spikes_at_the_end"])
def test_every_kind_of_neurons_comes_back(name, model, tmp_path, rng):
    c = snnc.compile(NETWORKS[name], verify=False, **MODELS[model])
    data, network = read_again(c, tmp_path)
    assert NirExporter().to_bytes(network) == data
    assert compared(c, network, rng).passed


def test_the_file_says_how_it_is_run(tmp_path):
    c = snnc.compile(
        NETWORKS["chain"], neurons="lif", scale=100.0, dt=0.002, steps=11, seed=5, read_out="last", verify=False
    )
    c.export(tmp_path / "net.nir", "nir")
    again = snnc.compile(tmp_path / "net.nir", verify=False)
    assert (again.settings.dt, again.settings.steps, again.settings.seed) == (0.002, 11, 5)
    assert again.settings.read_out == c.settings.read_out
    x = np.random.default_rng(0).uniform(size=(2, 9, 8, 2)).astype(np.float32)
    np.testing.assert_allclose(again.predict(x), c.predict(x), rtol=1e-4, atol=1e-5)
    mine = snnc.compile(tmp_path / "net.nir", dt=0.001, steps=3, seed=1, read_out=0.5, verify=False).settings
    assert (mine.dt, mine.steps, mine.seed, mine.read_out) == (0.001, 3, 1, "mean{start=0.5}")


def test_an_artifact_of_a_file_compiles_again_as_the_file_does(tmp_path):
    c = snnc.compile(NETWORKS["of_vectors"], verify=False, dt=0.002, steps=9, **MODELS["soft-reset-if"])
    c.export(tmp_path / "net.nir", "nir")
    first = snnc.compile(tmp_path / "net.nir", verify=False)
    first.save(tmp_path / "out")
    again = snnc.compile(tmp_path / "out", verify=False)
    assert again.settings == first.settings
    assert again.graph == first.graph
    assert snnc.load(tmp_path / "out").graph == first.graph


def test_a_sequence_comes_back(tmp_path):
    model = snnc.Graph("stream")
    rng = np.random.default_rng(0)
    model.add("x", snnc.ops.Input(shape=(4,), dt=0.001, length=6))
    weight = rng.normal(size=(4, 5)).astype(np.float32)
    model.add("h", snnc.ops.Dense(weight=weight, bias=np.zeros(5), activation=snnc.ops.Relu()), ["x"])
    model.add("y", snnc.ops.Dense(weight=rng.normal(size=(5, 2)).astype(np.float32), bias=np.zeros(2)), ["h"])
    model.set_outputs({"y": "y"})
    c = snnc.compile(model, neurons="soft-reset-if", scale=300.0, verify=False)
    data, network = read_again(c, tmp_path)
    assert NirExporter().to_bytes(network) == data
    again = snnc.compile(tmp_path / "net.nir", verify=False)
    assert again.temporal
    x = rng.uniform(size=(2, 6, 4)).astype(np.float32)
    np.testing.assert_allclose(again.run(x)["y"], c.run(x)["y"], atol=1e-3)


def test_a_file_of_others_is_written_with_nodes_of_our_own_and_comes_back(tmp_path, rng):
    shape = (3, 4, 4)
    fire = {"r": 0.5 + rng.uniform(size=shape), "v_threshold": 1 + rng.uniform(size=shape), "v_reset": np.zeros(shape)}
    leaky = {"tau": np.full(shape, 0.002), "v_leak": rng.uniform(size=shape), "r": np.full(shape, 20.0)}
    cuba = {"tau_syn": np.full(3, 0.001), "tau_mem": np.full(3, 0.002), "r": 30 * np.ones(3), "v_leak": np.zeros(3)}
    file = chain(
        (2, 6, 6),
        conv(binary(rng, 3, 2, 3, 3)),
        node("IF", **fire),
        node("LIF", **{**fire, **leaky}),
        node("Flatten", start_dim=0, end_dim=-1),
        affine(binary(rng, 3, 48)),
        node("CubaLIF", **cuba, v_threshold=np.ones(3)),
        node("CubaLI", **cuba, w_in=np.arange(1.0, 4.0)),
        node("LI", tau=np.full(3, 0.002), r=np.full(3, 2.0), v_leak=np.ones(3)),
        out=(3,),
    )
    (tmp_path / "theirs.nir").write_bytes(file.to_bytes())
    c = snnc.compile(tmp_path / "theirs.nir", verify=False)
    data, network = read_again(c, tmp_path)
    assert NirExporter().to_bytes(network) == data
    kinds = {n.op.model.kind for n in network.graph.nodes(snnc.neurons.Neurons)}
    assert kinds == {"nir-if", "nir-lif", "nir-cuba-lif", "nir-cuba-li", "nir-li"}
    assert compared(c, network, rng).passed
    x = np.abs(binary(rng, 2, 2, 6, 6)).astype(np.float32)
    want, got = (execute(tmp_path / name, {"input": x}, steps=20).outputs for name in ("theirs.nir", "net.nir"))
    assert np.ptp(want["output"]) > 0
    np.testing.assert_allclose(got["output"].reshape(want["output"].shape), want["output"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("option", "value"),
    [("neurons", "lif"), ("scale", 5.0), ("synapse", 0.1), ("code", "graded"), ("level", 2)],
)
def test_a_network_that_spikes_already_is_not_given_other_neurons(option, value, tmp_path):
    snnc.compile(NETWORKS["of_vectors"], verify=False, **MODELS["soft-reset-if"]).export(tmp_path / "net.nir", "nir")
    with pytest.raises(snnc.SnncError, match="spiking network already"):
        snnc.compile(tmp_path / "net.nir", **{option: value})


@pytest.mark.parametrize("name", ["chain", "conv1d", "several_ends"])
def test_what_the_package_nir_has_read_and_written_again_is_the_same_network(name, tmp_path, rng):
    nir = pytest.importorskip("nir")
    c = snnc.compile(NETWORKS[name], verify=False, **MODELS["filtered"])
    c.export(tmp_path / "net.nir", "nir")
    nir.write(tmp_path / "again.nir", nir.read(tmp_path / "net.nir"))
    again = NirExporter().read(tmp_path / "again.nir", KINDS)
    assert compared(c, again, rng).passed
