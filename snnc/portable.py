"""A network compiled once more for tools that know nothing of snnc, and what that costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from snnc.checked import checked
from snnc.compiled import Compiled
from snnc.compiler import compile
from snnc.errors import UsageError
from snnc.export import Exporter
from snnc.samples import Data


@dataclass(frozen=True)
class Portable:
    """A compilation for tools that know nothing of snnc."""

    compiled: Compiled
    way: str
    """What was done without, in a few words; of several ways the one that came closest to the model."""
    costs: tuple[str, ...]
    """What it costs beside the network that it was made of, one line each."""


@checked
def portable(
    compiled: Compiled, exporter: Exporter, calibration: Data | None = None, *, steps: int | None = None
) -> Portable:
    """Compile the model of an artifact again, as a file format says that plain readers run it rightly.

    Args:
        compiled: a compilation of the model, with which this one is compared.
        exporter: the format.
        calibration: samples; half of them calibrate, the others say what it costs. Made-up ones say nothing of that.
        steps: how many steps a sample is going to be shown.

    Raises:
        UsageError: the format knows no such way.
        LoweringError: no such network can be made of the model.

    """
    if not exporter.portable:
        raise UsageError(f"the format {exporter.name!r} has nothing portable: leave --portable out")
    samples = None if calibration is None else compiled.samples(calibration)
    options = {"seed": compiled.settings.seed, "dt": compiled.settings.dt, "steps": steps, "build": False}
    made = {
        way: compile(compiled.source, calibration=samples, registry=compiled.registry, **{**options, **arguments})
        for way, arguments in exporter.portable.items()
    }
    way = min(made, key=lambda each: _error(made[each]))
    costs = [f"{name}: {_said(each)}" for name, each in made.items()] if len(made) > 1 else []
    if samples is None:
        costs.append("not judged: made-up inputs cannot tell what it costs; give --calibration")
    else:
        held_back = samples.held_back()
        for name, each in (("compiled before", compiled), ("portable", made[way])):
            found = each.evaluate(held_back) if held_back.labels else None
            report = each.verify(held_back)
            said = [_judged(row.output, row.agreement, row.error) for row in report.outputs]
            said.append(f"{report.steps} steps")
            if found is not None:
                said.append(f"{found.spikes:,.0f} spikes")
                said.append(f"{found.measure} {found.score:.4g} where the model has {found.model_score:.4g}")
            costs.append(f"{name}: {', '.join(said)}")
    return Portable(made[way], way, tuple(costs))


def _error(compiled: Compiled) -> float:
    """Return the error of a compilation's outputs on what calibrated nothing, as it was measured then."""
    rows = [] if compiled.report is None else compiled.report["outputs"]
    errors = [math.inf if row["error"] is None else float(row["error"]) for row in rows]
    return max(errors, default=math.inf)


def _said(compiled: Compiled) -> str:
    rows = [] if compiled.report is None else compiled.report["outputs"]
    return ", ".join(_judged(row["output"], row["agreement"], row["error"]) for row in rows)


def _judged(output: str, agreement: float | None, error: float | None) -> str:
    shown = "unknown" if error is None else f"{error:.2%}"
    agrees = "" if agreement is None else f"agrees with the model on {agreement:.1%}, "
    return f"{output} {agrees}off by {shown}"
