"""How many image-steps a second the numpy evaluator runs, and nengo.Simulator with its default settings.

``python benchmarks/evaluator_speed.py`` from the environment of ``make demo`` or ``make test``; a minute. The two take
turns, so that whatever else the machine does hits both. By the clock both use what cores they can get; by processor
time a busy machine counts less.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import nengo
import numpy as np

import snnc
from snnc.ir.simulate import simulate

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "mnist"
NETWORKS = {
    "spiking-relu, scale 100, 5 ms": {"neurons": "spiking-relu", "scale": 100, "synapse": 0.005},
    "soft-reset-if, scale 100": {"neurons": "soft-reset-if", "scale": 100},
}
STEPS = 40


def timed(image_steps, work, *arguments, **options):
    """Return image-steps a second by the clock and by processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    work(*arguments, **options)
    return image_steps / (time.perf_counter() - clock), image_steps / (time.process_time() - processor)


def main():
    """Print the table as markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--images", type=int, default=192)
    options = parser.parse_args()
    x = np.load(EXAMPLE / "samples.npz")["x"]
    x = np.tile(x, (-(-options.images // len(x)), 1, 1, 1))[: options.images].astype(np.float32)
    print("| network | image-steps a second | nengo.Simulator | evaluator | ratio |")
    print("|---|---|---|---|---|")
    for name, settings in NETWORKS.items():
        c = snnc.compile(EXAMPLE / "mnist_cnn.keras", verify=False, **settings)
        with nengo.Simulator(c.network, progress_bar=False) as sim:
            sim.run_steps(2)
            rounds = []
            for _ in range(options.rounds):
                slow = timed(STEPS, sim.run_steps, STEPS, progress_bar=False)
                fast = timed(STEPS * len(x), simulate, c.graph, x, STEPS, window=slice(0, STEPS))
                rounds.append((*slow, *fast))
        nengo_clock, nengo_cpu, clock, cpu = np.median(rounds, axis=0)
        ratios = np.array(rounds)[:, 2:] / np.array(rounds)[:, :2]
        for what, theirs, ours, ratio in (
            ("by the clock", nengo_clock, clock, ratios[:, 0]),
            ("by processor time", nengo_cpu, cpu, ratios[:, 1]),
        ):
            low, middle, high = np.percentile(ratio, [25, 50, 75])
            print(f"| {name} | {what} | {theirs:,.0f} | {ours:,.0f} | {middle:.1f} ({low:.1f} to {high:.1f}) |")


if __name__ == "__main__":
    main()
