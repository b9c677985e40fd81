"""What compiling and simulating cost, beside the NengoDL Converter and Keras: writes docs/performance.md.

``make bench``, or ``python benchmarks/speed.py`` from the environment of ``make test``; half an hour, if left alone.
Each measurement has a process of its own (``measure.py``), since planners, compiled functions and the most memory ever
used stay with a process. ``--only PATTERN`` measures the tasks whose name and model match, and writes no page.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
NAMES = {
    "example": "example CNN",
    "five_layer": "five-layer CNN",
    "vgg_like": "VGG-like, 32x32",
    "mobilenet": "MobileNetV2, 96x96",
    "resnet": "ResNet50, 64x64",
    "dense10": "10 dense layers",
    "dense50": "50 dense layers",
    "dense100": "100 dense layers",
}
SMALL, LARGE = ("example", "five_layer", "vgg_like"), ("mobilenet", "resnet")
STACKS = ("dense10", "dense50", "dense100")
SIMULATIONS = {
    "converter": (*SMALL,),
    "converter, noop planner": (*SMALL,),
    "nengo-dl": (*SMALL, *LARGE),
    "nengo-dl, own simulator": (*SMALL,),
    "tensorflow": (*SMALL, *LARGE),
    "converter, no synapse": (*SMALL,),
    "nengo-dl, no synapse": (*SMALL,),
    "tensorflow, no synapse": (*SMALL, *LARGE),
    "tensorflow, answer": (*SMALL, *LARGE),
    "converter in nengo": (*SMALL,),
    "nengo": (*SMALL,),
    "nengo, own simulator": (*SMALL,),
}
"""By task: the models it is measured on."""
LABELS = {
    "converter": "Converter in NengoDL, as it comes",
    "converter, noop planner": "Converter in NengoDL, planner that merges nothing",
    "nengo-dl": "snnc, `nengo-dl`",
    "nengo-dl, own simulator": "snnc's `c.network` in `nengo_dl.Simulator`",
    "tensorflow": "snnc, `tensorflow`",
    "converter, no synapse": "Converter in NengoDL, no synapse",
    "nengo-dl, no synapse": "snnc, `nengo-dl`, no synapse",
    "tensorflow, no synapse": "snnc, `tensorflow`, no synapse",
    "tensorflow, answer": "snnc, `tensorflow`, no synapse, `predict`",
    "converter in nengo": "Converter in `nengo.Simulator`",
    "nengo": "snnc, `nengo`, `run`",
    "nengo, own simulator": "snnc's `c.network` in `nengo.Simulator`",
}
CLAIMS = (
    ("NengoDL backend against the Converter as it comes", 8, "converter", "nengo-dl"),
    ("NengoDL backend against the Converter under the same planner", 1.4, "converter, noop planner", "nengo-dl"),
    ("TensorFlow backend against the Converter as it comes", 15, "converter", "tensorflow"),
    (
        "TensorFlow backend against the Converter, both without synapses",
        None,
        "converter, no synapse",
        "tensorflow, no synapse",
    ),
    ("Reference Nengo, `run`, against the Converter in `nengo.Simulator`", 2, "converter in nengo", "nengo"),
    (
        "`c.network` against the Converter's network, both in `nengo.Simulator`",
        2,
        "converter in nengo",
        "nengo, own simulator",
    ),
)
"""What is compared, the ratio aimed at, the slower task and the faster one."""
LIMIT = 900
"""Seconds for one measurement."""


def measure(task, model):
    """Return what a measurement gives, or None where it fails or takes too long."""
    command = [sys.executable, "-W", "ignore", str(HERE / "measure.py"), task, model]
    start = time.time()
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=True)
        found = json.loads(ran.stdout.strip().splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        print(f"{task}, {model}: failed: {' '.join(reason)}", file=sys.stderr)
        return None
    print(f"{task}, {model}: {found} ({time.time() - start:.0f} s)", flush=True)
    return found


def plan():
    """Return every (task, model), what belongs together one behind the other."""
    simulations = [(t, m) for m in (*SMALL, *LARGE) for t, names in SIMULATIONS.items() if m in names]
    conversions = [("conversion", m) for m in (*SMALL, *LARGE, *STACKS)]
    memory = [(task, m) for m in (*SMALL, *LARGE) for task in ("memory, snnc", "memory, converter")]
    builds = [(task, m) for m in STACKS for task in ("nengo build", "nengo-dl build", "tensorflow build")]
    profiles = [("nengo-dl profile", m) for m in SMALL]
    return [*simulations, *profiles, *conversions, *memory, *builds]


def ratio(a, b, digits=2):
    """Return a ratio for people."""
    return f"{a / b:.{digits}f}"


def table(head, rows):
    """Return a table as markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def simulation_table(found):
    """Return Keras forward passes an image and step, by task and model."""
    rows = []
    for task, label in LABELS.items():
        cells = []
        for model in (*SMALL, *LARGE):
            got = found.get((task, model))
            cells.append("" if got is None else ratio(got["simulation"], got["keras"]))
        rows.append([label, *cells])
    return table(["Keras forward passes an image and step", *(NAMES[m] for m in (*SMALL, *LARGE))], rows)


def claims_table(found):
    """Return how many times faster ours are; each side counted in the Keras passes of its own process."""
    rows = []
    for text, aim, slow, fast in CLAIMS:
        cells = []
        for model in SMALL:
            a, b = found.get((slow, model)), found.get((fast, model))
            cells.append("" if not (a and b) else ratio(a["simulation"] / a["keras"], b["simulation"] / b["keras"], 1))
        rows.append([text, "" if aim is None else f"{aim}", *cells])
    return table(["times faster", "aim", *(NAMES[m] for m in SMALL)], rows)


