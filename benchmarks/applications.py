"""How all architectures of keras.applications spike: a row each in docs/applications.json, for docs/layers.md.

``python benchmarks/applications.py`` from the environment of ``make test`` with scikit-image beside it, whose
photographs are shown; a minute an architecture or some, each in a process of its own. Rows are kept as they come, and
what is there is not measured again without ``--again``; ``make pages`` writes the page. ``--census`` says only what
spikes of each, in seconds.

Weights are random, so that there is no accuracy to lose: measured is how close the spiking network comes to the model,
on crops of photographs that calibrated nothing. Statistics of BatchNormalization are those of other photographs, and
the ten outputs are centred on them, or one class would win on every image.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from accuracy import code

import snnc
from snnc.analysis.errors import interval, rms_error

HERE = Path(__file__).resolve().parent
TABLE = HERE.parent / "docs" / "applications.json"
SIZES = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71}
"""Height and width of the smallest images; 32 for all others."""
CLASSES, CALIBRATION, IMAGES, STEPS = 10, 64, 128, 8
CALIBRATES, SHOWN = ("astronaut", "coffee", "immunohistochemistry"), ("chelsea", "rocket", "stereo_motorcycle")
"""Photographs of scikit-image, by its names."""
CLOSE = 0.99
LIMIT = 1200
"""Seconds for one architecture."""


def size_of(name):
    """Return the height and width of the images of an architecture."""
    return SIZES.get(name, 32)


def made(keras, name, shown):
    """Return a model with random weights whose normalisation fits images that it is shown, ``(n, size, size, 3)``.

    Scales and shifts of channels are random, too: as they are initialised, branches are switched off by them.
    """
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    shape = shown.shape[1:]
    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=shape, classes=CLASSES, classifier_activation=None)
    for weight in model.trainable_weights:
        if weight.shape.rank == 1:
            middle, width = (1.0, 0.5) if "gamma" in weight.name else (0.0, 0.2)
            weight.assign(rng.uniform(middle - width, middle + width, size=weight.shape))
    norms = [layer for layer in model.submodules if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in model.submodules:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    for norm in norms:
        norm.momentum = 0.0
    model(shown, training=True)
    for norm in norms:
        norm.momentum = 0.99
    logits = model(shown, training=False).numpy()
    head = next(layer for layer in reversed(model.layers) if layer.get_weights())
    kernel, bias = head.get_weights()
    spread = logits.std(axis=0)
    head.set_weights([kernel / spread, (bias - logits.mean(axis=0)) / spread])
    return model


def crops(names, count, size, seed):
    """Return random square parts of photographs, each scaled to a size, ``(count, size, size, 3)`` float32 to 255."""
    try:
        from skimage import data, transform
    except ImportError:
        raise SystemExit("photographs are missing: pip install scikit-image") from None
    rng = np.random.default_rng(seed)
    found = (getattr(data, name)() for name in names)
    photographs = [photograph[0] if isinstance(photograph, tuple) else photograph for photograph in found]
    shown = np.empty((count, size, size, 3), np.float32)
    for k in range(count):
        photograph = photographs[k % len(photographs)]
        side = int(rng.integers(size, min(photograph.shape[:2]) + 1))
        row, column = (int(rng.integers(0, extent - side + 1)) for extent in photograph.shape[:2])
        part = photograph[row : row + side, column : column + side].astype(np.float32)
        shown[k] = transform.resize(part, (size, size), anti_aliasing=True, preserve_range=True)
    return shown


def counted(name):
    """Return what spikes of an architecture, for which no weight matters."""
    from tensorflow import keras

    size = size_of(name)
    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=(size, size, 3), classes=CLASSES, classifier_activation=None)
    graph = snnc.import_model(model)
    del model
    keras.backend.clear_session()
    return shares(snnc.compile(graph, neurons="sigma-delta", scale=1, build=False, verify=False), size)


def shares(c, size):
    """Return what spikes of a compiled model."""
    census = c.census
    return {
        "size": size,
        "neurons": census.neurons,
        "populations": len(census.populations),
        "multiply_adds": census.multiply_adds,
        "spiking_share": round(census.spiking_share, 4),
        "input_share": round(census.input_share, 4),
        "not_spiking": kinds([*census.host, *census.rate, *census.valued]),
        "forms": census.kinds,
        "census_commit": code(),
    }


def kinds(names):
    """Return how many there are of each kind of ops called ``name (kind)``."""
    return dict(Counter(name.rpartition("(")[2].rstrip(")") for name in names).most_common())


def row(name, images=IMAGES, steps=STEPS):
    """Measure an architecture: compiled at level 2 with calibration images, shown others."""
    from tensorflow import keras

    size = size_of(name)
    calibration, x = crops(CALIBRATES, CALIBRATION, size, 0), crops(SHOWN, images, size, 1)
    model = made(keras, name, calibration)
    start = time.process_time()
    c = snnc.compile(model, level=2, calibration=calibration, steps=steps, build=False, verify=False)
    seconds = time.process_time() - start
    del model
    keras.backend.clear_session()
    (want,) = c.source.evaluate(x).values()
    found = c.evaluate(x, want.argmax(axis=-1), engine="numpy")
    (got,) = c.engine("numpy").run(c.samples(x).inputs, steps).outputs.values()
    every = c.read_out.every_step(got, c.settings.dt)
    errors = [layer.error for layer in found.layers]
    agreement = found.agreement_by_step
    below = [t for t, share in enumerate(agreement, 1) if share < CLOSE]
    close = (below[-1] if below else 0) + 1
    return {
        **shares(c, size),
        "images": images,
        "classes_seen": len(set(want.argmax(axis=-1).tolist())),
        "agreement": [round(share, 4) for share in agreement],
        "agreement_interval": [round(share, 3) for share in interval(agreement[-1], images)],
        "close_steps": close if close <= steps else None,
        "error": [float(f"{rms_error(every[:, t], want):.3g}") for t in range(steps)],
        "worst_population": float(f"{max(errors):.3g}") if errors else None,
        "median_population": float(f"{np.median(errors):.3g}") if errors else None,
        "spikes_a_neuron": round(found.spikes_per_neuron or 0.0, 3),
        "synops_share": round(found.synops / c.census.multiply_adds, 3),
        "compiled_in": round(seconds, 1),
        "seconds": round(time.process_time() - start, 1),
        "commit": code(),
        "date": time.strftime("%Y-%m-%d"),
    }


def failed(name, reason):
    """Return the row of an architecture that could not be measured."""
    return {"size": size_of(name), "failed": reason, "commit": code(), "date": time.strftime("%Y-%m-%d")}


def in_a_process(name, options):
    """Return a row measured in a process of its own, or why there is none."""
    command = [sys.executable, __file__, "--row", name, "--images", str(options.images), "--steps", str(options.steps)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=options.limit)
    except subprocess.TimeoutExpired:
        return failed(name, f"not done in {options.limit} s")
    if ran.returncode:
        lines = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
        return failed(name, lines[-1][:300])
    return json.loads(ran.stdout.strip().splitlines()[-1])


def architectures():
    """Return the names of all architectures."""
    from tensorflow import keras

    return [name for name in sorted(dir(keras.applications)) if name[0].isupper()]


def main():
    """Measure what is missing of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", nargs="+", help="architectures, all by default")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--limit", type=int, default=LIMIT, help="seconds for one architecture")
    parser.add_argument("--census", action="store_true", help="only what spikes")
    parser.add_argument("--again", action="store_true", help="measure again what the table has")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--row", help="measure one architecture in this process, and print its row")
    options = parser.parse_args()
    if options.row:
        print(json.dumps(row(options.row, options.images, options.steps)))
        return
    wanted = "spiking_share" if options.census else "agreement"
    for name in options.names or architectures():
        document = json.loads(options.table.read_text()) if options.table.exists() else {}
        rows = document.setdefault("rows", {})
        if wanted in rows.get(name, {}) and not options.again:
            continue
        before = {key: value for key, value in rows.get(name, {}).items() if key != "failed"}
        rows[name] = {**before, **(counted(name) if options.census else in_a_process(name, options))}
        options.table.write_text(json.dumps({"rows": {k: rows[k] for k in sorted(rows)}}, indent=1) + "\n")
        told = {
            k: v for k, v in rows[name].items() if k in ("spiking_share", "agreement", "error", "seconds", "failed")
        }
        print(f"{name}: {told}", flush=True)


if __name__ == "__main__":
    main()
