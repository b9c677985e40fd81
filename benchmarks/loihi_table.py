"""What Loihi makes of networks: a row each, with accuracy, size, cost, time, and whether emulator and replica agree.

``python benchmarks/loihi_table.py --networks FOLDER --data fashion.npz`` from the environment of ``make test``; a
network takes minutes. FOLDER holds Keras models, of which ``--only`` names some; what is not there is left out. The
``.npz`` holds ``calibration_x``, ``test_x`` and ``test_y``, images of 0 to 255. Times are processor time of all
threads: set OMP_NUM_THREADS to 1. ``--neurons`` and ``--skip`` are those of ``snnc compile``: ``--neurons loihi-relu
--skip loihi-calibrate`` is Nengo-Loihi's neuron as it comes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import snnc
from snnc.api import Neurons, SnncError

NETWORKS = ("mlp", "vgg", "resnet", "mobilenet", "mobilenetv3", "swish", "convnext", "vit")
PART = 64
"""Images that the replica is timed on: as many as it shows at a time."""
COST = ("agreement", "cores", "spikes", "synops", "compile, s", "replica, ms an image", "emulator")


def same(compiled, x, steps):
    """Return in which populations and outputs replica and emulator differ on images, in words.

    Compared are the spikes of each neuron on each image, in the read-out's window and in all, and what each output
    gives in each step.
    """
    watch = [n.name for n in compiled.graph if isinstance(n.op, Neurons) and n.op.model.spiking]
    ours, theirs = (
        compiled.program.using(engine).run({compiled.source.inputs[0]: x}, steps, watch=watch)
        for engine in ("replica", "emulator")
    )
    apart = {
        name: ~np.isclose(ours.means[name], theirs.means[name], rtol=1e-5)
        | (ours.messages[name] != theirs.messages[name])
        for name in watch
    }
    differ = [f"{name} ({np.count_nonzero(y):,} of {y.size:,} counts)" for name, y in apart.items() if y.any()]
    for name, y in ours.outputs.items():
        off = float(np.abs(y - theirs.outputs[name]).max() / np.abs(y).max())
        if off > 1e-5:
            differ.append(f"output {name} (by {off:.1g} of its largest value)")
    if differ:
        return f"differs in {', '.join(differ)}"
    return f"same spikes on {len(x)} images ({sum(int(ours.messages[name].sum()) for name in watch):,})"


def row(file, data, options):
    """Return the cells of a network, or the one that says why it was refused."""
    first, last = options.steps
    start = time.process_time()
    try:
        compiled = snnc.compile(
            file,
            backend="loihi",
            calibration=data["calibration_x"],
            steps=first,
            verify=False,
            skip=options.skip,
            **({"neurons": options.neurons} if options.neurons else {}),
        )
    except SnncError as error:
        return [f"refused after {time.process_time() - start:.0f} s: {error}"]
    seconds = time.process_time() - start
    x, y = data["test_x"][: options.images], data["test_y"][: options.images]
    found = compiled.evaluate(x, y, steps=last)
    start = time.process_time()
    compiled.program.run({compiled.source.inputs[0]: x[:PART]}, first)
    shown = 1000 * (time.process_time() - start) / len(x[:PART])
    return [
        f"{found.model_accuracy:.1%}",
        *(f"{found.accuracy_by_step[steps - 1]:.1%}" for steps in options.steps),
        f"{found.agreement:.1%}",
        f"{compiled.program.resources['cores']}",
        f"{found.spikes:,.0f}",
        f"{found.synops / 1e6:,.2f} M",
        f"{seconds:.0f}",
        f"{shown:.0f}",
        same(compiled, x[: options.emulator], first) if options.emulator else "",
    ]


def loaded(file):
    """Return the arrays of an ``.npz``, images as float32 ``(n, 28, 28, 1)`` of 0 to 1."""
    data = dict(np.load(file))
    images = {k: v.astype(np.float32) / np.float32(255) for k, v in data.items() if k.endswith("_x")}
    return {**data, **{k: v[..., None] if v.ndim == 3 else v for k, v in images.items()}}


def main():
    """Print the table as markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=Path, required=True, help="a folder with NAME.h5 or NAME.keras")
    parser.add_argument("--data", type=Path, required=True, help="an .npz with calibration_x, test_x and test_y")
    parser.add_argument("--only", nargs="+", default=list(NETWORKS), metavar="NAME")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--steps", type=int, nargs=2, default=[60, 100], help="spikes and synops are of the second")
    parser.add_argument("--emulator", type=int, default=5, help="images to run in nengo-loihi's emulator, too")
    parser.add_argument("--neurons", help="by default those of the backend")
    parser.add_argument("--skip", nargs="+", default=[], metavar="PASS")
    options = parser.parse_args()
    data = loaded(options.data)
    head = ["network", "model", *(f"{steps} steps" for steps in options.steps), *COST]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    for name in options.only:
        file = next((f for end in (".h5", ".keras") if (f := options.networks / f"{name}{end}").exists()), None)
        if file is not None:
            print(f"| {name} | {' | '.join(row(file, data, options))} |", flush=True)


if __name__ == "__main__":
    main()
