"""The charts of a report, as specifications for Vega-Lite, whose colours the page sets for light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snnc.evaluation.cause import lost_names
from snnc.evaluation.layers import LayerEvaluation
from snnc.ir.types import Array
from snnc.program import CoreUse
from snnc.report.facts import CURVES, EVENTS, SampleFacts

Chart = dict[str, Any]
WIDE = 16
"""Cores of a chip in a row: a picture of their number, not of where they are on the chip."""
FEW_STEPS = 24
"""Up to so many steps a spike is a cell as wide as its step."""
MOST_STEPS = 200
"""Points of a line at most."""


@dataclass(frozen=True)
class Curve:
    """A score after 1, 2, … steps, that of a model beside it, and how sure it is."""

    measure: str
    by_step: Sequence[float]
    intervals: Sequence[tuple[float, float]] | None
    model: float


def score_chart(curves: Mapping[str, Curve]) -> Chart:
    """Return scores against steps with their intervals, a line a name, and the model's as a rule."""
    first = next(iter(curves.values()))
    lines = []
    for name, curve in curves.items():
        for t in _steps(len(curve.by_step)):
            row: dict[str, Any] = {"step": t + 1, "score": _r(curve.by_step[t]), "network": name}
            if curve.intervals is not None:
                row |= {"low": _r(curve.intervals[t][0]), "high": _r(curve.intervals[t][1])}
            lines.append(row)
    share = first.measure != "R2"
    y: Chart = {"type": "quantitative", "title": first.measure, "scale": {"zero": False}}
    if share:
        y["axis"] = {"format": ".1%"}
    steps = max(len(curve.by_step) for curve in curves.values())
    x = {"field": "step", "type": "quantitative", "title": "steps", "axis": _step_axis(steps)}
    colour = {
        "field": "network",
        "type": "nominal",
        "title": None,
        "sort": [*curves, "model"],
        "legend": {"symbolType": "stroke", "columns": 2, "labelLimit": 260},
    }
    layers: list[Chart] = [
        {
            "mark": {"type": "line", "point": len(lines) <= 60 * len(curves)},
            "encoding": {"x": x, "y": {**y, "field": "score"}, "color": colour, "tooltip": _tips(lines[0], share)},
        },
        {
            "data": {"values": [{"score": _r(first.model), "network": "model"}]},
            "mark": {"type": "rule", "strokeDash": [5, 4]},
            "encoding": {"y": {**y, "field": "score"}, "color": colour},
        },
    ]
    if first.intervals is not None:
        band = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour}
        layers.insert(0, {"mark": {"type": "errorband", "opacity": 0.18}, "encoding": band})
    return {"data": {"values": lines}, "layer": layers, "height": 240}


def _tips(row: Mapping[str, Any], share: bool) -> list[Chart]:
    form = ".1%" if share else ".3f"
    return [
        {"field": name, "type": "quantitative", "format": "d" if name == "step" else form}
        for name in row
        if name != "network"
    ] + [{"field": "network", "type": "nominal"}]


def rate_chart(layers: Sequence[LayerEvaluation]) -> Chart:
    """Return a bar a layer: its mean rate, with a tick for its fastest neuron."""
    values = [
        {
            "layer": row.layer,
            "mean": _r(row.rate),
            "fastest": _r(row.fastest),
            "silent": _r(row.silent),
            "saturated": None if row.saturated is None else _r(row.saturated),
        }
        for row in layers
    ]
    tips = [
        {"field": "layer", "type": "nominal"},
        *({"field": name, "type": "quantitative", "format": ",.3~r"} for name in ("mean", "fastest")),
        *({"field": name, "type": "quantitative", "format": ".1%"} for name in ("silent", "saturated")),
    ]
    y = {"field": "layer", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 150}}
    x = {"type": "quantitative", "title": "Hz, mean of a layer and its fastest neuron"}
    return {
        "data": {"values": values},
        "height": 16 * len(layers),
        "layer": [
            {"mark": "bar", "encoding": {"y": y, "x": {**x, "field": "mean"}, "tooltip": tips}},
            {
                "mark": {"type": "tick", "thickness": 2, "color": "#d9822b"},
                "encoding": {"y": y, "x": {**x, "field": "fastest"}, "tooltip": tips},
            },
        ],
    }


ERRORS = {
    "clipping": "clipping, alone",
    "quantisation": "quantisation, alone",
    "quantised": "these, so far",
    "timing": "timing, so far",
    "error": "all, so far",
}


