"""What notebooks show of a compiled model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snnc.evaluation.in_notebook import verified
from snnc.notebook import Table, shown
from snnc.quantities import number

if TYPE_CHECKING:
    from snnc.compiled import Compiled

NAMED = 8
"""How many of the ops on the host are named."""
CALLS = {
    "c.predict(x)": "",
    "c.evaluate(x, y)": "for accuracy, spikes and energy",
    "c.verify(x)": "for the layer at fault",
    "c.graph": "for the drawing",
    "c.report_html(x, y)": "for all of it on one page",
    'c.save("out")': "",
}


def compiled(of: Compiled) -> str:
    """Return a compiled model as HTML, from what is known: nothing is run or built for it."""
    settings, found = of.settings, of.census
    steps = "the backend's default" if settings.steps is None else str(settings.steps)
    host = (*found.host, *found.rate)
    more = f" and {len(host) - NAMED} more" if len(host) > NAMED else ""
    changed = [entry for entry in of.journal if entry.changed]
    passes = [(entry.name, "yes" if entry.kept else "taken back", number(entry.error)) for entry in changed]
    title = f"{len(changed)} of {len(of.journal)} passes changed something"
    return shown(
        f"{of.graph.name} for {settings.backend}",
        facts=[
            ("model", str(of.origin.get("path") or of.source.name)),
            ("level", str(settings.level)),
            ("steps a sample", "one a slice of time" if of.temporal else steps),
            ("neurons", f"{found.spiking_neurons:,} of {found.neurons:,} spike, in {len(found.forms)} populations"),
            ("multiply-adds", f"{found.spiking_share:.1%} of {found.multiply_adds:,} are driven by spikes"),
            ("on the host, or as rates", ", ".join(host[:NAMED]) + more if host else "nothing"),
            ("verification", "none yet" if of.report is None else verified(of.report)),
        ],
        lists={"problems": () if of.report is None else of.report.get("problems", ()), "notes": of.notes},
        tables=[Table(title, ("pass", "kept", "moved outputs by"), passes, "journal")],
        calls=CALLS,
    )
