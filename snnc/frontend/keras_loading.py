"""A model file in the installed Keras, to compare with: the one place that lets Keras read a file.

Keras runs and imports what a config names, so a config is judged first: it may name classes and functions that snnc's
own importers know, and Keras's initializers and the like. Keras gets a copy of what was judged, and its safe mode.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snnc.errors import FileError, FrontendError, MissingExtraError, SnncError, UsageError
from snnc.files import SafeZip, require_file
from snnc.frontend.hdf5 import MAGIC
from snnc.frontend.keras_archive import CONFIG, METADATA, WEIGHTS, opened
from snnc.frontend.keras_config import WRAPPERS
from snnc.ir.graph import Graph
from snnc.ir.types import Array
from snnc.samples import Samples

_MODULES = re.compile(
    r"builtins|snnc\.keras|keras_spiking(\.layers)?|(tf_keras|keras|tensorflow\.(python\.)?keras)(\.src)?(\.(activations|constraints|dtype_policies|engine|"
    r"initializers|layers|mixed_precision|models|ops|regularizers)(\.[a-z_0-9.]+)?)?"
)
"""Where Keras keeps classes of layers and of their parts; what files, processes or the net are for is elsewhere."""
_STRUCTURE = frozenset({"Sequential", "Functional", "Model", "InputLayer", "StackedRNNCells"}) | WRAPPERS
_CELLS = ("SimpleRNNCell", "LSTMCell", "GRUCell")
_MARKS = ("__keras_tensor__", "__numpy__", "__tensor__", "__slice__", "__ellipsis__", "__tuple__", "TensorShape")
_PARTS = (
    *("Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Orthogonal"),
    *("GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Identity"),
    *("OrthogonalInitializer", "IdentityInitializer", "L1", "L2", "L1L2", "OrthogonalRegularizer"),
    *("MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "RadialConstraint"),
    *("Policy", "PolicyV1", "DTypePolicy", "FloatDTypePolicy"),
)
"""Initializers, regularizers, constraints and types of numbers, which every layer may have."""
_FILES = ("vocabulary", "filepath", "path", "file")
"""Entries of a config that Keras takes for a file to read where they are text."""
_AT_COMPILE = "compile_config"


def keras_outputs(keras: Any, source: Graph, samples: Samples) -> dict[str, Array]:
    """Return Keras's own outputs for the samples, by output name.

    Args:
        keras: a live model, or a path, which is loaded with the installed Keras.
        source: the model as imported.
        samples: the inputs.

    """
    if not hasattr(keras, "predict") and not isinstance(keras, (str, os.PathLike)):
        raise UsageError(f"verify: keras is {type(keras).__name__!r}, neither a model of Keras nor the path of one")
    if not hasattr(keras, "predict"):
        keras = load_with_keras(Path(keras))
    inputs: Any = [samples.inputs[name] for name in source.inputs]
    if isinstance(getattr(keras, "input", None), Mapping) and set(keras.input) == set(source.inputs):
        inputs = dict(samples.inputs)
    elif len(inputs) == 1:
        (inputs,) = inputs
    outputs = keras.predict(inputs, verbose=0)
    if isinstance(outputs, Mapping):
        # nested outputs have no names of their own, and come by sorted key
        outputs = [outputs[key] for key in (source.outputs if set(outputs) == set(source.outputs) else sorted(outputs))]
    listed = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    if len(listed) != len(source.outputs):
        raise SnncError(f"Keras gives {len(listed)} outputs, the graph has {len(source.outputs)}: not the same model")
    return dict(zip(source.outputs, (np.asarray(y, dtype=np.float32) for y in listed), strict=True))


def load_with_keras(path: Path) -> Any:
    """Return a file's model as the installed Keras loads it; no code that the file holds or names is run.

    Raises:
        MissingExtraError: Keras is not installed.
        FileError: it is missing, damaged or hostile.
        FrontendError: it names what Keras would run or import, or this Keras cannot read the file.

    """
    if path.is_dir():
        raise FileError(f"{path}: a folder, which Keras would run as a graph of its own; give the .keras or .h5 file")
    with tempfile.TemporaryDirectory(prefix="snnc-") as folder:
        copy = _judged(path, Path(folder))
        keras = _installed()
        load = keras.models.load_model
        safe = {"safe_mode": True} if "safe_mode" in inspect.signature(load).parameters else {}
        try:
            return load(copy, compile=False, **safe)
        except Exception as error:  # Keras raises what it likes
            reason = " ".join(str(error).split()).replace(str(copy), str(path))[:200]
            raise FrontendError(f"{path}: the installed Keras {keras.__version__} cannot load it: {reason}") from error


def _installed() -> Any:
    try:
        from tensorflow import keras
    except ImportError:
        try:
            import keras
        except ImportError as error:
            raise MissingExtraError("keras", error) from error
    return keras


def _judged(path: Path, folder: Path) -> Path:
    """Return a copy of a model file in a folder of ours that holds nothing but what was judged."""
    copied = folder / "model"
    try:
        shutil.copyfile(require_file(path), copied)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from error
    with opened(copied) as archive, open(copied, "rb") as stream:
        config, head = archive.config, stream.read(len(MAGIC))
    if head == MAGIC:
        _require_harmless(config, path)
        return copied.rename(folder / "model.h5")
    config = _without(config, _AT_COMPILE)  # Keras would compile the models inside
    _require_harmless(config, path)
    with SafeZip(copied) as archive_in, zipfile.ZipFile(folder / "model.keras", "w") as out:
        out.writestr(CONFIG, json.dumps(config))
        out.writestr(METADATA, archive_in.read(METADATA) if METADATA in archive_in else b"{}")
        with out.open(WEIGHTS, "w", force_zip64=True) as entry:
            entry.write(archive_in.read(WEIGHTS))
    return folder / "model.keras"


def _without(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, key) for k, v in value.items() if k != key}
    return [_without(v, key) for v in value] if isinstance(value, list) else value


def _require_harmless(config: Any, path: Path) -> None:
    """Raise FrontendError for a config in which anything makes Keras run, import or read something else."""
    for what in _dangers(config, _known()):
        raise FrontendError(
            f"{path}: not given to Keras, which would run or read what the file names: {what}; compare with a live "
            "model that you trust: c.verify(x, keras=model)"
        )


def _known() -> frozenset[str]:
    from snnc.frontend.keras_layers import importers

    return frozenset(importer.class_name for importer in importers())


def _dangers(value: Any, known: frozenset[str]) -> Iterator[str]:
    """Yield everything in a config that is not known to be harmless."""
    if isinstance(value, list):
        for part in value:
            yield from _dangers(part, known)
    if not isinstance(value, dict):
        return
    if "class_name" in value:
        yield from _danger_of_object(value, known)
    module, registered = value.get("module"), value.get("registered_name")
    if module is not None and not (isinstance(module, str) and _MODULES.fullmatch(module)):
        yield f"module {module!r}"
    if isinstance(registered, str) and ">" in registered and registered not in known:
        yield f"registered class {registered!r}"
    if "function_type" in value or "py_function" in value:
        yield f"Python code in {sorted(value)}"
    for key, part in value.items():
        if key in _FILES and isinstance(part, str):
            yield f"the file {part!r}"
        yield from _dangers(part, known)


def _danger_of_object(value: dict[str, Any], known: frozenset[str]) -> Iterator[str]:
    from snnc.frontend.keras_layers.activation import BY_NAME

    name, config = value["class_name"], value.get("config")
    if name == "function":
        if config not in BY_NAME:
            yield f"function {config!r}"
    elif name in ("TFOpLambda", "SlicingOpLambda"):
        function = config.get("function") if isinstance(config, dict) else None
        if not isinstance(function, str) or f"tf.{function.removeprefix('compat.v1.')}" not in known:
            yield f"TensorFlow's {function!r}"
    elif not isinstance(name, str) or not (
        name in known or f"ops.{name}" in known or name in (*_STRUCTURE, *_CELLS, *_MARKS, *_PARTS)
    ):
        yield f"class {name!r}"
