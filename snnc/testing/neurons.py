"""What every neuron model promises, as a test that anybody's can run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from snnc.engine.simulate import simulate
from snnc.ir.namespace import NUMPY
from snnc.ir.types import TensorType
from snnc.lowering import LoweringContext
from snnc.neurons import NeuronModel, Neurons
from snnc.ops.stateful import RandomStream, State, for_batch
from snnc.registry import Registry
from snnc.testing.graphs import binary_inputs, two_layers

WANTED = np.array([-5.0, -0.5, 0.0, 3.0, 20.0, 80.0, 150.0, 300.0], dtype=np.float32)
"""Rates in Hz at which the curve is compared with a simulation."""


def check_neuron(
    model: NeuronModel | type[NeuronModel],
    *,
    backends: Sequence[str] = (),
    registry: Registry | None = None,
    steps: int = 4000,
    settle: int = 0,
    tolerance: float = 1.0,
) -> None:
    """Assert that a neuron model keeps to its contract.

    ``response``, ``drive`` and ``rule`` change none of their arguments; the state keeps its names, shapes and types;
    ``step`` is the rule, bit for bit; samples of a batch are as if they were alone; the mean of a simulation is the
    rate curve; and all backends named give the spikes of numpy.

    Args:
        model: with numbers in binary where backends are compared (``tau_rc=1/64``), so that sums are exact.
        backends: names of backends to run: ``nengo``, ``nengo-dl``, ``tensorflow``.
        registry: the plugins to use; all installed ones by default.
        steps: how many milliseconds are simulated to find the mean.
        settle: how many of them are left out at the start.
        tolerance: how far the mean may be off the curve, in Hz.
    """
    made = model() if isinstance(model, type) else model
    _check_rule(made)
    _check_batch(made)
    _check_rate(made, steps, settle, tolerance)
    for name in backends:
        _check_backend(made, name, Registry.discover() if registry is None else registry)


def _check_rule(model: NeuronModel, dt: float = 0.001) -> None:
    rng, size = np.random.default_rng(3), 50
    start, again = (model.start((size,), np.random.default_rng(5)) for _ in range(2))
    for name, value in start.items():
        if isinstance(value, RandomStream):
            continue
        assert value.dtype == np.float32, f"the state {name!r} is {value.dtype}, not float32"
        assert value.shape == (size,), f"the state {name!r} has the shape {value.shape}, not that of the population"
        assert np.array_equal(value, again[name]), f"the state {name!r} differs where the generator is the same"
    stepped, pure = for_batch(start, 2), for_batch(start, 2)
    out = np.empty((2, size), dtype=np.float32)
    for t in range(40):
        current = (rng.normal(0.4, 1, size=(2, size)) * 900 * model.gain + model.offset).astype(np.float32)
        kept = current.copy()
        with np.errstate(all="ignore"):
            model.response(NUMPY, current)
            drive = model.drive(NUMPY, current, dt)
            driven, before = drive.copy(), _copied(pure)
            want, after = model.rule(NUMPY, drive, pure, dt)
            assert np.array_equal(current, kept), "response or drive changes the current; it must make new arrays"
            assert np.array_equal(drive, driven), "rule changes the drive; it must make new arrays"
            assert all(np.array_equal(pure[n], v) for n, v in before.items()), "rule changes the state it is given"
            got = model.step(drive, stepped, dt, out=out if t % 2 else None)
        assert np.array_equal(drive, driven), "step changes the drive"
        assert want.shape == current.shape and want.dtype == np.float32, f"rule gives {want.dtype} {want.shape}"
        assert after.keys() == start.keys(), f"rule gives the states {sorted(after)}, and start {sorted(start)}"
        assert np.array_equal(got, want), "step gives something else than rule"
        for name, value in _copied(after).items():
            assert value.dtype == np.float32 and value.shape == (2, size), f"rule changes the type of {name!r}"
            assert np.array_equal(stepped[name], value), f"step leaves another {name!r} than rule"
        pure = after


def _check_batch(model: NeuronModel, dt: float = 0.001) -> None:
    population = Neurons(model=model, scale=np.array([0.002, 0.005, 0.01], dtype=np.float32))
    x = np.random.default_rng(1).normal(size=(3, 4, 3)).astype(np.float32)
    start = population.start((TensorType((4, 3)),), np.random.default_rng(5))
    together, alone = for_batch(start, 3), [for_batch(start, 1) for _ in range(3)]
    with np.errstate(all="ignore"):
        for _ in range(20):
            y = population.step(together, dt, x)
            assert y.dtype == np.float32
            for i in range(3):
                same = np.array_equal(y[i], population.step(alone[i], dt, x[i : i + 1])[0])
                assert same, "a sample of a batch is not what it is alone"


def _check_rate(model: NeuronModel, steps: int, settle: int, tolerance: float, dt: float = 0.001) -> None:
    scale = model.unit_scale
    population = Neurons(model=model, scale=scale)
    state = for_batch(population.start((TensorType(WANTED.shape),), np.random.default_rng(0)), 1)
    with np.errstate(all="ignore"):
        want = population.evaluate(WANTED[None])[0]
        outputs = [population.step(state, dt, WANTED[None])[0] for _ in range(steps)]
    got = np.mean(outputs[settle:], axis=0)
    assert np.allclose(got, want, atol=tolerance * scale), f"wanted {WANTED}: simulated {got}, by the curve {want}"


def _check_backend(model: NeuronModel, name: str, registry: Registry, dt: float = 2.0**-10, steps: int = 80) -> None:
    backend = registry.build_backend(name)
    others = {other: registry.lowerings_for(other) for other in backend.uses}
    graph = two_layers(model)
    inputs = binary_inputs(graph)
    want = simulate(graph, inputs, steps, window=slice(0, steps), dt=dt, seed=1).outputs
    target = LoweringContext(registry.lowerings_for(name), dt=dt, seed=1, others=others)
    got = backend.lower(graph, target).run(inputs, steps).outputs
    for layer, y in want.items():
        assert np.any(y), f"the neurons of {layer!r} are silent: numbers of the model are out of proportion"
        close = np.array_equal(got[layer], y) if model.spiking else np.allclose(got[layer], y, rtol=1e-3, atol=1e-5)
        assert close, f"the neurons of {layer!r} give something else on {name} than in numpy"


def _copied(state: State) -> dict[str, Any]:
    return {name: value.copy() for name, value in state.items() if not isinstance(value, RandomStream)}
