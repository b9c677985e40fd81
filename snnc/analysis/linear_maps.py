"""Linear maps between two populations, and their composition: a chain of layers as a chip has it.

Hardware knows weights, no layers: whatever is linear between two populations becomes one map. As long as it can, the
map stays a correlation, whose weights are stored once for all positions; else it is a sparse matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from snnc import ops
from snnc.analysis.op_matrix import op_matrix
from snnc.errors import LoweringError
from snnc.ir.op import Op
from snnc.ir.types import AnyArray, Array, Shape, TensorType
from snnc.neurons import SynapseModel
from snnc.ops.kernels import convolve

Pads: TypeAlias = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class IdentityMap:
    """y = x, in another shape perhaps."""

    shape: Shape


@dataclass(frozen=True)
class Correlation:
    """y = correlate(x, kernel) over two axes; kernel (height, width, inputs, outputs), both ends channels last."""

    kernel: AnyArray
    strides: tuple[int, int]
    pads: Pads
    grid: tuple[int, int, int]
    """The shape in which it sees its input."""
    shape: Shape
    """The shape in which its output is seen; in memory it lies like ``output``."""

    @property
    def output(self) -> tuple[int, int, int]:
        """Return the shape of the output as it computes it."""
        height, width = (
            (n + a + b - k) // s + 1
            for n, (a, b), k, s in zip(self.grid, self.pads, self.kernel.shape, self.strides, strict=False)
        )
        return height, width, int(self.kernel.shape[-1])


@dataclass(frozen=True)
class MatrixMap:
    """y = matrix @ x for a scipy sparse matrix, everything flattened."""

    matrix: Any
    shape: Shape


LinearMap: TypeAlias = "IdentityMap | Correlation | MatrixMap"


@dataclass(frozen=True)
class Term:
    """A linear map of another node's output, which may be filtered first."""

    root: str
    map: LinearMap
    synapse: SynapseModel | None = None
    stored: bool = False
    """Whether a correlation is written as one, however few of its weights are not zero."""


@dataclass(frozen=True)
class LinearSum:
    """A node's output as a sum of terms, and a constant in its own shape."""

    terms: tuple[Term, ...]
    constant: Array


def compose(form: LinearMap, op: Op, inputs: tuple[TensorType, ...], slot: int, output: TensorType) -> LinearMap:
    """Return the map that applies a form and then one input of a linear op, without the op's constant part."""
    if isinstance(op, (ops.Identity, ops.Reshape)) or (isinstance(op, ops.Add) and inputs[slot].shape == output.shape):
        return replace(form, shape=output.shape)
    local = correlation(op, inputs, slot, output.shape)
    if local is not None:
        joined = _joined(form, local)
        if joined is not None:
            return joined
    return MatrixMap((_matrix_of(op, inputs, slot, local) @ matrix(form, inputs[slot].size)).tocsr(), output.shape)


def add(first: LinearMap, second: LinearMap) -> LinearMap | None:
    """Return the sum of two forms of one source, or None where that is no single form."""
    if isinstance(first, MatrixMap) and isinstance(second, MatrixMap):
        return MatrixMap(first.matrix + second.matrix, second.shape)
    if not (isinstance(first, Correlation) and isinstance(second, Correlation)):
        return None
    starts = [[before for before, _ in form.pads] for form in (first, second)]
    if (first.grid, first.strides, starts[0]) != (second.grid, second.strides, starts[1]):
        return None
    if first.output != second.output:
        return None
    size = np.maximum(first.kernel.shape, second.kernel.shape)
    kernel = _enlarged(first.kernel, size) + _enlarged(second.kernel, size)
    axes = zip(first.output, first.strides, size, first.grid, starts[0], strict=False)
    ends = [max((m - 1) * s + k - n - before, 0) for m, s, k, n, before in axes]
    pads = ((starts[0][0], ends[0]), (starts[0][1], ends[1]))
    joint = replace(second, kernel=kernel, pads=pads)
    return joint if joint.output == second.output else None


def _enlarged(kernel: AnyArray, size: AnyArray) -> AnyArray:
    return np.pad(kernel, [(0, n - k) for n, k in zip(size, kernel.shape, strict=True)])


def matrix(form: LinearMap, size_in: int) -> Any:
    """Return a form as a scipy sparse matrix (outputs, inputs)."""
    from scipy import sparse

    if isinstance(form, IdentityMap):
        return sparse.identity(size_in, dtype=np.float64, format="csr")
    return form.matrix if isinstance(form, MatrixMap) else _correlation_matrix(form)


