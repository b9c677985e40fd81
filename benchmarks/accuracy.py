"""How close level 2 comes to the model in few steps: three networks, several seeds, confidence intervals.

``python benchmarks/accuracy.py`` from the environment of ``make test``; about 15 minutes. The samples that calibrate
are 256 unlabelled training digits; accuracy is that on test digits, which nothing else sees.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import models

import snnc
from snnc.analysis.errors import interval

SUDOKU = models.MNIST.parents[1] / "models" / "real" / "sudoku_digit_cnn.h5"
SETTINGS = (("soft-reset-if", 8), ("soft-reset-if", 16), ("spiking-relu", 32))


def main():
    """Print the table as markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    root = Path(__file__).resolve().parents[1]
    files = {
        "example CNN": root / "examples" / "mnist" / "mnist_cnn.keras",
        "five-layer CNN": models.trained("five_layer", epochs=3),
        "sudoku_digit_cnn (max pooling)": SUDOKU,
    }
    data = models.digits()
    x, y = data["x_test"][: options.digits], data["y_test"][: options.digits]
    print("| network | neurons | steps | seed | model | spiking | 95 % interval | agreement | spikes |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, file in files.items():
        source = snnc.import_model(file)
        shape = source[source.inputs[0]].type.shape
        for neurons, steps in SETTINGS:
            for seed in range(options.seeds):
                calibration = data["x_train"][seed * 256 : (seed + 1) * 256].reshape(-1, *shape)
                c = snnc.compile(
                    file, level=2, neurons=neurons, calibration=calibration, steps=steps, seed=seed, verify=False
                )
                found = c.evaluate(x.reshape(-1, *shape), y)
                low, high = interval(found.accuracy, len(x))
                print(
                    f"| {name} | {neurons} | {steps} | {seed} | {found.model_accuracy:.2%} | {found.accuracy:.2%} "
                    f"| {low:.2%} to {high:.2%} | {found.agreement:.2%} | {found.spikes:,.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
