"""The images that the benchmarks train on and measure with; none is part of the repository.

MNIST is the ``.npz`` that Keras gives out: ``../shared/data/mnist.npz``, or the file that SNNC_MNIST names.
Fashion-MNIST (Xiao et al. 2017) is Debian's package ``dataset-fashion-mnist``, four files in a folder, or the folder or
``.npz`` that SNNC_FASHION_MNIST names.
"""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import numpy as np

MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist.npz"
PACKAGE = "dataset-fashion-mnist"
FILES = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}
"""The four files of MNIST, and of every data set in its form."""
HOW = {
    "mnist": "give the .npz that Keras gives out by --data or SNNC_MNIST",
    "fashion-mnist": f"apt-get install {PACKAGE}, or give its folder by --data or SNNC_FASHION_MNIST",
}
"""By data set: how to get it."""


def images(name: str = "mnist", path: Path | None = None, scale: float = 255) -> dict[str, np.ndarray]:
    """Return ``x_train``, ``y_train``, ``x_test`` and ``y_test``, images as float32 ``(n, 28, 28, 1)``.

    Args:
        name: ``"mnist"`` or ``"fashion-mnist"``.
        path: an ``.npz`` with these arrays, or a folder with the four files of MNIST's form.
        scale: what pixels of 0 to 255 are divided by.

    Raises:
        SystemExit: the data is not there; one line says how to get it.
    """
    path = path or found(name)
    if path is None or not path.exists():
        raise SystemExit(f"{name}: {'not installed' if path is None else f'no {path}'}; {HOW[name]}")
    data = npz(path) if path.suffix == ".npz" else folder(path, name)
    return {
        k: v.astype(np.float32)[..., None] / np.float32(scale) if k[0] == "x" else v.astype(np.int64)
        for k, v in data.items()
    }


def found(name: str) -> Path | None:
    """Return where a data set is, if anything says so."""
    named = os.environ.get(f"SNNC_{name.replace('-', '_').upper()}")
    if named:
        return Path(named)
    return MNIST if name == "mnist" else installed()


def installed() -> Path | None:
    """Return the folder of Debian's package of Fashion-MNIST, or None where it is not installed."""
    try:
        ran = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    listed = (Path(line) for line in ran.stdout.splitlines())
    return next((file.parent for file in listed if file.name == FILES["x_train"]), None)


def npz(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz``."""
    with np.load(path) as data:
        return {k: data[k] for k in FILES}


def folder(path: Path, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a folder with the four files."""
    missing = [file for file in FILES.values() if not (path / file).exists()]
    if missing:
        raise SystemExit(f"{name}: {path} lacks {', '.join(missing)}; {HOW[name]}")
    return {k: idx(gzip.decompress((path / file).read_bytes())) for k, file in FILES.items()}


def idx(content: bytes) -> np.ndarray:
    """Return the bytes of an IDX file as an array: two zeros, type 8, the number of axes, their sizes, the values."""
    axes = content[3]
    shape = np.frombuffer(content, ">i4", axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