def grid(shape: Shape) -> tuple[int, int, int] | None:
    """Return a shape as (height, width, channels), with sizes of one for axes that it lacks; None for more axes."""
    if not 1 <= len(shape) <= 3:
        return None
    *space, channels = shape
    height, width = (*space, *(1,) * (2 - len(space)))
    return height, width, channels


def correlation(op: Op, inputs: tuple[TensorType, ...], slot: int, output: Shape) -> Correlation | None:
    """Return a linear op's map of one of its inputs as a correlation, or None where it is none."""
    shape = inputs[slot].shape
    seen = grid(shape)
    if seen is None or grid(output) is None:
        return None
    found = _local(op, inputs, slot)
    if found is None:
        return None
    kernel, strides, pads = found
    missing = 2 - (kernel.ndim - 2)
    kernel = kernel.reshape(*kernel.shape[:-2], *(1,) * missing, *kernel.shape[-2:])
    s0, s1 = strides + (1,) * missing
    p0, p1 = pads + ((0, 0),) * missing
    return Correlation(kernel.astype(np.float64), (s0, s1), (p0, p1), seen, output)


def _local(op: Op, inputs: tuple[TensorType, ...], slot: int) -> tuple[AnyArray, Shape, convolve.Pads] | None:
    """Return kernel, strides and padding over the spatial axes of an input of at most two such axes."""
    *space, channels = inputs[slot].shape
    ones, none = (1,) * len(space), ((0, 0),) * len(space)
    if isinstance(op, ops.Dense) and op.activation is None:
        return op.weight.reshape(*ones, *op.weight.shape), ones, none
    if isinstance(op, ops.Conv) and op.activation is None:
        kernel = convolve.dilated(convolve.without_groups(op.kernel, op.groups), op.dilation)
        return kernel, op.strides, op.pads(tuple(space))
    if isinstance(op, (ops.Affine, ops.BatchNorm)):
        scale = op.affine()[0] if isinstance(op, ops.BatchNorm) else op.scale
        if scale.size not in (1, scale.shape[-1] if scale.ndim else 1):
            return None
        return _diagonal(ones, np.broadcast_to(scale.reshape(-1), (channels,))), ones, none
    if isinstance(op, ops.AvgPool):
        pads = op.pads(tuple(space))
        if any(a or b for a, b in pads):
            return None  # windows at the border average fewer elements
        return _diagonal(op.size, np.full(channels, 1 / math.prod(op.size))), op.strides, none
    if isinstance(op, ops.GlobalAvgPool):
        return _diagonal(tuple(space), np.full(channels, 1 / math.prod(space))), ones, none
    if isinstance(op, ops.ZeroPad):
        return _diagonal(ones, np.ones(channels)), ones, op.padding
    if isinstance(op, ops.Slice) and _picks(op, inputs[slot].shape):
        window = np.zeros(tuple(first + 1 for first in op.start[:-1]))
        window[op.start[:-1]] = 1
        return window[..., None, None] * np.eye(channels), op.step[:-1], none
    if isinstance(op, ops.Concatenate) and op.axis % len(inputs[slot].shape) == len(space):
        start = sum(t.shape[-1] for t in inputs[:slot])
        places = np.eye(channels, sum(t.shape[-1] for t in inputs), start)
        return places.reshape(*ones, *places.shape), ones, none
    return None


