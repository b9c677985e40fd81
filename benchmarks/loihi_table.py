"""What calibration and the signed neuron bring on Loihi: the four-convolution net, plain to calibrated.

``python benchmarks/loihi_table.py`` from the environment of ``make test``; about 15 minutes, with the training. 256
unlabelled training digits calibrate; accuracy is that on test digits, which nothing else sees.
"""

from __future__ import annotations

import argparse

import datasets
import models

import snnc

ROWS = {
    "Nengo-Loihi's neuron, plain": {"neurons": "loihi-relu", "skip": ["loihi-calibrate"]},
    "Nengo-Loihi's neuron, calibrated": {"neurons": "loihi-relu"},
    "signed neuron, plain": {"skip": ["loihi-calibrate"]},
    "signed neuron, calibrated (default)": {},
}


def main():
    """Print the table as markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    file = models.trained("four_convolutions", epochs=10)
    data = datasets.images()
    x, y = data["x_test"][: options.digits], data["y_test"][: options.digits]
    print("| | Keras | Loihi | agreement | spikes | cores |\n|---|---|---|---|---|---|")
    for name, settings in ROWS.items():
        c = snnc.compile(
            file, backend="loihi", calibration=data["x_train"][:256], steps=options.steps, verify=False, **settings
        )
        found = c.evaluate(x, y)
        print(
            f"| {name} | {found.model_accuracy:.1%} | {found.accuracy:.1%} | {found.agreement:.1%} "
            f"| {found.spikes:,.0f} | {c.program.resources['cores']} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
