"""Every form in which ops spike gives the same spikes on every backend."""

import numpy as np
import pytest

import snnc
from snnc import neurons, ops
from snnc.engine.simulate import simulate
from snnc.ir.graph import Graph
from snnc.testing import binary_inputs, in_binary

BACKENDS = ("nengo", "nengo-dl", "tensorflow")
SCALARS = (
    *(ops.Swish(), ops.Gelu(), ops.Sigmoid(), ops.Tanh(), ops.Softplus(), ops.Elu(), ops.Selu(), ops.Softsign()),
    *(ops.HardSwish(), ops.HardSigmoid(slope=0.25), ops.Mish(), ops.Relu(max_value=2.0, negative_slope=0.25)),
)


def forms():
    """Return a model with attention, norms, gates, pools and scalar activations, its weights in binary."""
    rng, graph = np.random.default_rng(2), Graph("forms")

    def dense(name, source, inputs, units):
        op = ops.Dense(weight=in_binary(rng, inputs, units), bias=in_binary(rng, units))
        graph.add(name, op, [source], layers=[name])

    def add(name, op, *sources):
        graph.add(name, op, sources, layers=[name])

    add("x", ops.Input(shape=(4, 6)))
    dense("embed", "x", 6, 8)
    add("norm", ops.Standardize(axes=(1,), epsilon=1e-3), "embed")
    for name in ("q", "k", "v"):
        dense(name, "norm", 8, 8)
    add("scores", ops.Einsum(equation="id,jd->ij"), "q", "k")
    add("attention", ops.Softmax(), "scores")
    add("mixed", ops.Einsum(equation="ij,jd->id"), "attention", "v")
    dense("project", "mixed", 8, 8)
    add("residual", ops.Add(), "embed", "project")
    add("length", ops.UnitNorm(axes=(1,)), "residual")
    dense("wide", "length", 8, 3 * len(SCALARS))
    for k, activation in enumerate(SCALARS):
        add(f"part{k}", ops.Slice(start=(0, 3 * k), size=(4, 3), step=(1, 1)), "wide")
        add(f"scalar{k}", activation, f"part{k}")
    add("joined", ops.Concatenate(), *(f"scalar{k}" for k in range(len(SCALARS))))
    dense("values", "joined", 3 * len(SCALARS), 8)
    dense("gate.linear", "joined", 3 * len(SCALARS), 8)
    add("gate", ops.Sigmoid(), "gate.linear")
    add("gated", ops.Multiply(), "values", "gate")
    add("larger", ops.Maximum(), "gated", "residual")
    add("pool", ops.MaxPool(size=(2,), strides=(2,)), "larger")
    dense("logits", "pool", 8, 3)
    graph.set_outputs({"y": "logits"})
    return graph


@pytest.fixture(scope="module")
def model():
    return forms()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("chosen", "steps"),
    # a mean over three steps is no binary number, and products of two such means meet halves of a spike exactly
    [("sigma-delta{levels=7}", 6), ("sigma-delta{levels=9 spikes=2}", 3), ("signed-if{gamma=16}", 2)],
)
def test_forms_send_equal_spikes(model, chosen, steps, backend):
    pytest.importorskip(backend.replace("-", "_"))
    compiled = snnc.compile(
        model, backend=backend, neurons=chosen, scale=2**14, dt=2**-12, level=1, steps=steps, verify=False, strict=True
    )
    kinds = set(compiled.census.forms.values())
    assert {"standardize", "einsum, softmax", "einsum", "unit-norm", "multiply, maximum, max-pool"} <= kinds
    assert {op.kind for op in SCALARS} <= kinds
    watch = [node.name for node in compiled.graph.nodes(neurons.Neurons)]
    inputs = binary_inputs(model)
    want = simulate(compiled.graph, inputs, steps, window=slice(0, steps), dt=2**-12, watch=watch)
    got = compiled.program.run(inputs, steps, watch=watch, jobs=1)
    for name in watch:
        assert want.messages[name].any(), f"{name} is silent, so that this says nothing"
        assert np.array_equal(got.messages[name], want.messages[name]), name
        assert np.allclose(got.totals[name], want.totals[name], rtol=1e-5), name
    assert np.allclose(got.outputs["y"], want.outputs["y"], atol=1e-5 * np.abs(want.outputs["y"]).max())
