"""Every op gives in NengoDL, step by step, what it gives in the evaluator."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

from snnc.api import Array, Graph, Synapse, neurons, ops, simulate
from tests.ops.samples import OPS
from tests.plugins.nengo_dl.test_run import program

STEPS = 15
FILTER = Synapse(model=neurons.Lowpass(tau=0.002))
"""In front of every op, so that its input changes from step to step and nothing is computed once."""


def every_op() -> tuple[Graph, dict[str, Array]]:
    """Return one graph that holds every op, as an output with inputs of its own, and values for the inputs."""
    rng, g, inputs, outputs = np.random.default_rng(0), Graph("ops"), {}, {}
    for i, (op, shapes) in enumerate(OPS):
        if op.arity == 0 or op.kind == "deferred":  # which no backend gets to see
            continue
        sources = []
        for slot, shape in enumerate(shapes):
            name = f"x{i}_{slot}"
            g.add(name, ops.Input(shape=shape))
            g.add(f"{name}.filtered", FILTER, [name])
            inputs[name] = rng.uniform(0.2, 1.8, size=(2, *shape)).astype(np.float32)
            sources.append(f"{name}.filtered")
        g.add(f"{op.kind}-{i}", op, sources)
        outputs[f"{op.kind}-{i}"] = f"{op.kind}-{i}"
    g.set_outputs(outputs)
    return g, inputs


@pytest.fixture(scope="module")
def ran() -> tuple[dict[str, Array], dict[str, Array]]:
    """Return what NengoDL and what the evaluator give, by output."""
    g, inputs = every_op()
    got = program(g).run(inputs, STEPS).outputs
    return got, simulate(g, inputs, STEPS, window=slice(0, STEPS)).outputs


@pytest.mark.parametrize("output", every_op()[0].outputs)
def test_the_op_is_the_same(ran, output: str) -> None:
    got, want = (y[output] for y in ran)
    finite = np.isfinite(want)
    assert np.array_equal(np.isfinite(got), finite)
    scale = np.abs(want[finite]).max()
    assert scale > 0
    assert np.abs(got[finite] - want[finite]).max() <= 1e-5 * scale