def _picks(op: ops.Slice, shape: Shape) -> bool:
    """Return whether a slice takes a position every so many, as many as there are, and all channels."""
    *along, channel = zip(shape, op.start, op.size, op.step, strict=True)
    whole = channel[1:] == (0, channel[0], 1)
    return whole and all(0 <= first < step and (n - first - 1) // step + 1 == size for n, first, size, step in along)


def _diagonal(size: Shape, factor: AnyArray) -> AnyArray:
    return np.broadcast_to(np.diag(factor), (*size, len(factor), len(factor)))


def _joined(form: LinearMap, local: Correlation) -> Correlation | None:
    """Return one correlation that does a form and then a local one, or None where none does."""
    if isinstance(form, IdentityMap):
        return local
    if not isinstance(form, Correlation) or form.output != local.grid:
        return None
    pads, sizes = [], []
    for axis in range(2):
        n, (before, _), k, s = form.grid[axis], form.pads[axis], form.kernel.shape[axis], form.strides[axis]
        inner, last = local.pads[axis], form.output[axis]
        # what the second pads with zeros must be zero in the first one's result too, if that went on
        if (inner[0] and k > s + before) or (inner[1] and last * s - before < n):
            return None
        size = (local.kernel.shape[axis] - 1) * s + k
        first = before + inner[0] * s
        end = (local.output[axis] - 1) * s * local.strides[axis] + size - n - first
        if end < 0 and (n + first - size) // (s * local.strides[axis]) + 1 != local.output[axis]:
            return None  # the second one leaves positions out at the end that a longer stride would reach
        pads.append((first, max(end, 0)))
        sizes.append(size)
    kernel = np.zeros((*sizes, form.kernel.shape[2], local.kernel.shape[3]))
    height, width = form.kernel.shape[:2]
    own = _factors(form.kernel)
    for i in range(local.kernel.shape[0]):
        for j in range(local.kernel.shape[1]):
            at = (slice(i * form.strides[0], i * form.strides[0] + height),
                  slice(j * form.strides[1], j * form.strides[1] + width))  # fmt: skip
            behind = local.kernel[i, j]
            factors = _factors(behind)
            if factors is not None:
                kernel[at] += form.kernel * factors
            elif own is not None:
                kernel[at] += own[..., None] * behind
            else:
                kernel[at] += form.kernel @ behind
    strides = (form.strides[0] * local.strides[0], form.strides[1] * local.strides[1])
    return Correlation(kernel, strides, (pads[0], pads[1]), form.grid, local.shape)


def _factors(kernel: AnyArray) -> AnyArray | None:
    """Return ``(..., channels)`` of a kernel that multiplies each channel by a number; None for any other."""
    if kernel.shape[-2] != kernel.shape[-1]:
        return None
    factors = np.diagonal(kernel, axis1=-2, axis2=-1)
    return factors if np.count_nonzero(kernel) == np.count_nonzero(factors) else None


def _matrix_of(op: Op, inputs: tuple[TensorType, ...], slot: int, local: Correlation | None) -> Any:
    if local is not None:
        return _correlation_matrix(local)
    found = op_matrix(op, inputs, slot)
    if found is None:
        raise LoweringError(
            f"the linear op {op.kind} of {inputs[slot]} is too large to be found out by trying; use a smaller layer"
        )
    return found


def _correlation_matrix(form: Correlation) -> Any:
    """Return one entry for each weight that is not zero, at each output position."""
    from scipy import sparse

    height, width, outputs = form.output
    positions = np.arange(height * width).reshape(height, width)
    rows, columns, values = [], [], []
    for (i, j), weight in ((at, form.kernel[at]) for at in np.ndindex(*form.kernel.shape[:2])):
        down = np.arange(height) * form.strides[0] - form.pads[0][0] + i
        right = np.arange(width) * form.strides[1] - form.pads[1][0] + j
        real = ((down >= 0) & (down < form.grid[0]))[:, None] & ((right >= 0) & (right < form.grid[1]))
        read = (down[:, None] * form.grid[1] + right)[real]
        source, target = np.nonzero(weight)
        rows.append(np.add.outer(positions[real] * outputs, target).ravel())
        columns.append(np.add.outer(read * form.grid[2], source).ravel())
        values.append(np.broadcast_to(weight[source, target], (len(read), len(source))).ravel())
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix(entries, shape=(height * width * outputs, math.prod(form.grid)))


def as_same(form: Correlation) -> tuple[Array, str] | None:
    """Return a kernel and ``valid`` or ``same`` (as TensorFlow means it) for a correlation, or None if neither does.

    A kernel with zeros at its end, or its start, moves the padding that ``same`` chooses.
    """
    kernel = form.kernel.astype(np.float32)
    if form.pads == ((0, 0), (0, 0)):
        return kernel, "valid"
    found = []
    for axis in range(2):
        n, (before, _), k, s = form.grid[axis], form.pads[axis], form.kernel.shape[axis], form.strides[axis]
        zeros = _zeros(n, before, k, s, form.output[axis])
        if zeros is None:
            return None
        found.append(zeros)
    return np.pad(kernel, (found[0], found[1], (0, 0), (0, 0))), "same"


def _zeros(n: int, before: int, k: int, stride: int, outputs: int) -> tuple[int, int] | None:
    """Return how many zeros before and after the kernel make ``same`` pad as wanted along one axis."""
    if outputs != -(-n // stride):
        return None
    tries = sorted(((a, b) for a in range(k + 1) for b in range(k + 1)), key=sum)
    for a, b in tries:
        total = max((outputs - 1) * stride + k + a + b - n, 0)
        if total // 2 == before + a:
            return a, b
    return None


def reshaped(given: Shape, wanted: Shape) -> list[Op]:
    """Return the op that leads from one shape to another, if it takes any."""
    return [] if given == wanted else [ops.Reshape(shape=wanted)]
