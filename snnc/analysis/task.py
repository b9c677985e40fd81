"""What an output is for: how answers are decided from its values, and what labels have to look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from snnc.errors import DataError
from snnc.ir.types import AnyArray, Array, Shape

Kind: TypeAlias = Literal[
    "classes", "binary", "multi-label", "regression", "pixels", "sequences", "reconstruction", "undecided"
]
"""``undecided`` are scores of classes or numbers, as nobody says which."""
KINDS: tuple[Kind, ...] = get_args(Kind)[:-1]
"""What a user may say."""
Choice: TypeAlias = Literal["largest", "threshold"]
YES_OR_NO = ((0, 1), (-1, 1), (0, 255))
"""The pairs of numbers that labels write no and yes with."""
SUM = 1e-2
"""How far from 1 a row of labels that are probabilities may add up."""


@dataclass(frozen=True)
class Task:
    """What one output is for."""

    output: str
    kind: Kind
    shape: Shape
    """Of the output, without the batch."""
    choice: Choice | None = None
    """How an answer is decided: the largest along ``axis``, each number by ``threshold``; None where numbers are
    values."""
    threshold: float = 0.0
    """Above which a number means yes: 0.5 of a probability, 0 of a logit."""
    axis: int = -1
    """The axis of the classes, counted from the end."""
    each_step: bool = False
    """Whether every step of a sequence that is presented slice by slice has an answer of its own."""
    by: str = ""
    """By what the task was chosen, in words."""

    @property
    def of_values(self) -> bool:
        """Return whether numbers are values, and known to be."""
        return self.choice is None and self.kind != "undecided"

    @property
    def classes(self) -> int:
        """Return how many classes there are, 2 for yes or no, 0 where numbers are values."""
        return 0 if self.choice is None else 2 if self.choice == "threshold" else self.shape[self.axis]

    @property
    def positions(self) -> Shape:
        """Return the shape of a sample's decisions: that of the output, without the axis of the classes."""
        if self.choice != "largest":
            return self.shape
        axis = self.axis % len(self.shape)
        return (*self.shape[:axis], *self.shape[axis + 1 :])

    @property
    def what(self) -> str:
        """Return what one decision is about, in the plural."""
        return {"pixels": "pixels", "sequences": "steps", "multi-label": "labels"}.get(self.kind, "samples")

    def __str__(self) -> str:
        yes_or_no = self.choice == "threshold"
        said = {
            "classes": f"one of {self.classes} classes",
            "binary": "yes or no",
            "multi-label": f"{int(np.prod(self.shape))} labels, each yes or no",
            "regression": "values",
            "pixels": "pixels, each yes or no" if yes_or_no else f"pixels of {self.classes} classes",
            "sequences": f"{'yes or no' if yes_or_no else f'one of {self.classes} classes'} each step"
            if self.choice
            else "values each step",
            "reconstruction": "the input again",
            "undecided": "scores of classes, or values",
        }[self.kind]
        return f"output {self.output!r}: {self.kind} ({said}), {self.by}"

    def decide(self, y: AnyArray) -> AnyArray:
        """Return the decisions of values ``(..., *shape)`` as whole numbers ``(..., *positions)``."""
        if self.choice == "largest":
            return np.asarray(y.argmax(axis=self.axis))
        return np.asarray(y > self.threshold).astype(np.int64)

    def scores(self, y: Array, *, logits: bool = False) -> Array | None:
        """Return values ``(batch, *shape)`` as scores ``(decisions, classes)``, whose largest is what is decided.

        None where there is nothing to decide.

        Args:
            y: values of the output, or of what its last activation reads.
            logits: whether they are the latter, so that no and yes meet at 0.
        """
        if self.kind == "undecided" or (self.choice == "largest" and y.shape[1:] != self.shape):
            return y if y.ndim == 2 and y.shape[-1] > 1 else None
        if self.choice is None:
            return None
        if self.choice == "largest":
            return np.moveaxis(y, self.axis, -1).reshape(-1, self.shape[self.axis])
        over = y.reshape(-1, 1) - np.float32(0 if logits else self.threshold)
        return np.concatenate([np.zeros_like(over), over], axis=1)

    def targets(self, labels: AnyArray, leading: Shape) -> AnyArray:
        """Return labels as what is to be decided, ``(*leading, *positions)``, or to be given, ``(*leading, *shape)``.

        Args:
            labels: as the user has them.
            leading: the number of samples; for tasks of each step, and of slices.

        Raises:
            DataError: they do not fit the output, or not the task.
        """
        y, wanted = np.asarray(labels), (*leading, *self.shape)
        if not are_numbers(y):
            raise self._unfit(y, "labels are finite numbers")
        if self.choice == "largest" and same(y.shape, (*leading, *self.positions)) and y.shape != wanted:
            if not is_whole(y) or y.min() < 0 or y.max() >= self.classes:
                raise self._unfit(
                    y, f"the model has classes 0 to {self.classes - 1}, the labels run from {y.min()} to {y.max()}"
                )
            return y.reshape(*leading, *self.positions).astype(np.int64)
        if not same(y.shape, wanted):
            raise self._unfit(y, f"give {' or '.join(self._shapes(leading))}")
        y = y.reshape(wanted)
        if self.choice == "threshold":
            if not is_yes_or_no(y):
                raise self._unfit(y, "no is 0 or -1, yes is 1 or 255; where they are values, the task is regression")
            return (y > 0).astype(np.int64)
        if self.choice == "largest":
            if not is_share(y, self.axis):
                raise self._unfit(y, "rows are one-hot or probabilities; where they are values, the task is regression")
            return np.asarray(y.argmax(axis=self.axis))
        return y.astype(np.float64)

    def _shapes(self, leading: Shape) -> list[str]:
        shapes = [(*leading, *self.positions)] if self.choice == "largest" else []
        return [f"({', '.join(map(str, shape))})" for shape in [*shapes, (*leading, *self.shape)]]

    def _unfit(self, y: AnyArray, why: str) -> DataError:
        return DataError(
            f"labels of shape {y.shape} and type {y.dtype} do not fit output {self.output!r} of shape {self.shape} as "
            f"{self.kind}: {why}; say another task with --task, or correct the labels"
        )


def same(shape: Shape, wanted: Shape) -> bool:
    """Return whether a shape is the wanted one, but for one axis of size 1 at the end of either."""
    return wanted in (shape, (*shape, 1)) or shape == (*wanted, 1)


def are_numbers(y: AnyArray) -> bool:
    """Return whether labels are numbers, none of them beyond those of a model's."""
    return y.dtype.kind in "fiub" and bool((np.abs(y.astype(np.float64)) <= np.finfo(np.float32).max).all())


def is_whole(y: AnyArray) -> bool:
    """Return whether all are whole numbers."""
    return y.dtype.kind in "iub" or (y.dtype.kind == "f" and bool(np.array_equal(y, np.round(y))))


def is_yes_or_no(y: AnyArray) -> bool:
    """Return whether labels are written with two numbers that mean no and yes."""
    return y.dtype.kind == "b" or any(bool(((y == no) | (y == yes)).all()) for no, yes in YES_OR_NO)


def is_share(y: AnyArray, axis: int) -> bool:
    """Return whether labels are one-hot or probabilities along an axis."""
    return bool((y >= 0).all() and (np.abs(y.sum(axis=axis, dtype=np.float64) - 1) < SUM).all())
