"""What a file is that is no Keras model: said by its bytes, or by its name where the bytes tell nothing."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from snnc.errors import FileError

HEAD = 64
"""How many of the first bytes ``foreign`` needs."""
_REBUILD = "build the same model in Keras, set its weights and save it as .keras"
_ORIGIN = "give the Keras model that it was made from"
_SAVE = "load it in Keras and save it as .keras or .h5"
PYTORCH = ("a PyTorch file", _REBUILD)
ONNX = ("an ONNX model", _REBUILD)
TFLITE = ("a TensorFlow Lite model", _ORIGIN)
SAVED_MODEL = ("a TensorFlow SavedModel", _SAVE)
TFJS = ("a TensorFlow.js model", _ORIGIN)
CHECKPOINT = ("a TensorFlow checkpoint, which holds weights alone", "load it into the model in Keras and save that")
ARRAYS = ("a file of numpy arrays, no model", "give it with --calibration or --inputs")
_STARTS = (
    (b"GGUF", ("a GGUF file", _REBUILD)),
    (b"version https://git-lfs", ("a pointer of Git LFS, not the file itself", "fetch it: git lfs pull")),
    (b"\x93NUMPY", ARRAYS),
    (b"\x1f\x8b", ("a gzip archive", "unpack it first")),
    (b"<", ("a text in XML or HTML, such as the page of a failed download", "give the model itself")),
    (b"\x80", ("a Python pickle, such as older PyTorch files, and is never loaded", _REBUILD)),
)
_SUFFIXES = {
    **dict.fromkeys((".pt", ".pth", ".ckpt"), PYTORCH),
    **dict.fromkeys((".index", ".meta"), CHECKPOINT),
    ".onnx": ONNX,
    ".tflite": TFLITE,
    ".pb": ("a TensorFlow graph", _SAVE),
    ".mlmodel": ("a Core ML model", _ORIGIN),
    ".npz": ARRAYS,
}


def foreign(path: Path, head: bytes) -> FileError:
    """Return the error for a file that begins with other bytes than a Keras model's."""
    if head[4:8] == b"TFL3":
        return named(path, *TFLITE)
    # protobuf: ir_version (field 1) is a small number, and a string or a graph follows
    if head[:1] == b"\x08" and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b"\x1a", b":"):
        return named(path, *ONNX)
    if int.from_bytes(head[:8], "little") < 1 << 27 and head[8:9] == b"{":
        return named(path, "a safetensors file, which holds weights alone", _REBUILD)
    for start, what in _STARTS:
        if head.startswith(start):
            return named(path, *what)
    if path.suffix.lower() in _SUFFIXES:
        return named(path, *_SUFFIXES[path.suffix.lower()])
    return FileError(f"{path}: neither a .keras archive nor an HDF5 file; save the model as .keras or .h5")


def foreign_zip(path: Path, names: Collection[str]) -> FileError | None:
    """Return the error for a zip archive with entries of these names, where they tell what it is."""
    if any(name.rpartition("/")[2] in ("data.pkl", "constants.pkl") for name in names):
        return named(path, *PYTORCH)
    if any(name.endswith("saved_model.pb") for name in names):
        return named(path, "a zip of a TensorFlow SavedModel", f"unpack it, {_SAVE}")
    if names and all(name.endswith(".npy") for name in names):
        return named(path, *ARRAYS)
    if any(name.endswith((".keras", ".h5", ".hdf5")) and name.count("/") < 2 for name in names):
        return named(path, "a zip archive with a model in it", "unpack it first")
    return None


def named(path: Path, what: str, remedy: str) -> FileError:
    """Return the error that says what a file is, and what helps."""
    return FileError(f"{path}: is {what}; snnc reads Keras models: {remedy}")