def error_chart(layers: Sequence[LayerEvaluation]) -> Chart:
    """Return the errors of each layer, those of its own and those that have come together so far."""
    others = {name: f"{name}, alone" for name in lost_names(layers)}
    named = {**others, **ERRORS}
    values = [
        {"layer": row.layer, "error": said, "value": _r(value), "kind": "alone" if "alone" in said else "so far"}
        for row in layers
        for name, said in named.items()
        if (value := row.lost.get(name) if name in others else getattr(row, name)) is not None
    ]
    return {
        "data": {"values": values},
        "height": 16 * len(layers),
        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 0.85},
        "encoding": {
            "y": {
                "field": "layer",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {"labelLimit": 150, "grid": True},
            },
            "x": {"field": "value", "type": "quantitative", "title": "error relative to the layer's activations"},
            "color": {
                "field": "error",
                "type": "nominal",
                "title": None,
                "sort": list(named.values()),
                "legend": {"columns": 2, "labelLimit": 220},
            },
            "shape": {"field": "kind", "type": "nominal", "title": None, "legend": None},
            "tooltip": [
                {"field": "layer", "type": "nominal"},
                {"field": "error", "type": "nominal"},
                {"field": "value", "type": "quantitative", "format": ".3~r"},
            ],
        },
    }


def activation_chart(activation: Array, told: Array) -> Chart:
    """Return what spikes say of activations against these themselves, with the line of equals."""
    values = [{"activation": _r(a), "spikes": _r(s)} for a, s in zip(activation, told, strict=True)]
    both = np.concatenate([activation, told, np.zeros(1, np.float32)])
    ends = [float(np.nanmin(both)), float(np.nanmax(both))]
    x = {"field": "activation", "type": "quantitative", "title": "activation"}
    y = {"field": "spikes", "type": "quantitative", "title": "what spikes say"}
    return {
        "height": 220,
        "layer": [
            {
                "data": {"values": [{"activation": _r(end), "spikes": _r(end)} for end in ends]},
                "mark": {"type": "line", "strokeWidth": 1, "color": "#888888"},
                "encoding": {"x": x, "y": y},
            },
            {
                "data": {"values": values},
                "mark": {"type": "point", "size": 12, "filled": True, "opacity": 0.6},
                "encoding": {"x": x, "y": y, "tooltip": [x, y]},
            },
        ],
    }


def raster_chart(sample: SampleFacts) -> Chart:
    """Return the spikes of one sample: a row a neuron, the layers one below the other.

    The spikes stand in ``usermeta``, as short as they can be; the page makes rows of them. For each layer its name, the
    numbers of its neurons, and of each spike the step, the place of its neuron among these, and its size.
    """
    told = []
    for raster in sample.trace.rasters:
        found: list[float | None] = []
        most = EVENTS // len(sample.trace.rasters)
        for column in range(len(raster.neurons)):
            fired = np.flatnonzero(raster.values[:, column]).tolist()
            if len(found) + 3 * len(fired) > 3 * most:
                break
            for t in fired:
                found += [t + 1, column, _r(raster.values[t, column])]
        told.append([raster.layer, raster.neurons.tolist(), found])
    steps = max((len(raster.values) for raster in sample.trace.rasters), default=1)
    order = list(dict.fromkeys(raster.layer for raster in sample.trace.rasters))
    x: Chart = {"field": "step", "title": "step"}
    mark: Chart = {"type": "tick", "thickness": 2}
    if steps <= FEW_STEPS:
        x |= {"type": "ordinal", "scale": {"domain": list(range(1, steps + 1))}, "axis": {"labelAngle": 0}}
        mark = {"type": "rect"}
    else:
        scale = {"domain": [0.5, steps + 0.5], "nice": False}
        x |= {"type": "quantitative", "scale": scale, "axis": _step_axis(steps)}
    return {
        "usermeta": {"rasters": told},
        "height": 360,
        "mark": mark,
        "encoding": {
            "x": x,
            "y": {
                "field": "row",
                "type": "ordinal",
                "sort": None,
                "title": "neurons that fire, some of each layer",
                "axis": {"labels": False, "ticks": False},
            },
            "color": {
                "field": "layer",
                "type": "nominal",
                "sort": order,
                "title": None,
                "legend": {"columns": 3, "symbolLimit": 60, "labelLimit": 110},
            },
            "opacity": {
                "field": "strength",
                "type": "quantitative",
                "scale": {"type": "sqrt", "range": [0.2, 1], "domainMin": 0},
                "legend": None,
            },
            "tooltip": [
                {"field": "layer", "type": "nominal"},
                {"field": "neuron", "type": "quantitative"},
                {"field": "step", "type": "quantitative"},
                {"field": "size", "type": "quantitative"},
            ],
        },
    }


