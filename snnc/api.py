"""Everything that a plugin may import, and nothing else."""

from snnc.backend import (
    Backend,
    Defaults,
    Lowering,
    Lowerings,
    Program,
    Recording,
    Target,
    Tolerance,
    lowering,
)
from snnc.errors import (
    DataError,
    FrontendError,
    GraphError,
    LoweringError,
    MissingExtraError,
    PassError,
    ShapeError,
    SnncError,
    UnsupportedOpError,
    UsageError,
)
from snnc.frontend.base import Builder, Frontend, Importer, ImportOptions, Layer, Role, Slot, importer, layer_error
from snnc.hooks import hookimpl
from snnc.ir import (
    activations,
    causal,
    combine,
    convolve,
    deferred,
    functions,
    neurons,
    ops,
    readout,
    recurrent,
    reduce,
    resample,
    slices,
    spiking_pool,
    transposed,
)
from snnc.ir.activations import Activation
from snnc.ir.blas import matmul, matvec, one_thread
from snnc.ir.evaluate import evaluate, evaluate_nodes, feed
from snnc.ir.graph import Graph, rewrite
from snnc.ir.intended import intended
from snnc.ir.lighten import lighten
from snnc.ir.neurons import NeuronModel, Neurons, State, Synapse, SynapseModel
from snnc.ir.node import Node, Origin
from snnc.ir.op import Op, op
from snnc.ir.readout import ReadOut
from snnc.ir.sequence import is_temporal, require_steps
from snnc.ir.simulate import initial_state, simulate
from snnc.ir.temporal import Causal, Stateful, Stream, for_batch
from snnc.ir.types import AnyArray, Array, Shape, Signal, TensorType
from snnc.passes.base import Choice, Context, Pass, PerLayer, Stage, layer_keys
from snnc.passes.fuse_linear import fuse_linear
from snnc.progress import progress_bar
from snnc.verify import Check, Finding, Subject

__all__ = [
    "Activation",
    "AnyArray",
    "Array",
    "Backend",
    "Builder",
    "Causal",
    "Check",
    "Choice",
    "Context",
    "DataError",
    "Defaults",
    "Finding",
    "Frontend",
    "FrontendError",
    "Graph",
    "GraphError",
    "ImportOptions",
    "Importer",
    "Layer",
    "Lowering",
    "LoweringError",
    "Lowerings",
    "MissingExtraError",
    "NeuronModel",
    "Neurons",
    "Node",
    "Op",
    "Origin",
    "Pass",
    "PassError",
    "PerLayer",
    "Program",
    "ReadOut",
    "Recording",
    "Role",
    "Shape",
    "ShapeError",
    "Signal",
    "Slot",
    "SnncError",
    "Stage",
    "State",
    "Stateful",
    "Stream",
    "Subject",
    "Synapse",
    "SynapseModel",
    "Target",
    "TensorType",
    "Tolerance",
    "UnsupportedOpError",
    "UsageError",
    "activations",
    "causal",
    "combine",
    "convolve",
    "deferred",
    "evaluate",
    "evaluate_nodes",
    "feed",
    "for_batch",
    "functions",
    "fuse_linear",
    "hookimpl",
    "importer",
    "initial_state",
    "intended",
    "is_temporal",
    "layer_error",
    "layer_keys",
    "lighten",
    "lowering",
    "matmul",
    "matvec",
    "neurons",
    "one_thread",
    "op",
    "ops",
    "progress_bar",
    "readout",
    "recurrent",
    "reduce",
    "require_steps",
    "resample",
    "rewrite",
    "simulate",
    "slices",
    "spiking_pool",
    "transposed",
]
