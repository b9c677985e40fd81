"""The ops that a graph may hold, all under one roof: ``ops.Dense``, ``ops.Relu``, ``ops.Reduce`` ..."""

from snnc.ops import activations, changes, combine, functions, order, reduce
from snnc.ops.activations import *  # noqa: F403 - what its __all__ names
from snnc.ops.causal import Cell, DelayLine, Filter, LastStep, Running
from snnc.ops.changes import *  # noqa: F403
from snnc.ops.combine import *  # noqa: F403
from snnc.ops.conv_lstm import ConvLstm
from snnc.ops.conv_transpose import ConvTranspose
from snnc.ops.each_slice import EachSlice
from snnc.ops.functions import *  # noqa: F403
from snnc.ops.layers import (
    Affine,
    AvgPool,
    BatchNorm,
    Concatenate,
    Conv,
    Dense,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    Input,
    MaxPool,
    Padding,
    Permute,
    Pool,
    Reshape,
    ZeroPad,
)
from snnc.ops.order import *  # noqa: F403
from snnc.ops.pure import PureOp
from snnc.ops.read_out_activation import ReadOutActivation
from snnc.ops.recurrent import Gru, Lstm, Recurrent, SimpleRnn, TimeFilter
from snnc.ops.reduce import *  # noqa: F403
from snnc.ops.resample import Embedding, Repeat, Resize, Slice, Take
from snnc.ops.sparse import Shift, SparseMap
from snnc.ops.spiking_max_pool import SpikingMaxPool
from snnc.ops.stateful import Causal, RandomStream, State, Stateful

__all__ = [
    "Affine",
    "AvgPool",
    "BatchNorm",
    "Causal",
    "Cell",
    "Concatenate",
    "Conv",
    "ConvLstm",
    "ConvTranspose",
    "DelayLine",
    "Dense",
    "EachSlice",
    "Embedding",
    "Filter",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Gru",
    "Identity",
    "Input",
    "LastStep",
    "Lstm",
    "MaxPool",
    "Padding",
    "Permute",
    "Pool",
    "PureOp",
    "RandomStream",
    "ReadOutActivation",
    "Recurrent",
    "Repeat",
    "Reshape",
    "Resize",
    "Running",
    "Shift",
    "SimpleRnn",
    "Slice",
    "SparseMap",
    "SpikingMaxPool",
    "State",
    "Stateful",
    "Take",
    "TimeFilter",
    "ZeroPad",
]
__all__ += activations.__all__
__all__ += changes.__all__
__all__ += combine.__all__
__all__ += functions.__all__
__all__ += order.__all__
__all__ += reduce.__all__
