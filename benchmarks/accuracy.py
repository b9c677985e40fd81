"""How close spiking networks come to their models: eleven families, by steps, beside other converters.

``make accuracy``, or ``python benchmarks/accuracy.py`` from the environment of ``make test`` for one data set; hours.
Measured are the path of a user without samples (``compile(model)``) and level 2 with 256 unlabelled training images,
with every number of steps and with none given, nothing else chosen. Beside them, for networks of ReLU: SpikingJelly's
``ann2snn`` on the same weights, where ``--torch-python`` names a Python that has it, and the NengoDL Converter; for the
others, which those cannot convert: integer spikes (``code="counted"``). Results are kept in docs/accuracy.json, from
which docs/accuracy.md is written; what was measured on the same code is not measured again without ``--again``.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import accuracy_page
import datasets
import networks
import numpy as np

import snnc
from snnc.analysis.census import census

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "docs" / "accuracy.json"
STEPS = (1, 2, 3, 4, 6, 8, 16)
CALIBRATION = 256
FEW = 200
"""Images for the Converter, whose networks take minutes for more."""
LIMIT = 3600
"""Seconds for ann2snn on one network."""


def code():
    """Return the commit that last changed what is measured, and a plus where something is not committed."""

    def git(*words):
        return subprocess.run(["git", *words, "--", "snnc", "plugins"], cwd=HERE.parent, capture_output=True, text=True)

    try:
        commit, changed = git("log", "-1", "--format=%h").stdout.strip(), git("status", "--porcelain").stdout.strip()
    except OSError:
        return "unknown"
    return commit + ("+" if changed else "")


def compiled(file, steps, x, y, **settings):
    """Compile with what a user gives, and return what it cost and what came out."""
    start = time.process_time()
    c = snnc.compile(file, steps=steps, **settings)
    seconds = time.process_time() - start
    found = c.evaluate(x, y)
    return {
        "steps": found.steps,
        "accuracy": found.accuracy,
        "interval": found.accuracy_interval,
        "model_accuracy": found.model_accuracy,
        "agreement": found.agreement,
        "neurons": sum(layer.neurons for layer in found.layers),
        "spikes": found.spikes,
        "spikes_a_neuron": found.spikes_per_neuron or 0.0,
        "payload": found.payload,
        "unit_spikes": found.unit_spikes,
        "silent": found.silent,
        "spiking_share": c.census.spiking_share,
        "input_share": c.census.input_share,
        "not_spiking": [*c.census.host, *c.census.rate, *c.census.valued],
        "synops": found.synops,
        "multiply_adds": census(c.source).multiply_adds,
        "energy": found.cost.energy_45nm,
        "energy_model": found.cost.energy_model,
        "energy_model_sparse": found.cost.energy_model_sparse,
        "seconds": seconds,
    }


def without_samples(file, steps, x, y, calibration):
    """Measure ``compile(model)``."""
    return compiled(file, steps, x, y)


def with_samples(file, steps, x, y, calibration):
    """Measure level 2 with samples."""
    return compiled(file, steps, x, y, level=2, calibration=calibration)


def counted(file, steps, x, y, calibration):
    """Measure integer spikes of one size, with samples."""
    return compiled(file, steps, x, y, level=2, calibration=calibration, code="counted")


PATHS = {"no samples": without_samples, "level 2": with_samples, "counted": counted}
OTHERS = ("ann2snn", "converter")


def ann2snn(file, options):
    """Return what SpikingJelly's converter gives, or None where it cannot run."""
    if options.torch_python is None:
        print("ann2snn: left out, no --torch-python", file=sys.stderr)
        return None
    command = [str(options.torch_python), str(HERE / "ann2snn.py"), str(file), "--dataset", options.dataset]
    command += [] if options.data is None else ["--data", str(options.data)]
    command += ["--images", str(options.images), "--calibration", str(CALIBRATION)]
    try:
        ran = subprocess.run(
            [*command, "--steps", *map(str, options.steps)],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        print(f"ann2snn, {file.name}: failed: {' '.join(reason)}", file=sys.stderr)
        return None
    return json.loads(ran.stdout.strip().splitlines()[-1])


def converter(file, x, y, steps):
    """Return what the NengoDL Converter gives: its answer in each step, a spike a step for an activation of 1."""
    try:
        import converter as nengo_dl_converter
    except ImportError as error:
        print(f"Converter: left out, {error}", file=sys.stderr)
        return None
    model = nengo_dl_converter.functional(file)
    given = nengo_dl_converter.answers(model, x, max(steps), scale=1000)
    return {
        "images": len(x),
        "model_accuracy": float(np.mean(model.predict(x, verbose=0).argmax(-1) == y)),
        "neurons": given.neurons,
        "spikes_a_neuron": given.spikes / given.neurons if given.neurons else None,
        "steps": {str(t): float(np.mean(given.classes[:, t - 1] == y)) for t in steps},
    }


def skipped(name):
    """Return the paths that a family is not measured on: the other converters know ReLU alone."""
    return OTHERS if name in networks.SMOOTH else ("counted",)


def measure(name, kept, options, commit, keep):
    """Measure what is missing of one network and keep it; ``kept`` is its part of the results."""
    data = datasets.images(options.dataset, options.data)
    x, y = data["x_test"][: options.images], data["y_test"][: options.images]
    file = networks.trained(name, options.dataset, options.data, options.cache)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if kept.get("sha256") != digest:  # another network: what was measured is not of this one
        kept.clear()
        kept["sha256"] = digest
    snnc.import_model(file)  # what is imported and read the first time is no part of a compilation
    asked = [path for path in options.paths if path not in skipped(name)]
    for path in [path for path in PATHS if path in asked]:
        rows = kept.setdefault(path, {})
        for steps in (None, *options.steps):
            key = "chosen" if steps is None else str(steps)
            of = {"commit": commit, "images": len(x)}
            if not options.again and of.items() <= rows.get(key, {}).items():
                continue
            rows[key] = PATHS[path](file, steps, x, y, data["x_train"][:CALIBRATION]) | of
            told = {k: v for k, v in rows[key].items() if k in ("steps", "accuracy", "spikes_a_neuron", "seconds")}
            print(f"{options.dataset} {name}, {path}, steps {key}: {told}", flush=True)
            keep()
    others = {
        "ann2snn": lambda: ann2snn(file, options),
        "converter": lambda: converter(file, x[:FEW], y[:FEW], options.steps),
    }
    for other in [other for other in others if other in asked]:
        if options.again or not kept.get(other):
            kept[other] = others[other]()
            keep()


def keep(results, options):
    """Write the results and the page."""
    results["date"] = time.strftime("%Y-%m-%d")
    options.results.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    options.page.write_text(accuracy_page.page(results))


def main():
    """Measure one data set, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    networks.add_data_options(parser)
    every = (*PATHS, *OTHERS)
    parser.add_argument("--paths", nargs="+", choices=every, default=every, help="what to measure")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS)
    parser.add_argument("--torch-python", type=Path, default=os.environ.get("SNNC_TORCH_PYTHON"))
    parser.add_argument("--again", action="store_true", help="measure again what the results have of this code")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=accuracy_page.PAGE)
    options = parser.parse_args()
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    commit = code()

    for name in options.networks:
        kept = results.setdefault("networks", {}).setdefault(options.dataset, {}).setdefault(name, {})
        measure(name, kept, options, commit, lambda: keep(results, options))


if __name__ == "__main__":
    main()
