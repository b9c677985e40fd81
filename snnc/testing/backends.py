"""What every backend promises, as tests that anybody's can run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from snnc.analysis.errors import relative_error
from snnc.backend import Backend
from snnc.compiled import Compiled
from snnc.compiler import compile, load
from snnc.engine.rate import evaluate
from snnc.engine.read_out import LastReadOut, LowPassReadOut, MeanReadOut
from snnc.engine.simulate import simulate
from snnc.errors import LoweringError, SnncError
from snnc.evaluation.verify import populations
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.ops.activations import Relu, Softplus
from snnc.ops.read_out_activation import read_values
from snnc.registry import Registry
from snnc.testing.graphs import binary_inputs, branches, row, sequence_model, two_heads

Arrays: TypeAlias = dict[str, Array]
STEPS = 64
SCALE = 128.0
"""Hz for an activation of 1: a spike stands for 1/128, which is exact."""


@dataclass(frozen=True)
class Case:
    """A backend under test, and how."""

    backend: Backend
    registry: Registry
    neurons: str
    dt: float
    tolerance: float

    def compile(self, model: Graph, **options: Any) -> Compiled:
        """Return a model compiled for the backend, with spiking neurons whose scale is exact."""
        given = {"neurons": self.neurons, "scale": SCALE, "synapse": None, "level": 1, "dt": self.dt, **options}
        return compile(model, backend=self.backend, verify=False, registry=self.registry, **given)

    def same(self, got: Array, want: Array, what: str) -> None:
        """Assert that values of every step ``(batch, steps, *shape)`` are equal, or alike in their means."""
        assert got.dtype == np.float32, f"{what} is {got.dtype}, not float32"
        assert got.shape == want.shape, f"{what} has the shape {got.shape}, not {want.shape}"
        if self.tolerance:
            got, want = got.mean(axis=1), want.mean(axis=1)
        error = relative_error({what: got}, {what: want})
        limit = self.tolerance or ROUNDING
        assert error <= limit, (
            f"{what} differs from the numpy engine by {error:.3g} of its largest value, not {limit:g}"
        )


ROUNDING = 1e-6
"""Of the largest output: what is behind the last spikes may be added up in any order."""


def check_backend(
    backend: Backend,
    *,
    registry: Registry | None = None,
    neurons: str | None = None,
    dt: float = 2.0**-10,
    tolerance: float = 0.0,
) -> None:
    """Assert that a backend gives what every backend promises; takes a second or two, and what compiling takes.

    A model with branches, two inputs and two outputs is compiled for it, and what its program gives is compared with
    the numpy engine: outputs of every step, means, totals and messages of watched populations, read-outs. Samples do
    not depend on each other, a seed gives the same spikes again, an artifact what was compiled, an export what it was
    exported from (where the backend can run it: ``Backend.run_exported``). What the backend declares not to take is
    refused with the name of the layer. Temporal models run, if it says so.

    Args:
        backend: the backend, registered or not.
        registry: with its lowerings, passes and ops, where they are not installed.
        neurons: a model of spiking neurons that it has, in text form; by default the first that it accepts, or its own
            default.
        dt: seconds a step; a power of two is exact.
        tolerance: how far means over all steps may be off, relative to the largest. 0 asks for equal spikes in every
            step, which is fair: all numbers are multiples of powers of two. Hardware with few bits needs more.

    Raises:
        AssertionError: it does not; says what differs.
    """
    registry = (Registry.discover() if registry is None else registry).including(backend)
    case = Case(backend, registry, neurons or _neurons(backend, registry), dt, tolerance)
    model = branches()
    compiled, inputs = case.compile(model), binary_inputs(model)
    outputs = _run(case, compiled, inputs, "a model with branches")
    for check in PROGRAM:
        check(case, compiled, inputs, outputs)
    model = two_heads()
    _run(case, case.compile(model), binary_inputs(model), "a model whose outputs are applied to the read-out")
    if backend.temporal:
        model, kind = sequence_model(dt), neurons or _neurons(backend, registry, temporal=True)
        _run(case, case.compile(model, neurons=kind), binary_inputs(model, steps=STEPS), "a temporal model")
    _refuses(case)
    _rates(case)


def _neurons(backend: Backend, registry: Registry, *, temporal: bool = False) -> str:
    """Return spiking neurons that a backend has, or has for temporal models."""
    usual = backend.stream_defaults(1) if temporal else backend.defaults(1)
    accepted = backend.accepted_neurons or (usual.neurons or "spiking-relu",)
    return next(text for text in accepted if registry.neurons[text.partition("{")[0]].spiking)


def _run(case: Case, compiled: Compiled, inputs: Arrays, what: str) -> Arrays:
    """Compare a run in which all populations are watched with the numpy engine, and return its outputs."""
    watch = populations(compiled.graph)
    assert watch, f"{what}: no layer became neurons"
    dt, window = compiled.settings.dt, compiled.read_out.window(STEPS)
    want = simulate(compiled.graph, inputs, STEPS, window=window, dt=dt, watch=watch)
    got = compiled.program.run(inputs, STEPS, watch=watch, jobs=1)
    assert list(got.outputs) == list(read_values(compiled.graph)), f"{what}: outputs {list(got.outputs)}"
    for output, y in want.outputs.items():
        assert np.any(y != 0), f"{what}: {output!r} is silent, so that this says nothing"
        case.same(got.outputs[output], y, f"{what}: the output {output!r}")
    for table in ("means", "totals", "messages"):
        given, wanted = getattr(got, table), getattr(want, table)
        assert set(given) == set(watch), f"{what}: {table} of {sorted(given)}, watched were {sorted(watch)}"
        for layer, y in wanted.items():
            assert given[layer].shape == y.shape, f"{what}: {table} of {layer!r} have the shape {given[layer].shape}"
            if not case.tolerance:
                case.same(given[layer][:, None], y[:, None], f"{what}: {table} of {layer!r}")
    return got.outputs


def _a_seed_gives_the_same_again_and_so_does_an_artifact(
    case: Case, compiled: Compiled, inputs: Arrays, outputs: Arrays
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        case.compile(compiled.source).save(Path(folder) / "artifact")
        again = load(Path(folder) / "artifact", registry=case.registry)
        got = again.program.run(inputs, STEPS, jobs=1).outputs
    _equal(got, outputs, "the artifact of a second compilation, with nothing watched,")


def _neither_other_samples_nor_later_steps_matter(
    case: Case, compiled: Compiled, inputs: Arrays, outputs: Arrays
) -> None:
    few = compiled.program.run({name: x[1:2] for name, x in inputs.items()}, STEPS // 2, jobs=1).outputs
    _equal(few, {name: y[1:2, : STEPS // 2] for name, y in outputs.items()}, "one sample for half as many steps")


def _read_outs_are_of_the_run(case: Case, compiled: Compiled, inputs: Arrays, outputs: Arrays) -> None:
    dt = compiled.settings.dt
    for read_out in (MeanReadOut(start=0.5), LastReadOut(), LowPassReadOut(tau=0.01)):
        got = compiled.program.decode(inputs, STEPS, read_out, dt, jobs=1)
        _equal(got, {name: read_out(y, dt) for name, y in outputs.items()}, f"decode with {read_out}")


def _an_export_gives_the_same(case: Case, compiled: Compiled, inputs: Arrays, outputs: Arrays) -> None:
    mark, what = case.backend.exported
    if not mark:
        return
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "export"
        compiled.export(folder)
        assert (folder / mark).exists(), f"the export has no {mark!r}, the file that marks {what}"
        got = case.backend.run_exported(folder, inputs, STEPS)
        if got is not None:
            _equal(got, outputs, "the export")


def _what_is_not_there_cannot_be_watched(case: Case, compiled: Compiled, inputs: Arrays, outputs: Arrays) -> None:
    watching = partial(compiled.program.run, inputs, STEPS, watch=["no such node"], jobs=1)
    _raises(SnncError, "no such node", watching)


PROGRAM = (
    _a_seed_gives_the_same_again_and_so_does_an_artifact,
    _neither_other_samples_nor_later_steps_matter,
    _read_outs_are_of_the_run,
    _an_export_gives_the_same,
    _what_is_not_there_cannot_be_watched,
)
"""What holds for every program: checks of a compiled model, its inputs, and the outputs of a run of it."""


def _refuses(case: Case) -> None:
    """Assert that what is not declared is refused, by the name of the layer."""
    backend, model = case.backend, row()
    if not backend.reads_scale:
        _raises(LoweringError, "'first'", partial(case.compile, model, skip=["write-scales"]))
    for kind in _strangers(case):
        neurons = {"first": kind, "*": case.neurons}
        _raises(LoweringError, "'first'", partial(case.compile, model, neurons=neurons))
    if backend.accepted_ops is not None and Softplus not in backend.accepted_ops:
        model.replace("second", Softplus())
        _raises(LoweringError, "'second'", partial(case.compile, model))


def _strangers(case: Case) -> Iterator[str]:
    """Yield spiking neurons for ReLUs that the backend does not declare."""
    for kind, cls in case.registry.neurons.items():
        known = case.backend.accepted_neurons is None or kind in case.backend.accepted_neurons
        if not known and cls.spiking and not cls.graded and cls().can_replace(Relu()):  # graded ones take all layers
            yield kind


def _rates(case: Case) -> None:
    """Compare neurons that give rates with the model, where the backend has them."""
    model = row()
    try:
        compiled = case.compile(model, neurons="relu")
    except SnncError:
        return  # a chip has none, and says so
    inputs = binary_inputs(model)
    want, limit = evaluate(model, inputs), case.backend.tolerance.rate
    for name, y in compiled.program.run(inputs, 2, jobs=1).outputs.items():
        error = relative_error({name: y[:, -1]}, {name: want[name]})
        assert error <= limit, f"with rate neurons {name!r} differs by {error:.3g} of its largest value, not {limit:g}"


def _equal(got: Arrays, want: Arrays, what: str) -> None:
    assert list(got) == list(want), f"{what} gives {list(got)}, not {list(want)}"
    for name, y in want.items():
        assert got[name].shape == y.shape, f"{what} gives {name!r} in the shape {got[name].shape}, not {y.shape}"
        error = relative_error({name: got[name]}, {name: y})
        assert error <= ROUNDING, f"{what} gives other values of {name!r}: {error:.3g} of the largest"


def _raises(kind: type[SnncError], named: str, call: Callable[[], Any]) -> None:
    raised: SnncError | None = None
    try:
        call()
    except SnncError as error:
        raised = error
    assert isinstance(raised, kind), f"a {kind.__name__} that names {named} was due, not {raised!r}"
    assert named in str(raised), f"the error does not name {named}: {raised}"
