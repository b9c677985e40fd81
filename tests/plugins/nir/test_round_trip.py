"""What snnc wrote comes back as it was: the same spikes in every step, and written again the same bytes."""

import numpy as np
import pytest
from snnc_nir.exporter import NirExporter

import snnc
from snnc.registry import Registry
from tests.plugins.nir.files import affine, binary, chain, node
from tests.plugins.nir.networks import networks
from tests.plugins.nir.test_write import MODELS

NETWORKS = networks()
KINDS = Registry.discover().kinds


def read_again(c, tmp_path):
    """Return the bytes of an exported network, and the network that is in them."""
    path = tmp_path / "net.nir"
    c.export(path, "nir")
    return path.read_bytes(), NirExporter().read(path, KINDS)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_comes_back_and_is_written_as_the_same_bytes(name, tmp_path):
    c = snnc.compile(NETWORKS[name], verify=False, **MODELS["soft-reset-if"])
    data, network = read_again(c, tmp_path)
    assert NirExporter().to_bytes(network) == data
    report = c.verify_exported(tmp_path / "net.nir")
    assert report.passed
    assert not any(row.differing for row in report.layers)
    assert sum(row.spikes for row in report.layers) > 0


@pytest.mark.parametrize("model", sorted(set(MODELS) - {"soft-reset-if"}))
@pytest.mark.parametrize("name", ["chain", "residual", "conv1d", "of_vectors", "several_ends", "spikes_at_the_end"])
def test_every_kind_of_neurons_comes_back(name, model, tmp_path):
    c = snnc.compile(NETWORKS[name], verify=False, **MODELS[model])
    data, network = read_again(c, tmp_path)
    assert NirExporter().to_bytes(network) == data
    assert c.verify_exported(tmp_path / "net.nir").passed


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
    parameters = {"r": np.ones(3), "v_threshold": np.arange(1.0, 4.0), "v_reset": np.zeros(3)}
    leaky = {"tau": np.full(3, 0.002), "v_leak": np.zeros(3), **parameters}
    file = chain((4,), affine(binary(rng, 3, 4)), node("IF", **parameters), node("LIF", **leaky), out=(3,))
    (tmp_path / "theirs.nir").write_bytes(file.to_bytes())
    c = snnc.compile(tmp_path / "theirs.nir", verify=False)
    data, network = read_again(c, tmp_path)
    assert NirExporter().to_bytes(network) == data
    assert {n.op.model.kind for n in network.graph.nodes(snnc.neurons.Neurons)} == {"nir-if", "nir-lif"}
    assert c.verify_exported(tmp_path / "net.nir").passed


@pytest.mark.parametrize(
    ("option", "value"),
    [("neurons", "lif"), ("scale", 5.0), ("synapse", 0.1), ("code", "graded"), ("level", 2)],
)
def test_a_network_that_spikes_already_is_not_given_other_neurons(option, value, tmp_path):
    snnc.compile(NETWORKS["of_vectors"], verify=False, **MODELS["soft-reset-if"]).export(tmp_path / "net.nir", "nir")
    with pytest.raises(snnc.SnncError, match="spiking network already"):
        snnc.compile(tmp_path / "net.nir", **{option: value})
