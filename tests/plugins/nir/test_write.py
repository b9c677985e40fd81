"""Every exported network is run by an executor of our own reading, and spikes as the compiled one does."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from snnc_nir.exporter import NirExporter
from snnc_nir.file import NirFile, read

import snnc
from snnc.engine.simulate import simulate
from snnc.evaluation.verify import populations
from snnc.ops.read_out_activation import read_values, stepwise
from tests.nir_executor import execute
from tests.plugins.nir.networks import networks

NETWORKS = networks()
MODELS = {
    "soft-reset-if": {"neurons": "soft-reset-if{initial=0.5}", "scale": 300.0, "level": 1},
    "two spikes": {"neurons": "soft-reset-if{gamma=2}", "scale": 900.0, "level": 1},
    "spiking-relu": {"neurons": "spiking-relu", "scale": 300.0, "level": 1},
    "signed-if": {"neurons": "signed-if", "steps": 8},
    "sigma-delta": {"neurons": "sigma-delta", "steps": 6},
    "filtered": {"neurons": "soft-reset-if", "scale": 300.0, "synapse": 0.003, "level": 1},
    "lif": {"neurons": "lif", "scale": 100.0, "level": 1},
}
STEPS = 12


def compiled(graph, arguments):
    return snnc.compile(graph, verify=False, **arguments)


def exported(c):
    with tempfile.NamedTemporaryFile(suffix=".nir") as stream:
        stream.write(NirExporter().to_bytes(replace(c.exported, steps=STEPS)))
        stream.flush()
        return read(Path(stream.name))


def channels_first(values, shape, nir_shape):
    """Return values (batch, ..., *shape) in the shape and order that the file has."""
    lead = values.shape[: values.ndim - len(shape)]
    if len(shape) > 1 and np.prod(nir_shape) != nir_shape[0]:
        values = np.moveaxis(values, -1, len(lead))
    return values.reshape(*lead, *nir_shape)


def compare(c, file, rng):
    """Assert that each neuron sends the same in every step, and that outputs are the same."""
    graph = c.graph
    inputs = {name: rng.uniform(size=(3, *graph[name].type.shape)).astype(np.float32) for name in graph.inputs}
    running = stepwise(graph)
    running.set_outputs({**{f"of {name}": name for name in populations(graph)}, **read_values(graph)})
    want = simulate(running, inputs, STEPS, window=slice(0, STEPS), dt=c.settings.dt, seed=c.settings.seed).outputs
    said = json.loads(file.metadata["inputs"])
    given = {
        nir: channels_first(inputs[about["layer"]], graph[about["layer"]].type.shape, file.nodes[nir].fields["shape"])
        for nir, about in said.items()
    }
    got = execute(file, given)
    spikes = 0
    for name, node in file.nodes.items():
        layer = node.metadata.get("layer")
        if layer in populations(graph):
            scale = np.asarray(graph[layer].op.scale) / c.settings.dt
            wanted = channels_first(want[f"of {layer}"] / scale, graph[layer].type.shape, got.outputs[name].shape[2:])
            np.testing.assert_allclose(got.outputs[name], wanted, atol=1e-3, err_msg=layer)
            spikes += np.abs(wanted).sum()
    for name, about in json.loads(file.metadata["outputs"]).items():
        wanted = channels_first(want[about["layer"]], about["shape"], got.outputs[name].shape[2:])
        np.testing.assert_allclose(got.outputs[name], wanted, rtol=1e-3, atol=2e-4 * np.abs(wanted).max())
    assert spikes >= 8


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_of_every_network_spikes_alike(name, rng):
    c = compiled(NETWORKS[name], MODELS["soft-reset-if"])
    file = exported(c)
    assert {node.type for node in file.nodes.values()} <= {"Input", "Output", "Affine", "Conv1d", "Conv2d", "IF"}
    compare(c, file, rng)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["residual", "conv1d", "of_vectors", "several_ends"])
def test_the_file_of_every_model_spikes_alike(name, model, rng):
    c = compiled(NETWORKS[name], MODELS[model])
    compare(c, exported(c), rng)


@pytest.mark.parametrize("name", NETWORKS)
def test_nir_itself_reads_it_and_finds_the_types_right(name, tmp_path):
    nir = pytest.importorskip("nir")
    path = tmp_path / "net.nir"
    file = exported(compiled(NETWORKS[name], MODELS["soft-reset-if"]))
    path.write_bytes(file.to_bytes())
    # from 1.0.5 on nir takes the inputs of one group for those of all
    grouped = any(int(node.fields.get("groups", 1)) > 1 for node in file.nodes.values())
    graph = nir.read(path, type_check=False) if grouped and nir.version != "1.0.4" else nir.read(path)
    assert set(graph.nodes) == set(read(path).nodes)


def test_a_file_is_read_as_it_was_written(tmp_path):
    first = exported(compiled(NETWORKS["residual"], MODELS["sigma-delta"]))
    shuffled = NirFile(dict(reversed(first.nodes.items())), first.edges[::-1], first.metadata)
    (tmp_path / "net.nir").write_bytes(shuffled.to_bytes())
    assert shuffled.to_bytes() == first.to_bytes()
    assert read(tmp_path / "net.nir").to_bytes() == first.to_bytes()
