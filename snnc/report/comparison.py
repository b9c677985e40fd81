"""Compilations of one model side by side, as a page."""

from __future__ import annotations

from collections.abc import Sequence

from snnc.comparison import Compared, side_by_side
from snnc.report.charts import Curve, energy_chart, score_chart
from snnc.report.page import page


def comparison_html(rows: Sequence[Compared]) -> str:
    """Return a page with what ``snnc.comparison.compare`` found: scores against steps, energies, and all numbers.

    Raises:
        MissingExtraError: vl-convert-python is not installed (the extra ``report``).
    """
    curves = {
        row.name: Curve(row.measure, row.score_by_step, row.score_interval_by_step, row.model_score) for row in rows
    }
    energies = {"model": rows[0].energy_model, "model, no products of zeros": rows[0].energy_model_sparse}
    energies |= {f"{row.name}, 45 nm": row.energy_45nm for row in rows}
    drawn = {"score": score_chart(curves), "energy": energy_chart(energies)}
    values = {"rows": rows, "table": side_by_side(rows), "said": list(dict.fromkeys(row.said for row in rows))}
    return page("comparison.html", "One model, several compilations", drawn, values)
