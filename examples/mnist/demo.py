"""A compiled network beside its model, and beside what people did before: the last part of ``make demo``.

``python demo.py ARTIFACT SAMPLES REPORT`` prints a table, the verdict and where the report is. Every number is measured
here. The old ways swap activations for neurons and change nothing else (level 0), as converters do: with the rate that
they take by default, one spike a second for an activation of 1, or with rates and filters that are set by hand.
"""

from __future__ import annotations

import sys

import snnc
from snnc.evaluation.evaluate import Evaluation
from snnc.evaluation.verdict import verdict
from snnc.quantities import joules, number
from snnc.terminal import Listing, new_console, prose

OLD = {
    "swap, scale 1 (the default)": {"scale": 1},
    "swap, scale 100, 5 ms synapse": {"scale": 100, "synapse": 0.005},
    "swap, scale 1000": {"scale": 1000},
}
"""Settings of ``snnc.compile`` beside ``level=0, neurons="spiking-relu"``, by what the table calls them.

Scale 1 is what the NengoDL Converter takes by default.
"""
PATIENT, MANY = "swap, scale 100, 5 ms synapse", 40
"""One of them that does as well as the model, and the steps that it needs for it."""


def main(artifact: str, samples: str, report: str) -> None:
    """Print what an artifact and the old ways come to on labelled samples."""
    ours = snnc.load(artifact)
    measured = ours.evaluate(samples)
    rows: list[tuple[str, Evaluation]] = []
    for name, chosen in OLD.items():
        old = snnc.compile(ours.source, level=0, neurons="spiking-relu", verify=False, **chosen)
        rows.append((name, old.evaluate(samples, steps=measured.steps)))
        if name == PATIENT:
            rows.append((name, old.evaluate(samples, steps=MANY)))
    rows.append(("snnc, nothing chosen", measured))

    console = new_console()
    console.print()
    title = f"{measured.samples} test digits: the model, the old ways, and this network"
    table = Listing(title, "", "steps", "accuracy", "95 %", "spikes a neuron", "energy")
    model = measured.cost.energy_model
    table.add_row("the Keras model", "-", number(measured.model_accuracy, share=True), "-", "-", joules(model))
    for name, row in rows:
        low, high = row.accuracy_interval or (0, 1)
        accuracy, interval = number(row.accuracy, share=True), f"{low:.1%} to {high:.1%}"
        spikes, energy = number(row.spikes_per_neuron), joules(row.cost.energy_45nm)
        table.add_row(name, str(row.steps), accuracy, interval, spikes, energy)
    console.print(table)
    console.print()
    prose(console, verdict(measured))
    prose(
        console,
        "MNIST is easy; docs/accuracy.md has ten networks trained plainly on Fashion-MNIST, and other converters.",
    )
    prose(console, f"The report, for a browser: {report}")


if __name__ == "__main__":
    main(*sys.argv[1:])