def output_chart(sample: SampleFacts, output: str) -> Chart:
    """Return the answer of one sample after each step, and the model's as a dotted line."""
    given = sample.trace.outputs[output]
    flat, wanted = given.reshape(len(given), -1), sample.wanted.reshape(len(sample.wanted), -1)
    largest = np.sort(np.argsort(-np.maximum(np.abs(flat[-1]), np.abs(wanted[-1])), kind="stable")[:CURVES])
    values = []
    for number in largest.tolist():
        for t in _steps(len(flat)):
            theirs = wanted[t if len(wanted) > 1 else 0, number]
            values.append({"step": t + 1, "number": str(number), "network": _r(flat[t, number]), "model": _r(theirs)})
    x = {"field": "step", "type": "quantitative", "title": "step", "axis": _step_axis(len(flat))}
    colour = {
        "field": "number",
        "type": "nominal",
        "title": "of the output",
        "sort": [str(n) for n in largest.tolist()],
    }
    tips = [{"field": name, "type": "quantitative"} for name in ("step", "network", "model")]
    tips.insert(0, {"field": "number", "type": "nominal"})
    return {
        "data": {"values": values},
        "height": 220,
        "layer": [
            {
                "mark": {"type": "line", "strokeDash": [2, 3], "opacity": 0.7},
                "encoding": {"x": x, "y": {"field": "model", "type": "quantitative"}, "color": colour},
            },
            {
                "mark": {"type": "line", "point": len(flat) <= 60},
                "encoding": {
                    "x": x,
                    "y": {"field": "network", "type": "quantitative", "title": "answer; dotted: the model's"},
                    "color": colour,
                    "tooltip": tips,
                },
            },
        ],
    }


def energy_chart(joules: Mapping[str, float]) -> Chart:
    """Return the energies of one input, by what takes them."""
    values = [{"of": name, "energy": _r(energy * 1e6)} for name, energy in joules.items()]
    return {
        "data": {"values": values},
        "height": 24 * len(values),
        "mark": {"type": "bar"},
        "encoding": {
            "y": {"field": "of", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 170}},
            "x": {"field": "energy", "type": "quantitative", "title": "microjoules an input", "axis": {"tickCount": 8}},
            "tooltip": [
                {"field": "of", "type": "nominal"},
                {"field": "energy", "type": "quantitative", "format": ".3~r"},
            ],
        },
    }


def core_chart(cores: Sequence[CoreUse], chip: int) -> Chart:
    """Return the cores of one chip: a colour a layer, darker for fuller ones."""
    order = list(dict.fromkeys(core.layer for core in cores))
    values = []
    for core in (core for core in cores if core.chip == chip):
        scarcest = max(core.shares, key=lambda name: core.shares[name])
        values.append(
            {
                "column": core.core % WIDE,
                "row": core.core // WIDE,
                "core": core.core,
                "layer": core.layer,
                "full": _r(core.shares[scarcest]),
                "scarcest": scarcest.replace("_", " "),
                **{name.replace("_", " "): _r(share) for name, share in core.shares.items()},
            }
        )
    axis = {"type": "ordinal", "axis": None}
    tips = [{"field": "layer", "type": "nominal"}, {"field": "core", "type": "quantitative"}]
    tips += [
        {"field": name.replace("_", " "), "type": "quantitative", "format": ".0%"}
        for name in (cores[0].shares if cores else ())
    ]
    return {
        "data": {"values": values},
        "height": 24 * len({row["row"] for row in values}),
        "mark": {"type": "rect", "stroke": "#888888", "strokeWidth": 0.5},
        "encoding": {
            "x": {"field": "column", **axis, "scale": {"domain": list(range(WIDE))}},
            "y": {"field": "row", **axis},
            "color": {
                "field": "layer",
                "type": "nominal",
                "sort": order,
                "scale": {"domain": order},
                "title": None,
                "legend": {"columns": 3, "labelLimit": 110},
            },
            "opacity": {
                "field": "full",
                "type": "quantitative",
                "scale": {"domain": [0, 1], "range": [0.25, 1]},
                "legend": None,
            },
            "tooltip": tips,
        },
    }


def _step_axis(steps: int) -> Chart:
    """Return an axis with whole numbers only."""
    return {"values": list(range(1, steps + 1)), "format": "d"} if steps <= 12 else {"tickMinStep": 1, "format": "d"}


def _steps(count: int) -> list[int]:
    """Return steps, from 0, spread over all of them."""
    return sorted(set(np.linspace(0, count - 1, min(count, MOST_STEPS)).round().astype(int).tolist()))


def _r(value: float) -> float | None:
    """Return a number with four digits, as more cannot be seen; what is no number is nothing."""
    return float(f"{float(value):.4g}") if math.isfinite(value) else None
