"""Populations are the activations that they stand for: in rate mode the graph gives the same."""

from pathlib import Path

import numpy as np
import pytest
from snnc_nir.as_activations import AsActivations
from snnc_nir.exporter import NirExporter
from snnc_nir.read import graph_of

import snnc
from snnc.neurons import Neurons, Synapse
from snnc.passes.base import Context
from snnc.registry import Registry
from tests.plugins.nir.files import binary, chain, node
from tests.plugins.nir.networks import networks
from tests.plugins.nir.test_write import MODELS

KINDS = Registry.discover().kinds
NETWORKS = networks()


@pytest.mark.parametrize("model", ["soft-reset-if", "signed-if", "sigma-delta", "spiking-relu", "filtered"])
@pytest.mark.parametrize("name", ["chain", "residual", "several_ends"])
def test_what_snnc_wrote_is_its_model_again(name, model, tmp_path, rng):
    c = snnc.compile(NETWORKS[name], verify=False, **MODELS[model])
    c.export(tmp_path / "net.nir", "nir")
    graph = NirExporter().read(tmp_path / "net.nir", KINDS).graph
    after, context = graph.copy(), Context(backend="loihi")
    AsActivations().apply(after, context)
    assert not after.nodes(Neurons, Synapse)
    x = {name: rng.uniform(size=(4, *graph[name].type.shape)).astype(np.float32) for name in graph.inputs}
    want, got = graph.evaluate(x), after.evaluate(x)
    for output, y in want.items():
        np.testing.assert_allclose(got[output], y, rtol=1e-4, atol=1e-4 * np.abs(y).max())
    assert "has no neurons" in context.notes[0]


def test_other_activations_keep_their_unit(tmp_path, rng):
    graph = snnc.Graph("tanh")
    graph.add("x", snnc.ops.Input(shape=(4,)))
    graph.add("h", snnc.ops.Dense(weight=binary(rng, 4, 5), bias=binary(rng, 5), activation=snnc.ops.Tanh()), ["x"])
    graph.add("y", snnc.ops.Dense(weight=binary(rng, 5, 2), bias=np.zeros(2)), ["h"])
    graph.set_outputs({"y": "y"})
    snnc.compile(graph, verify=False).export(tmp_path / "net.nir", "nir")
    read = NirExporter().read(tmp_path / "net.nir", KINDS).graph
    after = read.copy()
    AsActivations().apply(after, Context(backend="loihi"))
    assert after.nodes(snnc.ops.Tanh)
    x = rng.uniform(size=(4, 4)).astype(np.float32)
    np.testing.assert_allclose(after.evaluate(x)["y"], read.evaluate(x)["y"], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(after.evaluate(x)["y"], graph.evaluate(x)["y"], rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("kind", "fields", "error"),
    [
        ("IF", {"r": 0.5, "v_threshold": 2.0}, 1e-6),
        ("IF", {"r": 0.125, "v_threshold": 1.5, "v_reset": -0.5}, 0.14),
        ("LIF", {"tau": 2e-3, "r": 4.0, "v_leak": 0.5, "v_threshold": 1.0, "v_reset": 0.0}, 0.34),
        ("CubaLIF", {"tau_syn": 1e-3, "tau_mem": 2e-3, "r": 4.0, "v_leak": 0.5, "v_threshold": 1.0, "w_in": 0.5}, 0.09),
        ("LI", {"tau": 2e-3, "r": 2.0, "v_leak": -1.0}, 1e-6),
        ("CubaLI", {"tau_syn": 1e-3, "tau_mem": 2e-3, "r": 2.0, "v_leak": -1.0, "w_in": 3.0}, 1e-6),
        ("I", {"r": 0.5}, 1e-6),
    ],
)
def test_neurons_of_the_specification_come_near_a_line(kind, fields, error):
    graph = graph_of(chain((81,), node(kind, **fields)), Path("net.nir"), KINDS)
    after = graph.copy()
    AsActivations().apply(after, Context(backend="loihi"))
    x = np.linspace(-1, 3, 81, dtype=np.float32)[None]
    want, got = graph.evaluate(x)["output"], after.evaluate(x)["output"]
    assert np.abs(want - got).max() <= error * np.abs(want).max()  # steps are whole, and a reset forgets
    assert want.max() > 0


def test_a_graph_that_is_no_network_of_its_own_is_left_alone():
    graph = snnc.Graph("mine")
    graph.add("x", snnc.ops.Input(shape=(2,)))
    graph.add("n", Neurons(model=snnc.neurons.SoftResetIf()), ["x"])
    graph.set_outputs({"n": "n"})
    before = graph.copy()
    AsActivations().apply(graph, Context(backend="loihi"))
    assert graph == before
