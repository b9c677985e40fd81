"""A report as one HTML file that opens offline, under a content security policy of nothing but what is in it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from markupsafe import Markup

from snnc.called import command
from snnc.compiled import Compiled
from snnc.errors import MissingExtraError
from snnc.evaluation.cause import lost_names
from snnc.evaluation.tasks import Asked
from snnc.html import render
from snnc.ir.drawing import drawing
from snnc.outputs import MARK
from snnc.report.charts import (
    Chart,
    Curve,
    activation_chart,
    core_chart,
    energy_chart,
    error_chart,
    output_chart,
    raster_chart,
    rate_chart,
    score_chart,
)
from snnc.report.facts import Facts, facts
from snnc.report.nodes import GROUPS
from snnc.samples import Samples

WIDTH = 430
"""Pixels of a box of the drawing."""


def report_html(
    compiled: Compiled,
    samples: Samples,
    steps: int,
    *,
    output: str | None = None,
    task: Asked = None,
    chosen: Sequence[int] | None = None,
    jobs: int | None = None,
    progress: bool = False,
) -> str:
    """Return a page that shows a compilation and what it does with checked samples; see ``Compiled.report_html``."""
    script()  # what is not installed is said before anything runs
    found = facts(compiled, samples, steps, output=output, task=task, chosen=chosen, jobs=jobs, progress=progress)
    return page("report.html", f"{compiled.graph.name} on {compiled.backend.name}", _charts(found), _shown(found))


def page(template: str, title: str, drawn: Mapping[str, Chart], values: Mapping[str, Any]) -> str:
    """Return a page of a template with its charts, style and script."""
    style, code = _text("report.css"), script()
    policy = (
        f"default-src 'none'; script-src {_hash(code)}; style-src {_hash(style)}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    data = json.dumps(drawn, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return render(
        template,
        mark=MARK.decode(),
        title=title,
        policy=policy,
        style=Markup(style),
        script=Markup(code),
        charts=Markup(data),
        **values,
    )


def _charts(found: Facts) -> dict[str, Chart]:
    measured, drawn = found.measured, dict[str, Chart]()
    for i, each in enumerate(measured.outputs):
        if each.score_by_step is not None and each.model_score is not None and each.measure is not None:
            curve = Curve(each.measure, each.score_by_step, each.score_interval_by_step, each.model_score)
            drawn[f"score-{i}"] = score_chart({"network": curve})
    if measured.layers:
        drawn["rates"] = rate_chart(measured.layers)
        drawn["errors"] = error_chart(measured.layers)
    spent = measured.cost
    drawn["energy"] = energy_chart(
        {
            "model": spent.energy_model,
            "model, no products of zeros": spent.energy_model_sparse,
            "network, 45 nm": spent.energy_45nm,
            "network, Loihi": spent.energy_loihi,
        }
    )
    for node in found.nodes:
        if node.name in found.points:
            drawn[f"points-{node.anchor}"] = activation_chart(*found.points[node.name])
    for i, sample in enumerate(found.samples):
        if sample.trace.rasters:
            drawn[f"raster-{i}"] = raster_chart(sample)
        drawn[f"output-{i}"] = output_chart(sample, found.output)
    for chip in sorted({core.chip for core in found.cores}):
        drawn[f"cores-{chip}"] = core_chart(found.cores, chip)
    return drawn


def _shown(found: Facts) -> dict[str, Any]:
    compiled, place = found.compiled, {node.name: node.anchor for node in found.nodes}
    return {
        "facts": found,
        "others": lost_names(found.measured.layers),
        "place": place,
        "groups": GROUPS,
        "drawn": Markup(
            drawing(
                compiled.graph,
                {node.name: node.beside for node in found.nodes},
                {node.name: node.group for node in found.nodes},
                link=lambda name: f"#{place[name]}",
                width=WIDTH,
            )
        ),
        "versions": ", ".join(f"{name} {version}" for name, version in found.versions.items()),
        "command": command(compiled.call, "OUT"),
    }


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return resources.files("snnc").joinpath("templates").joinpath(name).read_text()


@cache
def script() -> str:
    """Return the script of a page: Vega, Vega-Lite and Vega-Embed, and ours.

    Raises:
        MissingExtraError: vl-convert-python, which brings them, is not installed.
    """
    try:
        from vl_convert import javascript_bundle
    except ImportError as error:
        raise MissingExtraError("report", error) from None
    return str(javascript_bundle(_text("report.js"))).replace("</script", "<\\/script")
