"""Everything that a plugin may import, and nothing else."""

from snnc import neurons, ops
from snnc.analysis import linear_maps
from snnc.analysis.census import census
from snnc.analysis.ideal_rates import with_ideal_rates
from snnc.analysis.op_matrix import movement_matrix, op_matrix
from snnc.backend import (
    Backend,
    Defaults,
    Lowering,
    LoweringContext,
    Lowerings,
    Program,
    Recording,
    Tolerance,
    lowering,
)
from snnc.engine.move_filters import move_filters
from snnc.engine.rate import evaluate, evaluate_nodes, validated_inputs
from snnc.engine.read_out import LastReadOut, LowPassReadOut, MeanReadOut, ReadOut
from snnc.engine.simulate import initial_state, simulate
from snnc.engine.temporal import is_temporal, require_steps
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
from snnc.evaluation.verify import Check, Finding, Subject
from snnc.frontend.base import Builder, Frontend, Importer, ImportOptions, Layer, Role, Slot, importer, layer_error
from snnc.hooks import hookimpl
from snnc.ir.graph import Graph, rewrite
from snnc.ir.node import Node, Origin
from snnc.ir.op import Op, op
from snnc.ir.types import AnyArray, Array, Shape, Signal, TensorType
from snnc.neurons import NeuronModel, Neurons, Synapse, SynapseModel
from snnc.ops.activations import Activation
from snnc.ops.kernels import convolve
from snnc.ops.kernels.blas import matmul, matvec, one_thread
from snnc.ops.reduce import with_batch
from snnc.ops.resample import interpolation_matrix
from snnc.ops.stateful import Causal, RandomStream, State, Stateful, for_batch
from snnc.passes.base import Choice, Context, Pass, PerLayer, Stage, layer_keys
from snnc.passes.fuse_linear import fuse_linear
from snnc.passes.merge_linear import MergeLinear
from snnc.passes.write_scales import WriteScales
from snnc.progress import progress_bar

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
    "LastReadOut",
    "Layer",
    "LowPassReadOut",
    "Lowering",
    "LoweringContext",
    "LoweringError",
    "Lowerings",
    "MeanReadOut",
    "MergeLinear",
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
    "RandomStream",
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
    "Subject",
    "Synapse",
    "SynapseModel",
    "TensorType",
    "Tolerance",
    "UnsupportedOpError",
    "UsageError",
    "WriteScales",
    "census",
    "convolve",
    "evaluate",
    "evaluate_nodes",
    "for_batch",
    "fuse_linear",
    "hookimpl",
    "importer",
    "initial_state",
    "interpolation_matrix",
    "is_temporal",
    "layer_error",
    "layer_keys",
    "linear_maps",
    "lowering",
    "matmul",
    "matvec",
    "move_filters",
    "movement_matrix",
    "neurons",
    "one_thread",
    "op",
    "op_matrix",
    "ops",
    "progress_bar",
    "require_steps",
    "rewrite",
    "simulate",
    "validated_inputs",
    "with_batch",
    "with_ideal_rates",
]
