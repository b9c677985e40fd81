"""The base of everything a graph holds: immutable records with a kind, a shape rule and a numpy meaning."""

from __future__ import annotations

import dataclasses
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from snnc.ir.types import AnyArray, Array, TensorType

T = TypeVar("T")
R = TypeVar("R", bound="Record")

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:  # typing has it from Python 3.11 on, and only type checkers look

    def dataclass_transform(**_: Any) -> Any:
        """Do nothing."""
        return lambda decorator: decorator


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=False)
def op(cls: type[T]) -> type[T]:
    """Make a class a record: a frozen, keyword-only dataclass that compares by its fields, arrays included."""
    return dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)(cls)


def frozen_array(value: Any) -> Array:
    """Return ``value`` as a read-only, contiguous float32 array, copied only where that is needed."""
    array = np.asarray(value)
    if array.dtype != np.float32 or array.flags.writeable or not array.flags.c_contiguous:
        with np.errstate(over="ignore"):
            array = np.array(array, dtype=np.float32, order="C")
        array.flags.writeable = False
    return array


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Record:
    """Fields that never change. Arrays become read-only float32, lists become tuples."""

    kind: ClassVar[str]
    family: ClassVar[str]
    """The word for such records in a stored graph: ``op``, ``neuron`` or ``synapse``."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                object.__setattr__(self, field.name, frozen_array(value))
            elif isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Let arrays be read-only again, which pickle forgets."""
        vars(self).update(state)
        for _, array in self.arrays():
            array.flags.writeable = False

    def attrs(self) -> dict[str, Any]:
        """Return the fields by name, in the order of their declaration."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Yield (field, array) of the record and of the records inside it."""
        for field, value in self.attrs().items():
            if isinstance(value, np.ndarray):
                yield field, value
            elif isinstance(value, Record):
                yield from ((f"{field}.{inner}", array) for inner, array in value.arrays())

    @cached_property
    def flaws(self) -> tuple[str, ...]:
        """Return a line for each thing wrong with the arrays; looked through once, because they never change."""
        found = []
        for field, array in self.arrays():
            if array.dtype != np.float32 or array.flags.writeable:
                found.append(f"{field} is not a read-only float32 array")
            elif not np.isfinite(array).all():
                found.append(f"{field} holds NaN or infinite values; train or repair it")
        return tuple(found)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record) or type(self) is not type(other):
            return NotImplemented
        mine, theirs = self.attrs(), other.attrs()
        return all(_same(mine[key], theirs[key]) for key in mine)

    def __hash__(self) -> int:
        return hash((type(self), *(v for v in self.attrs().values() if isinstance(v, (int, float, str)))))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={show(v)}' for k, v in self.attrs().items())})"


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return a is b or (isinstance(a, type(b)) and a.shape == b.shape and np.array_equal(a, b))
    return bool(a == b)


def show(value: Any) -> str:
    """Return a field's value for people: arrays by their shape, numbers briefly."""
    if isinstance(value, np.ndarray):
        return f"f32[{','.join(map(str, value.shape))}]"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return f"({','.join(show(v) for v in value)})"
    if isinstance(value, Record):
        fields = " ".join(f"{k}={show(v)}" for k, v in value.attrs().items() if v is not None)
        return f"{value.kind}{{{fields}}}" if fields else value.kind
    return str(value) if isinstance(value, str) else repr(value)


class Op(Record, ABC):
    """One node's computation. Shapes carry neither batch nor time; ``evaluate`` sees a leading batch axis."""

    family: ClassVar[str] = "op"

    arity: ClassVar[int | None] = 1
    """Number of inputs; None for one or more."""
    linear: ClassVar[bool] = False
    """Whether the op without its activation is affine in its inputs taken together."""

    @property
    def is_linear(self) -> bool:
        """Return whether the op is affine, so that it passes spikes on as weighted spikes."""
        return self.linear and getattr(self, "activation", None) is None

    @property
    def is_bilinear(self) -> bool:
        """Return whether the op sums products of its inputs' elements, so that a spike of one adds some of another."""
        return False

    @abstractmethod
    def infer(self, *inputs: TensorType) -> TensorType:
        """Return the type of the output; raise ShapeError where the inputs do not fit."""

    def multiply_adds(self, *inputs: TensorType) -> int:
        """Return the multiplications with weights of one sample; biases, pooling and normalisation do not count."""
        return 0

    def fan_out(self, demand: AnyArray, slot: int, *inputs: TensorType) -> AnyArray | None:
        """Return the synapses behind each element of an input, given those behind each output.

        ``demand`` has the output's shape. An op with weights of its own counts those that are not zero instead.
        None lets ``snnc.analysis.fan_out`` find the numbers by probing unit vectors, which is slow.
        """
        return None

    @abstractmethod
    def evaluate(self, *inputs: Array) -> Array:
        """Return the output for batched inputs, ``(batch, *shape)`` each, in rate mode."""


def concrete(base: type[R], *modules: ModuleType) -> tuple[type[R], ...]:
    """Return the classes under a base that modules name in ``__all__`` and that have a kind of their own."""
    found = (getattr(module, name) for module in modules for name in module.__all__)
    classes = (cls for cls in found if issubclass(type(cls), type))  # Python 3.10 takes dict[str, int] for an instance
    return tuple(
        cls for cls in classes if issubclass(cls, base) and "kind" in vars(cls) and not inspect.isabstract(cls)
    )
