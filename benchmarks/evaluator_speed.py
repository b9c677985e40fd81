"""How many image-steps a second the numpy evaluator runs, and nengo.Simulator with its default settings.

In the simulator runs the network as Nengo builds it, and the same objects as ``c.network``, with operators of ours.

``python benchmarks/evaluator_speed.py`` from the environment of ``make demo`` or ``make test``; a minute. The two take
turns, so that whatever else the machine does hits both. By the clock both use what cores they can get; by processor
time a busy machine counts less.

With ``--networks`` it is a step of graded spikes, of networks that ``networks.py`` trained, against a forward pass of
the same network in rate mode, by processor time, and of the model as imported.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import datasets
import nengo
import networks
import numpy as np
from snnc_nengo.build import build

import snnc
from snnc.api import LoweringContext
from snnc.engine.simulate import simulate
from snnc.registry import Registry

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "mnist"
NETWORKS = {
    "spiking-relu, scale 100, 5 ms": {"neurons": "spiking-relu", "scale": 100, "synapse": 0.005},
    "soft-reset-if, scale 100": {"neurons": "soft-reset-if", "scale": 100},
}
STEPS, STEPS_GRADED = 40, 8


def timed(image_steps, work, *arguments, **options):
    """Return image-steps a second by the clock and by processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    work(*arguments, **options)
    return image_steps / (time.perf_counter() - clock), image_steps / (time.process_time() - processor)


def against_rate_mode(options):
    """Print the table of graded spikes as markdown."""
    data = datasets.images(options.dataset, options.data)
    x = data["x_test"][: options.images]
    print("| network | ms an image and step | rate mode | model as imported | times rate mode | times the model |")
    print("|---|---|---|---|---|---|")
    for name in options.networks:
        file = networks.trained(name, options.dataset, options.data, options.cache)
        c = snnc.compile(
            file, level=2, calibration=data["x_train"][:256], steps=STEPS_GRADED, build=False, verify=False
        )
        rounds = []
        for _ in range(1 + options.rounds):
            spiking = timed(STEPS_GRADED * len(x), simulate, c.graph, x, STEPS_GRADED, window=slice(0, STEPS_GRADED))
            rounds.append([spiking[1], *(timed(len(x), graph.evaluate, x)[1] for graph in (c.graph, c.source))])
        seconds = 1 / np.array(rounds[1:])
        cells = [f"{1000 * t:.2f}" for t in np.median(seconds, axis=0)]
        cells += [f"{np.median(seconds[:, 0] / seconds[:, k]):.2f}" for k in (1, 2)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main():
    """Print the table as markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    networks.add_data_options(parser)
    parser.set_defaults(networks=None)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--images", type=int, default=192)
    options = parser.parse_args()
    if options.networks:
        against_rate_mode(options)
        return
    x = np.load(EXAMPLE / "samples.npz")["x"]
    x = np.tile(x, (-(-options.images // len(x)), 1, 1, 1))[: options.images].astype(np.float32)
    print("| network | image-steps a second | Nengo's operators | `c.network` | evaluator | times Nengo's operators |")
    print("|---|---|---|---|---|---|")
    target = LoweringContext(Registry.discover().lowerings_for("nengo"))
    for name, settings in NETWORKS.items():
        c = snnc.compile(EXAMPLE / "mnist_cnn.keras", verify=False, **settings)
        plain = build(c.graph, target).network
        with nengo.Simulator(plain, progress_bar=False) as stock, nengo.Simulator(c.network, progress_bar=False) as own:
            rounds = []
            for _ in range(1 + options.rounds):
                theirs, ours = (timed(STEPS, sim.run_steps, STEPS, progress_bar=False) for sim in (stock, own))
                fast = timed(STEPS * len(x), simulate, c.graph, x, STEPS, window=slice(0, STEPS))
                rounds.append((theirs, ours, fast))
        for i, what in enumerate(("by the clock", "by processor time")):
            found = np.array(rounds[1:])[:, :, i]  # without the first round, which warms up
            low, middle, high = np.percentile(found[:, 2] / found[:, 0], [25, 50, 75])
            speeds = " | ".join(f"{speed:,.0f}" for speed in np.median(found, axis=0))
            print(f"| {name} | {what} | {speeds} | {middle:.1f} ({low:.1f} to {high:.1f}) |")


if __name__ == "__main__":
    main()
