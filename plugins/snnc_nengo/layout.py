"""How Nengo builds the linear ops that move, gather, enlarge or work slice by slice: mostly as sparse matrices."""

from __future__ import annotations

import math

import numpy as np

from snnc.api import Op, lowering, op_matrix, ops
from snnc_nengo import geometry
from snnc_nengo.site import Lowered, Site, Term
from snnc_nengo.transforms import SparseMatrix, sparse


def rearranged(op: Op, site: Site) -> Lowered:
    """Put each input element in its place by a sparse matrix."""
    return (site.moving(op),)


@lowering("nengo", ops.Sum)
def total(op: ops.Sum, site: Site) -> Lowered:
    """Add up by a sparse matrix."""
    return (site.term(_gathering(op, site, 1.0)),)


@lowering("nengo", ops.Mean)
def mean(op: ops.Mean, site: Site) -> Lowered:
    """Average by a sparse matrix."""
    return (site.term(_gathering(op, site, site.output.size / site.inputs[0].size)),)


@lowering("nengo", ops.Resize)
def resize(op: ops.Resize, site: Site) -> Lowered:
    """Interpolate by a sparse matrix, the same for every channel."""
    *space, channels = site.inputs[0].shape
    return _repeated(op, site, [(*space, 1)], channels, inner=True)


@lowering("nengo", ops.ConvTranspose)
def conv_transpose(op: ops.ConvTranspose, site: Site) -> Lowered:
    """Spread the input by a sparse matrix and convolve."""
    if len(op.strides) > 2:
        return (site.linear(op),)
    return (site.term(*geometry.transposed_convolution(op, site.inputs[0].shape)),)


@lowering("nengo", ops.EachSlice)
def each_slice(op: ops.EachSlice, site: Site) -> Lowered:
    """Repeat the matrix of one slice, or compute what is not linear on the host."""
    if not op.is_linear:
        return site.host(op)
    count = site.inputs[0].shape[0]
    return _repeated(op.op, site, [t.shape[1:] for t in site.inputs], count, inner=False)


@lowering("nengo", ops.TimeFilter)
def time_filter(op: ops.TimeFilter, site: Site) -> Lowered:
    """Filter the whole sequence, which is one sample, by a sparse matrix."""
    return (site.linear(op),)


@lowering("nengo", ops.SparseMap)
def sparse_map(op: ops.SparseMap, site: Site) -> Lowered:
    """Connect by the sparse matrix."""
    return (site.term(SparseMatrix(op.matrix(site.inputs[0].size))),)


def _gathering(op: ops.Reduce, site: Site, share: float) -> SparseMatrix:
    """Return the matrix that adds ``share`` of every element to its output."""
    (x,) = site.inputs
    kept = tuple(1 if axis in op.axes else n for axis, n in enumerate(x.shape))
    rows = np.broadcast_to(np.arange(math.prod(kept)).reshape(kept), x.shape)
    return sparse(rows, np.arange(x.size), np.full(x.size, share), (site.output.size, x.size))


def _repeated(op: Op, site: Site, shapes: list[tuple[int, ...]], count: int, *, inner: bool) -> Lowered:
    """Return the terms of an op that does the same ``count`` times, on inputs of these shapes.

    With ``inner`` the parts lie element by element next to each other, as channels do, else one behind the other.
    """
    from scipy.sparse import identity, kron

    types = [t.with_shape(shape) for t, shape in zip(site.inputs, shapes, strict=True)]
    terms: list[Term] = []
    for slot in range(len(types)):
        one = op_matrix(op, types, slot)
        if one is None:
            return site.host(op)
        many = identity(count, dtype=np.float32)
        whole = kron(one, many, format="csr") if inner else kron(many, one, format="csr")
        terms.append(site.term(SparseMatrix(whole), slot=slot))
    return tuple(terms)


REARRANGED: tuple[type[Op], ...] = (ops.ZeroPad, ops.Permute, ops.Slice, ops.Take, ops.Repeat)

LAYOUT = [
    total,
    mean,
    resize,
    conv_transpose,
    each_slice,
    time_filter,
    sparse_map,
    *(lowering("nengo", op)(rearranged) for op in REARRANGED),
]
