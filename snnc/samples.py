"""Sample inputs and labels: from a file or arrays, the inputs checked against the graph."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from snnc.engine.batching import equal_slices
from snnc.engine.rate import require_inputs, validated_inputs
from snnc.errors import DataError, unknown
from snnc.files import npz_names, read_npz
from snnc.ir.graph import Graph
from snnc.ir.types import AnyArray, Array

Data: TypeAlias = "str | os.PathLike[str] | AnyArray | Mapping[str, AnyArray] | Samples"
"""The path of an ``.npz``, an array ``(batch, *shape)``, such arrays by input name, or samples that were checked."""
Labels: TypeAlias = "AnyArray | Mapping[str, AnyArray]"
"""The labels of the only output, or by the output's name."""
LABELS = "y"
"""The entry of an ``.npz`` that holds labels; ``y_NAME`` holds those of one output."""
ANY_OUTPUT = ""
"""The key of labels that do not say of which output they are."""


@dataclass(frozen=True)
class Samples:
    """Checked inputs by name, ``(batch, *shape)`` float32, and labels as the user has them, which nobody judged yet."""

    inputs: Mapping[str, Array]
    labels: Mapping[str, AnyArray] = field(default_factory=dict)
    """By output, ``(batch, ...)`` of any type; ``ANY_OUTPUT`` where several outputs may be meant."""
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
        other = self.part(slice(1, None, 2))
        return replace(other, inputs=self.halves()[1])

    def parts(self, most: int) -> list[Samples]:
        """Return the samples, in their order, in parts of at most so many, as equal as can be."""
        return [self.part(where) for where in equal_slices(len(self), -(-len(self) // most))]

    def head(self, count: int | None) -> Samples:
        """Return the first samples."""
        return self.part(slice(count))

    def part(self, where: slice) -> Samples:
        """Return some of the samples."""
        labels = {output: y[where] for output, y in self.labels.items()}
        return Samples({name: x[where] for name, x in self.inputs.items()}, labels, self.real)

    def labelled(self, graph: Graph, labels: Labels, output: str | None = None) -> Samples:
        """Return the samples with other labels.

        Args:
            graph: whose outputs they are of.
            labels: an array, or arrays by output.
            output: which output an array is of; the only one by default.

        Raises:
            DataError: there is no such output, or a number of labels is not that of the samples.
        """
        given = labels if isinstance(labels, Mapping) else {ANY_OUTPUT: labels}
        found: dict[str, AnyArray] = {}
        for name, values in given.items():
            of = (output or _only(graph)) if name == ANY_OUTPUT else name
            if of != ANY_OUTPUT and of not in graph.outputs:
                raise DataError(unknown("output", of, graph.outputs))
            if of in found:
                raise DataError(f"labels of output {of!r} are given twice, as {LABELS} and as {LABELS}_{of}")
            try:
                y = np.asarray(values)
            except ValueError as error:
                raise DataError(f"labels are no array: {error}; give as many labels for each sample") from None
            if y.ndim == 0 or len(y) != len(self):
                raise DataError(
                    f"labels of shape {y.shape} do not fit {len(self)} samples; axis 0 of both is the batch"
                )
            found[of] = y
        return replace(self, labels=found)


def samples(graph: Graph, source: Data, labels_from: Path | None = None, output: str | None = None) -> Samples:
    """Return samples from an ``.npz`` path, an array, or arrays by input name, labels being ``y`` or ``y_OUTPUT``.

    Labels may be in an ``.npz`` of their own, as ``y``, ``y_OUTPUT`` or its only array. Samples are returned as they
    are: their inputs were checked when they were made, and nothing that takes them checks them again.

    Args:
        graph: the model as imported.
        source: the samples.
        labels_from: where the labels are, if not there.
        output: which output ``y`` is of, where the model has several.

    Raises:
        DataError: they do not fit the graph's inputs, hold NaN, or are none at all.
        FileError: the file cannot be read.

    """
    if isinstance(source, Samples):
        return source if output is None else source.labelled(graph, source.labels, output)
    if output is not None and output not in graph.outputs:
        raise DataError(unknown("output", output, graph.outputs))
    if isinstance(source, (str, os.PathLike)):
        names = npz_names(Path(source))
        labelling = _outputs_of(names, graph)
        require_inputs(graph, [name for name in names if name not in labelling])
        source = read_npz(Path(source))
    labels: dict[str, AnyArray] = {}
    if isinstance(source, Mapping):
        if not all(isinstance(name, str) for name in source):
            raise DataError("the samples are named by something else than text; give arrays by input name")
        labelling = _outputs_of(source, graph)
        labels = {of: source[name] for name, of in labelling.items()}
        source = {name: x for name, x in source.items() if name not in labelling}
    if labels_from is not None:
        found = read_npz(labels_from)
        labels = {of: found[name] for name, of in _outputs_of(found, graph).items()}
        if not labels and len(found) == 1:
            labels = {ANY_OUTPUT: next(iter(found.values()))}
        if not labels:
            raise DataError(f"{labels_from}: holds {', '.join(found)}; name the labels {LABELS}")
    checked = Samples(validated_inputs(graph, source))
    return checked.labelled(graph, labels, output)


def _outputs_of(names: Iterable[str], graph: Graph) -> dict[str, str]:
    """Return the output, or ``ANY_OUTPUT``, that entries hold the labels of: ``y`` and ``y_OUTPUT``, if no input."""
    found = {
        name: name.removeprefix(LABELS).removeprefix("_")
        for name in names
        if name not in graph.inputs and (name == LABELS or name.startswith(f"{LABELS}_"))
    }
    for name, of in found.items():
        if name != LABELS and of not in graph.outputs:
            raise DataError(f"labels {name!r}: {unknown('output', of, graph.outputs)}")
    return found


def _only(graph: Graph) -> str:
    return graph.outputs[0] if len(graph.outputs) == 1 else ANY_OUTPUT
