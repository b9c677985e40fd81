"""Everything that a plugin may import, and nothing else."""

from snnc.backend import (
    Backend,
    Lowering,
    Lowerings,
    Program,
    Recording,
    Target,
    Tolerance,
    lowering,
    readout_window,
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
from snnc.frontend.base import Builder, Frontend, Importer, ImportOptions, Layer, Role, importer, layer_error
from snnc.hooks import hookimpl
from snnc.ir import activations, convolve, neurons, ops
from snnc.ir.activations import Activation
from snnc.ir.evaluate import evaluate, evaluate_nodes, feed
from snnc.ir.graph import Graph, Node, Origin, rewrite
from snnc.ir.neurons import NeuronModel, Neurons, Synapse, SynapseModel
from snnc.ir.op import Op, op
from snnc.ir.types import AnyArray, Array, Shape, Signal, TensorType
from snnc.passes.base import Choice, Context, Pass, PerLayer, Stage, layer_keys
from snnc.verify import Check, Finding, Subject

__all__ = [
    "Activation",
    "AnyArray",
    "Array",
    "Backend",
    "Builder",
    "Check",
    "Choice",
    "Context",
    "DataError",
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
    "Recording",
    "Role",
    "Shape",
    "ShapeError",
    "Signal",
    "SnncError",
    "Stage",
    "Subject",
    "Synapse",
    "SynapseModel",
    "Target",
    "TensorType",
    "Tolerance",
    "UnsupportedOpError",
    "UsageError",
    "activations",
    "convolve",
    "evaluate",
    "evaluate_nodes",
    "feed",
    "hookimpl",
    "importer",
    "layer_error",
    "layer_keys",
    "lowering",
    "neurons",
    "op",
    "ops",
    "readout_window",
    "rewrite",
]
