"""Ops that are one formula: the rule that gives them their meaning, with TensorFlow's functions; and affine ones."""

from __future__ import annotations

from snnc.api import Lowering, lowering, ops
from snnc_tensorflow.namespace import TENSORFLOW
from snnc_tensorflow.site import Function, Site, Tensor


@lowering("tensorflow", ops.PureOp)
def by_rule(op: ops.PureOp, site: Site) -> Function:
    """Lower any op that has a rule; arrays among its fields are variables."""
    bound = site.bound(op)
    return Function(lambda *inputs: bound.rule(TENSORFLOW, *inputs), fuse=op.elementwise)


@lowering("tensorflow", ops.Affine)
def affine(op: ops.Affine, site: Site) -> Function:
    """Lower a scale and a shift; those that do nothing are left out."""
    scale = None if (op.scale == 1).all() else site.weight(op.scale)
    shift = None if (op.shift == 0).all() else site.weight(op.shift)

    def call(x: Tensor) -> Tensor:
        y = x if scale is None else x * scale
        return y if shift is None else y + shift

    return Function(call, fuse=True)


@lowering("tensorflow", ops.BatchNorm)
def batch_norm(op: ops.BatchNorm, site: Site) -> Function:
    """Lower a normalisation with fixed moments."""
    scale, shift = (site.weight(array) for array in op.affine())
    return Function(lambda x: x * scale + shift, fuse=True)


def activation(op: ops.SpikingActivation | ops.ReadOutActivation, site: Site) -> Function:
    """Lower what stands for an op: spiking neurons that it is not swapped for, or one that is left to the read-out.

    Programs get graphs without the second, and exports what it stands for.
    """
    return Function(site.inner(op.activation, *site.inputs), fuse=getattr(op.activation, "elementwise", False))


LOWERINGS: list[Lowering] = [
    by_rule,
    affine,
    batch_norm,
    *(Lowering("tensorflow", cls, activation) for cls in (ops.SpikingActivation, ops.ReadOutActivation)),
]
