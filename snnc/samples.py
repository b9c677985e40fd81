"""Sample inputs and labels: from a file or arrays, checked against the graph."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from snnc.engine.batching import equal_slices
from snnc.engine.rate import require_inputs, validated_inputs
from snnc.errors import DataError
from snnc.files import npz_names, read_npz
from snnc.ir.graph import Graph
from snnc.ir.types import AnyArray, Array

Data: TypeAlias = "str | os.PathLike[str] | AnyArray | Mapping[str, AnyArray] | Samples"
"""The path of an ``.npz``, an array ``(batch, *shape)``, such arrays by input name, or samples that were checked."""
LABELS = "y"


@dataclass(frozen=True)
class Samples:
    """Checked inputs by name, ``(batch, *shape)`` float32, and where known one class a sample."""

    inputs: Mapping[str, Array]
    labels: AnyArray | None = None
    real: bool = True
    """False for made-up inputs."""

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def require_varied(self, least: int) -> None:
        """Raise DataError where there are too few samples to measure with, or they do not differ."""
        if len(self) < least:
            raise DataError(
                f"{len(self)} calibration samples are too few to measure with: give {least} or more, best 256"
            )
        if all(bool((x == x[:1]).all()) for x in self.inputs.values()):
            raise DataError("the calibration samples are all the same: give samples of what the model will see")

    def halves(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return every other sample's inputs, and the others': to calibrate with, and to decide with."""
        first, second = ({name: np.ascontiguousarray(x[half::2]) for name, x in self.inputs.items()} for half in (0, 1))
        return first, second

    def held_back(self) -> Samples:
        """Return the second half, which calibration does not see, with its labels."""
        other = self._slice(slice(1, None, 2))
        return replace(other, inputs=self.halves()[1])

    def parts(self, most: int) -> list[Samples]:
        """Return the samples, in their order, in parts of at most so many, as equal as can be."""
        return [self._slice(where) for where in equal_slices(len(self), -(-len(self) // most))]

    def head(self, count: int | None) -> Samples:
        """Return the first samples."""
        return self._slice(slice(count))

    def _slice(self, where: slice) -> Samples:
        labels = None if self.labels is None else self.labels[where]
        return Samples({name: x[where] for name, x in self.inputs.items()}, labels, self.real)


def samples(graph: Graph, source: Data, labels_from: Path | None = None) -> Samples:
    """Return checked samples from an ``.npz`` path, an array, or arrays by input name (``y`` being the labels).

    Labels may be in an ``.npz`` of their own, as ``y`` or its only array. Samples are returned as they are: they were
    checked when they were made, and nothing that takes them checks them again.

    Raises:
        DataError: they do not fit the graph's inputs, hold NaN, or are none at all.
        FileError: the file cannot be read.

    """
    if isinstance(source, Samples):
        return source
    if isinstance(source, (str, os.PathLike)):
        names = npz_names(Path(source))
        require_inputs(graph, [name for name in names if name in graph.inputs or not name.startswith(LABELS)])
        source = read_npz(Path(source))
    labels = None
    if isinstance(source, Mapping) and LABELS in source and LABELS not in graph.inputs:
        labels = source[LABELS]
        source = {name: x for name, x in source.items() if name != LABELS}
    if labels_from is not None:
        found = read_npz(labels_from)
        if LABELS not in found and len(found) != 1:
            raise DataError(f"{labels_from}: holds {', '.join(found)}; name the labels {LABELS}")
        labels = found.get(LABELS, next(iter(found.values())))
    inputs = validated_inputs(graph, source)
    count = len(next(iter(inputs.values())))
    return Samples(inputs, None if labels is None else class_labels(labels, count))


def class_labels(labels: AnyArray, count: int) -> AnyArray:
    """Return one whole-number class a sample from classes, a column of classes, or one-hot rows."""
    y = np.asarray(labels)
    if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "iub" and not _is_one_hot(y):
        raise DataError(f"labels of shape {y.shape} are no one-hot rows; give one class a sample, not one a step")
    if y.ndim == 2:
        y = y[:, 0] if y.shape[1] == 1 else y.argmax(axis=1)
    if y.ndim != 1 or len(y) != count:
        raise DataError(f"labels of shape {np.shape(labels)} do not fit {count} samples; give one class a sample")
    if y.dtype.kind not in "iub" and not (y.dtype.kind == "f" and np.array_equal(y, np.round(y))):
        raise DataError(f"labels of type {y.dtype} are no classes; give whole numbers or one-hot rows")
    return y.astype(np.int64)


def _is_one_hot(y: AnyArray) -> bool:
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())