def profile_table(found):
    """Return the operations that take the time of a step in NengoDL: the four that take most on each model."""
    shares = {model: found.get(("nengo-dl profile", model)) or {} for model in SMALL}
    operations = list(dict.fromkeys(operation for model in SMALL for operation in list(shares[model])[:4]))
    rows = [[f"`{o}`", *(f"{shares[model].get(o, 0):.0%}" for model in SMALL)] for o in operations]
    return table(["operation", *(NAMES[m] for m in SMALL)], rows)


def conversion_table(found):
    """Return seconds of both compilers, and their ratio."""
    rows = []
    for model, name in NAMES.items():
        got = found.get(("conversion", model))
        if got:
            rows.append([name, f"{got['snnc']:.2f}", f"{got['converter']:.2f}", ratio(got["snnc"], got["converter"])])
    return table(["conversion, CPU seconds", "snnc, level 1", "Converter", "ratio"], rows)


def memory_table(found):
    """Return the memory that a conversion adds, in MB and in weights and activations."""
    rows = []
    for model in (*SMALL, *LARGE):
        ours, theirs = (found.get((f"memory, {who}", model)) for who in ("snnc", "converter"))
        if ours and theirs:
            own = ours["weights"] + ours["activations"]
            rows.append(
                [
                    NAMES[model],
                    f"{ours['weights']:.1f} + {ours['activations']:.1f}",
                    f"{ours['added']:.0f}",
                    ratio(ours["added"], own),
                    f"{theirs['added']:.0f}",
                    ratio(theirs["added"], own),
                ]
            )
    head = ["memory, MB", "weights + activations", "snnc adds", "ratio", "Converter adds", "ratio"]
    return table(head, rows)


def build_table(found):
    """Return the seconds that simulators of deep stacks take to build."""
    rows = []
    for model in STACKS:
        nengo, dl, flow = (found.get((f"{b} build", model)) for b in ("nengo", "nengo-dl", "tensorflow"))
        if nengo and dl and flow:
            cells = [nengo["converter"], nengo["snnc"], dl["converter"], dl["snnc"], flow["snnc"]]
            rows.append([NAMES[model], *(f"{seconds:.2f}" for seconds in cells)])
    head = [
        "building a simulator, CPU seconds",
        "Converter, `nengo.Simulator`",
        "snnc, `nengo`",
        "Converter, `nengo_dl.Simulator`",
        "snnc, `nengo-dl`",
        "snnc, `tensorflow`",
    ]
    return table(head, rows)


def page(found):
    """Return docs/performance.md."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "nengo", "nengo-dl", "numpy")
    )
    busy = f"{os.getloadavg()[1]:.1f} programs at a time on {os.cpu_count()} cores"
    steps = "20 steps; batches of 50 (VGG-like 20, MobileNetV2 and ResNet50 4)"
    return f"""# What compiling and simulating cost

Written by `make bench` on {time.strftime("%Y-%m-%d")} with {versions}, Python {platform.python_version()}, on a CPU.
Everything is processor time of all threads, and compared with Keras or with the NengoDL Converter in the same run:
ratios carry over from machine to machine, seconds do not. How it is measured, and why so:
[benchmarks](decisions/benchmarks.md). At the end, the machine ran {busy}; where that is more programs than cores,
ratios near one are good to some 20 %.

## A step

Spiking ReLU neurons, scale 100, a 5 ms low-pass behind each layer where nothing else is said; {steps};
the outputs of every step, but for `predict`, which gives the answer alone. `nengo.Simulator` takes one image at a time.
Empty is what was not measured; on the large networks the Converter is not: it takes minutes and leaves ReLU6 as it is.
Where the time goes, and how it is saved: [TensorFlow](decisions/tensorflow-backend.md),
[NengoDL](decisions/nengo-dl-one-operator-a-population.md), [Nengo](decisions/nengo-operators.md).

{simulation_table(found)}

{claims_table(found)}

What the backend `nengo-dl` does in the steps, by TensorFlow's profiler: share of the time, in TensorFlow's operations
(`PartitionedCall` is what XLA compiled: a population's whole step, spikes, state and filter).

{profile_table(found)}

## Compiling

From a live Keras model to a `nengo.Network`: import, passes and network, without verification. The Converter's time is
that of `nengo_dl.Converter` with the same settings.

{conversion_table(found)}

The most memory that a process ever has, less what it has before. Weights and activations are those of the model for one
image.

{memory_table(found)}

## Building a simulator

{build_table(found)}
"""


def main():
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="measure only what matches, such as 'tensorflow.* example', and write nothing")
    parser.add_argument("--results", type=Path, help="keep results in this JSON file, and measure only what it lacks")
    options = parser.parse_args()
    kept = json.loads(options.results.read_text()) if options.results and options.results.exists() else {}
    for task, model in plan():
        name = f"{task} {model}"
        if name in kept or (options.only and not re.search(options.only, name)):
            continue
        kept[name] = measure(task, model)
        if options.results:
            options.results.write_text(json.dumps(kept, indent=1))
    if not options.only:
        PAGE.write_text(page({(n.rsplit(" ", 1)[0], n.rsplit(" ", 1)[1]): v for n, v in kept.items()}))


if __name__ == "__main__":
    main()
