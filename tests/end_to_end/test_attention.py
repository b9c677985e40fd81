"""Attention layers on every backend: the graph that importers make of them runs everywhere and sends spikes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import snnc
from snnc import ops
from snnc.analysis.census import census
from snnc.compiled import Compiled
from snnc.engine.simulate import simulate
from snnc.frontend import importers
from snnc.frontend.base import Builder, Layer, Slot
from snnc.ir.graph import Graph
from snnc.neurons import Neurons
from tests.conftest import dense

BACKENDS = ["nengo", "nengo-dl", "tensorflow"]
IMPORTERS = {importer.class_name: importer for importer in importers()}
HEADS = {"num_heads": 2, "key_dim": 3, "value_dim": 2}
GROUPS = {"num_query_heads": 4, "num_key_value_heads": 2, "head_dim": 2}


class Drawn(Layer):
    """A layer whose weights are drawn, of whatever shape its importer asks for."""

    def weight(self, role, shape):
        rng = np.random.default_rng(sum(map(ord, role)))
        return self.once(role, lambda: (rng.normal(size=shape) / 2).astype(np.float32))


def attention(kind):
    """Return a graph of an attention layer between dense ones, whose inputs are ``x`` and a mask ``m``."""
    rng, graph = np.random.default_rng(0), Graph(kind)
    for name, shape in (("x", (5, 6)), ("m", (5, 5) if kind == "heads" else (5,))):
        graph.add(name, ops.Input(shape=shape), layers=[name])
    for name in ("a", "b"):
        graph.add(name, dense(rng, 6, 4, ops.Relu()), ["x"], layers=[name])
    name, config, call, args, sources = CASES[kind]
    layer = Drawn("layer", name, config, {}, (3, 12), call=call, args=args)
    made = IMPORTERS[name].function(
        layer, sources, Builder(graph, "layer", "layer", {} if kind == "heads" else {"b": "m"})
    )
    graph.add("out", dense(rng, graph[made].type.shape[-1], 3), [made], layers=["out"])
    graph.set_outputs({"out": "out"})
    graph.prune()
    return graph


CASES = {
    "heads": ("MultiHeadAttention", HEADS, {"attention_mask": Slot(2)}, (Slot(0), Slot(1)), ["a", "b", "m"]),
    "groups": ("GroupedQueryAttention", GROUPS, {"use_causal_mask": True}, (Slot(0), Slot(1)), ["a", "b"]),
    "dot": ("Attention", {"use_scale": True}, {}, ([Slot(0), Slot(1)],), ["a", "b"]),
    "sums": ("AdditiveAttention", {}, {"use_causal_mask": True}, ([Slot(0), Slot(1)],), ["a", "b"]),
    "equation": (
        "EinsumDense",
        {"equation": "abc,bcd->adb", "output_shape": [2, 5], "bias_axes": "d", "activation": "tanh"},
        {},
        (Slot(0),),
        ["a"],
    ),
}


def inputs(graph, kind):
    """Return values for the inputs that a graph has."""
    rng = np.random.default_rng(1)
    x, counts = rng.uniform(size=(24, 5, 6)), rng.random((24, 5)) < 0.7
    mask = counts[:, None] & np.tri(5, dtype=bool) if kind == "heads" else counts
    return {name: v.astype(np.float32) for name, v in (("x", x), ("m", mask)) if name in graph.inputs}


@pytest.fixture(scope="module", params=sorted(CASES))
def spiking(request):
    """Return a compiled network of each layer, and its inputs."""
    graph = attention(request.param)
    given = inputs(graph, request.param)
    return snnc.compile(graph, level=2, calibration=given, verify=False), given


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("backend", BACKENDS)
def test_attention_sends_the_same_spikes_everywhere_and_gives_what_the_model_gives(backend, spiking):
    pytest.importorskip({"nengo": "nengo", "nengo-dl": "nengo_dl"}.get(backend, "tensorflow"))
    c, given = spiking
    assert {node.op.model.kind for node in c.graph.nodes(Neurons)} == {"sigma-delta"}
    there = Compiled(c.graph, c.source, replace(c.settings, backend=backend), c.registry)
    got = there.run(given, 8)["out"]
    same = simulate(c.graph, given, 8, window=slice(0, 8), dt=c.settings.dt, seed=c.settings.seed).outputs["out"]
    np.testing.assert_allclose(got, same, rtol=1e-4, atol=1e-4)
    want = c.source.evaluate(given)["out"]
    assert np.sqrt(np.square(got[:, -1] - want).mean()) < 0.1 * want.std()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["dot", "groups", "heads"])
def test_scores_that_a_mask_hides_cost_the_others_no_digit(backend, kind):
    pytest.importorskip({"nengo": "nengo", "nengo-dl": "nengo_dl"}.get(backend, "tensorflow"))
    graph = attention(kind)
    given = inputs(graph, kind)
    c = snnc.compile(graph, backend=backend, level=1, neurons="relu", verify=False)
    np.testing.assert_allclose(c.predict(given, 3), graph.evaluate(given)["out"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["heads", "groups"])
def test_spikes_drive_the_weights_of_attention(kind):
    c = snnc.compile(attention(kind), level=1, neurons="sigma-delta", scale=1000, verify=False, build=False)
    found = census(c.graph)
    first = 2 * 5 * 6 * 4
    assert found.multiply_adds > 2 * first
    assert found.spiking_multiply_adds == found.multiply_adds - first
