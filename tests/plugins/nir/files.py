"""NIR files written by hand."""

import itertools

import numpy as np
from snnc_nir.file import NirFile, NirNode


def chain(shape, *nodes, out=None, metadata=None):
    """Return a file of nodes in a row, named n0, n1 ..., between an input and an output."""
    named = {"input": NirNode("Input", {"shape": np.array(shape)})}
    named.update({f"n{k}": node for k, node in enumerate(nodes)})
    named["output"] = NirNode("Output", {} if out is None else {"shape": np.array(out)})
    names = list(named)
    return NirFile(named, tuple(itertools.pairwise(names)), metadata or {})


def node(kind, **fields):
    metadata = fields.pop("metadata", {})
    return NirNode(kind, {k: v if isinstance(v, str) else np.asarray(v) for k, v in fields.items()}, metadata)


def affine(weight, bias=None):
    weight = np.asarray(weight, dtype=np.float32)
    return node("Affine", weight=weight, bias=np.zeros(len(weight)) if bias is None else bias)


def conv(weight, *, stride=1, padding=0, dilation=1, groups=1, bias=None, **more):
    weight = np.asarray(weight, dtype=np.float32)
    bias = np.zeros(len(weight)) if bias is None else bias
    numbers = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return node(f"Conv{weight.ndim - 2}d", weight=weight, bias=bias, **numbers, **more)


def fires(*shape, threshold=1.0, **more):
    return node("IF", r=np.ones(shape), v_threshold=np.full(shape, threshold), **more)


def binary(rng, *shape):
    """Return numbers in binary, so that sums are exact."""
    return np.round(rng.normal(size=shape) * 8) / 8
