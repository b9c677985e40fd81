"""From the bytes of a Keras file to its config, its version and its weights; a name or suffix is never trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnc.errors import FileError, FrontendError
from snnc.files import SafeZip, read_json, read_json_file, reading, require_file
from snnc.frontend.foreign import HEAD, SAVED_MODEL, TFJS, foreign, foreign_zip, named
from snnc.frontend.hdf5 import MAGIC, Hdf5Shards, SafeHdf5
from snnc.frontend.keras_weights import CONTAINERS, Hdf5ByClass, LegacyHdf5, WeightSource

ZIP_MAGIC = b"PK\x03\x04"
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


@dataclass(frozen=True)
class Archive:
    """The contents of a Keras file: its config, its weights and its version."""

    config: Any
    version: tuple[int, ...]
    """Of the Keras that wrote it, such as (3, 15, 1)."""
    weights: WeightSource


@contextmanager
def opened(path: Path, config: Path | None = None) -> Iterator[Archive]:
    """Open a Keras file or unzipped folder; it is closed again at the end of the block.

    Args:
        path: a ``.keras`` zip, an HDF5 file, a folder that Keras 3 wrote, or a file of weights alone.
        config: the JSON config that goes with a file of weights alone.

    Raises:
        FileError: it is missing, damaged, hostile or of another kind.

    """
    with ExitStack() as stack:
        if path.is_dir():
            yield _folder(path, stack)
            return
        with reading(path, "file"), open(require_file(path), "rb") as stream:
            head = stream.read(HEAD)
        if head[:4] == ZIP_MAGIC:
            yield _zip(path, stack)
        elif head.startswith(MAGIC):
            yield _hdf5(path, config, stack)
        elif head[:1] == b"{":
            yield _json(path, config, stack)
        else:
            raise foreign(path, head)


def _zip(path: Path, stack: ExitStack) -> Archive:
    with SafeZip(path) as archive:
        if CONFIG not in archive or WEIGHTS not in archive:
            raise foreign_zip(path, archive.names) or FileError(
                f"{path}: a zip archive without {CONFIG} and {WEIGHTS}, so not a Keras model (truncated?)"
            )
        config = read_json(archive.read(CONFIG), path, CONFIG)
        metadata = read_json(archive.read(METADATA), path, METADATA) if METADATA in archive else {}
    file = stack.enter_context(SafeHdf5(path, path, WEIGHTS))
    return Archive(config, _version(metadata, file), Hdf5ByClass(file))


def _folder(path: Path, stack: ExitStack) -> Archive:
    if (path / "saved_model.pb").exists():
        raise named(path, *SAVED_MODEL)
    if not (path / CONFIG).is_file():
        raise FileError(f"{path}: a folder without {CONFIG}, so not a Keras model")
    config = read_json_file(path / CONFIG, CONFIG)
    metadata = read_json_file(path / METADATA, METADATA) if (path / METADATA).is_file() else {}
    file = stack.enter_context(SafeHdf5(path / WEIGHTS, path))
    return Archive(config, _version(metadata, file), Hdf5ByClass(file))


def _hdf5(path: Path, config: Path | None, stack: ExitStack) -> Archive:
    file = stack.enter_context(SafeHdf5(path, path))
    stored = file.attr("/", "model_config")
    if stored is not None:
        document = read_json(str(stored).encode(errors="surrogateescape"), path, "model_config")
    else:
        document = _given_config(path, config)
    by_class = any(container in file for container in CONTAINERS)
    root = "model_weights" if "model_weights" in file else ""
    if not by_class and file.names(root, "layer_names") is None:
        raise FileError(f"{path}: an HDF5 file without the weights of a Keras model")
    weights = Hdf5ByClass(file) if by_class else LegacyHdf5(file, root)
    return Archive(document, _version(document, file), weights)


def _json(path: Path, config: Path | None, stack: ExitStack) -> Archive:
    """Read weights in shards: a JSON file that says which HDF5 file beside it holds which group."""
    index = read_json_file(path, "weight index")
    if isinstance(index, dict) and "modelTopology" in index:
        raise named(path, *TFJS)
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(shards, dict):
        raise FileError(f"{path}: a config without weights; give the file of the weights, and this as --config")
    names = [name for value in shards.values() for name in (value if isinstance(value, list) else [value])]
    if not names or any(not isinstance(name, str) or Path(name).name != name for name in names):
        raise FileError(f"{path}: refused, it names files that are not beside it")
    document = _given_config(path, config)
    files = [stack.enter_context(SafeHdf5(path.parent / n, path)) for n in dict.fromkeys(names)]
    return Archive(document, _version(document, files[0]), Hdf5ByClass(Hdf5Shards(files)))


def _given_config(path: Path, config: Path | None) -> Any:
    if config is None:
        raise FileError(
            f"{path}: holds weights but no model; give the config too (--config model.json, from model.to_json()), or "
            "save the whole model"
        )
    return read_json_file(config, "model config")


def _version(metadata: Any, file: SafeHdf5) -> tuple[int, ...]:
    """Return the version of Keras; a config of Keras 3 does not say, and neither do files of the early Keras 2."""
    candidates = [
        metadata.get("keras_version") if isinstance(metadata, dict) else None,
        file.attr("/", "keras_version"),
        file.attr("model_weights", "keras_version"),
    ]
    found = next((c for c in candidates if isinstance(c, str)), None)
    if found is None:
        found = "3.0.0" if '"batch_shape"' in json.dumps(metadata) else "2.0.0"
    return parse_version(found)


def parse_version(text: str) -> tuple[int, ...]:
    """Return ``"2.13.1-tf"`` as (2, 13, 1); raise FrontendError for what no version of Keras looks like."""
    numbers = re.findall(r"\d+", text.split("-")[0])[:3]
    if any(len(number) > 4 for number in numbers[:2]):
        raise FrontendError(f"the Keras version {text[:20]!r} of the model is none; is the file damaged?")
    return tuple(int(number[:9]) for number in numbers) or (2, 0, 0)
