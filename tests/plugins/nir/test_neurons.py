"""NIR's neurons keep to the contract of neuron models, and do in each step what the specification says."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from snnc_nir.file import NirFile, NirNode
from snnc_nir.neurons import NirCubaLi, NirCubaLif, NirIf, NirLi, NirLif
from snnc_nir.read import graph_of

import snnc
from snnc.engine.simulate import simulate
from snnc.errors import UsageError
from snnc.registry import Registry
from snnc.testing import check_neuron
from snnc.testing.neurons import _check_backend
from tests.nir_executor import execute

REGISTRY = Registry.discover()
KINDS = REGISTRY.kinds


@pytest.mark.parametrize(
    "model",
    [
        NirIf(v_threshold=128.0),
        NirIf(v_threshold=128.0, v_reset=None),
        NirIf(v_threshold=128.0, v_reset=-64.0, r=0.5),
        NirLif(tau=2.0**-6, v_threshold=2.0),
        NirLif(tau=2.0**-6, v_threshold=64.0, v_leak=4.0, v_reset=-8.0),
        NirCubaLif(tau=2.0**-6, tau_syn=2.0**-7, v_threshold=64.0, w_in=2.0),
        NirLi(tau=2.0**-6, r=2.0),
        NirCubaLi(w_in=0.5, v_leak=3.0),
    ],
    ids=str,
)
def test_the_models_keep_their_contract(model):
    check_neuron(model, steps=3000, settle=500, tolerance=5.0)


def test_a_leaky_neuron_that_loses_its_threshold_comes_near_its_curve():
    with pytest.raises(AssertionError, match="simulated"):
        check_neuron(NirLif(tau=2.0**-6, v_threshold=64.0, v_reset=None), tolerance=1.0)
    check_neuron(NirLif(tau=2.0**-6, v_threshold=64.0, v_reset=None), tolerance=20.0)


@pytest.mark.parametrize("backend", ["nengo", "tensorflow", "nengo-dl"])
def test_the_same_spikes_everywhere(backend):
    pytest.importorskip(backend.replace("-", "_"))
    _check_backend(NirIf(dt=2.0**-10, v_threshold=0.25), backend, REGISTRY)
    _check_backend(NirCubaLif(dt=2.0**-10, v_threshold=0.25, tau=2.0**-6), backend, REGISTRY)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("IF", {"r": (0.5, 2.0), "v_threshold": (1.0, 3.0), "v_reset": (-1.0, 0.5)}),
        ("IF", {"r": (0.5, 2.0), "v_threshold": (1.0, 3.0)}),
        ("LIF", {"tau": (1e-3, 1e-2), "r": (5.0, 9.0), "v_leak": (-0.5, 0.2), "v_threshold": (1.0, 2.0)}),
        ("LI", {"tau": (1e-3, 1e-2), "r": (0.5, 2.0), "v_leak": (-1.0, 1.0)}),
        ("I", {"r": (0.5, 2.0)}),
        (
            "CubaLIF",
            {
                **{"tau_syn": (1e-3, 4e-3), "tau_mem": (1e-3, 1e-2), "r": (5.0, 9.0), "v_leak": (-0.5, 0.2)},
                **{"v_threshold": (1.0, 2.0), "v_reset": (-0.5, 0.0), "w_in": (0.5, 2.0)},
            },
        ),
        ("CubaLI", {"tau_syn": (1e-3, 4e-3), "tau_mem": (1e-3, 1e-2), "r": (0.5, 2.0), "v_leak": (-1.0, 1.0)}),
    ],
)
@pytest.mark.parametrize("shape", [(5,), (2, 3, 4)])
def test_each_neuron_has_its_own_parameters_and_does_what_the_executor_does(kind, fields, shape, rng):
    drawn = {name: rng.uniform(*limits, size=shape).astype(np.float32) for name, limits in fields.items()}
    file = NirFile(
        {
            "input": NirNode("Input", {"shape": np.array(shape)}),
            "n": NirNode(kind, drawn),
            "output": NirNode("Output", {"shape": np.array(shape)}),
        },
        (("input", "n"), ("n", "output")),
    )
    x = rng.uniform(-0.5, 2, size=(3, 30, *shape)).astype(np.float32)
    graph = graph_of(file, Path("net.nir"), KINDS, temporal=True)
    got = simulate(graph, np.moveaxis(x, 2, -1), 30, window=slice(0, 30), dt=1e-4).outputs["output"]
    temporal = dataclasses.replace(file, metadata={"temporal": np.array(1)})
    want = execute(temporal, {"input": x}).outputs["output"]
    np.testing.assert_allclose(np.moveaxis(got, -1, 2), want, rtol=1e-4, atol=1e-5)
    assert np.ptp(want) > 0


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (NirIf, {"v_threshold": 0.0, "v_reset": None}),
        (NirIf, {"v_threshold": -1.0}),
        (NirIf, {"dt": 0.0}),
        (NirLif, {"tau": -1.0}),
        (NirLi, {"tau": np.array([1.0, 0.0])}),
        (NirCubaLi, {"tau_syn": float("nan")}),
    ],
)
def test_what_would_fire_for_ever_or_never_settle_is_refused(model, values):
    with pytest.raises(UsageError):
        model(**values)


def test_a_finer_step_than_the_files_takes_its_part_of_the_charge():
    graph = snnc.Graph("one")
    graph.add("x", snnc.ops.Input(shape=(1,)))
    graph.add("n", snnc.neurons.Neurons(model=NirIf(dt=2.0**-10, v_reset=None), scale=2.0**-10), ["x"])
    graph.set_outputs({"n": "n"})
    x = np.full((1, 1), 0.375, dtype=np.float32)
    counts = []
    for dt in (2.0**-10, 2.0**-11):
        steps = round(1 / dt)
        y = simulate(graph, x, steps, window=slice(0, steps), dt=dt).outputs["n"]
        counts.append(float((y * dt * 2**10).sum()))
    assert counts[0] == pytest.approx(384, abs=1)
    assert counts[1] == pytest.approx(384, abs=1)
