"""Everything that a plugin may import, and nothing else, by tiers: docs/api.md, which is made from this file."""

from snnc import limits, neurons, ops
from snnc.analysis import linear_maps
from snnc.analysis.census import census
from snnc.analysis.decoders import decoder_of, refitted, samples_for
from snnc.analysis.ideal_rates import with_ideal_rates
from snnc.analysis.op_matrix import movement_matrix, op_matrix
from snnc.analysis.stored import StoredInput
from snnc.backend import Backend, Defaults, Tolerance, require_none
from snnc.engine.answers import decode, finish_each
from snnc.engine.presentation import is_temporal, presentation
from snnc.engine.rate import evaluate, evaluate_nodes, validated_inputs
from snnc.engine.read_out import LastReadOut, LowPassReadOut, MeanReadOut, ReadOut
from snnc.engine.recording import Recording
from snnc.engine.schedule import schedule
from snnc.engine.simulate import External, Stepper, as_run, initial_state, present, simulate
from snnc.errors import (
    DataError,
    FileError,
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
from snnc.export import WRITTEN_BY, Exporter, Network
from snnc.files import npz_bytes, read_npz
from snnc.frontend.base import Builder, Frontend, Importer, ImportOptions, Layer, Role, Slot, importer, layer_error
from snnc.frontend.hdf5 import SafeHdf5
from snnc.hooks import hookimpl
from snnc.ir.graph import Graph
from snnc.ir.made_for import MadeFor
from snnc.ir.namespace import NUMPY, Namespace
from snnc.ir.node import Node, Origin
from snnc.ir.op import Op, op
from snnc.ir.rewrite import rewrite
from snnc.ir.store import Kinds, graph_from_text, graph_text, op_from_text, op_text
from snnc.ir.types import AnyArray, Array, Shape, Signal, TensorType
from snnc.lowering import Lowering, LoweringContext, Lowerings, lowering
from snnc.neurons import NeuronModel, Neurons, Synapse, SynapseModel
from snnc.ops.activations import Activation
from snnc.ops.kernels import convolve
from snnc.ops.kernels.blas import matmul, matvec, one_thread
from snnc.ops.read_out_activation import numbered_tail, read_out_tail, read_values, stepwise
from snnc.ops.reduce import with_batch
from snnc.ops.resample import interpolation_matrix
from snnc.ops.stateful import Causal, RandomStream, State, Stateful, for_batch
from snnc.outputs import MARK
from snnc.passes.base import Choice, Context, Pass, PerLayer, Stage, layer_keys
from snnc.passes.fuse_linear import fuse_linear
from snnc.passes.merge_linear import MergeLinear
from snnc.passes.swap_activations import AnyNeurons, ChosenModels
from snnc.passes.write_scales import WriteScales
from snnc.processes import in_processes
from snnc.program import CoreUse, Program
from snnc.progress import progress_bar
from snnc.text_form import read_out_of

__all__ = [
    "NUMPY",
    "Activation",
    "AnyArray",
    "Array",
    "Causal",
    "DataError",
    "FileError",
    "Graph",
    "GraphError",
    "Namespace",
    "NeuronModel",
    "Neurons",
    "Node",
    "Op",
    "Origin",
    "RandomStream",
    "Shape",
    "ShapeError",
    "Signal",
    "SnncError",
    "State",
    "Stateful",
    "Synapse",
    "SynapseModel",
    "TensorType",
    "UsageError",
    "census",
    "evaluate",
    "evaluate_nodes",
    "hookimpl",
    "neurons",
    "op",
    "ops",
    "rewrite",
    "simulate",
]
"""Graph. The graph, its ops and neurons, numbers, and errors: what every plugin handles. Promised."""

__all__ += [
    "Check",
    "Choice",
    "Context",
    "Finding",
    "MergeLinear",
    "Pass",
    "PassError",
    "PerLayer",
    "Stage",
    "Subject",
    "WriteScales",
    "layer_keys",
]
"""Passes. Passes, which rewrite a graph, and checks, which add findings to a verify report. Promised."""

__all__ += [
    "Builder",
    "Frontend",
    "FrontendError",
    "ImportOptions",
    "Importer",
    "Layer",
    "MadeFor",
    "Role",
    "Slot",
    "importer",
    "layer_error",
]
"""Frontend. Importers, each of one layer of a source model, and the frontends that they belong to. Promised."""

__all__ += [
    "Backend",
    "CoreUse",
    "Defaults",
    "Exporter",
    "LastReadOut",
    "LowPassReadOut",
    "Lowering",
    "LoweringContext",
    "LoweringError",
    "Lowerings",
    "MeanReadOut",
    "MissingExtraError",
    "Network",
    "Program",
    "ReadOut",
    "Recording",
    "StoredInput",
    "Tolerance",
    "UnsupportedOpError",
    "as_run",
    "initial_state",
    "is_temporal",
    "linear_maps",
    "lowering",
    "movement_matrix",
    "op_matrix",
    "presentation",
    "validated_inputs",
]
"""Backend. Backends, their lowerings, the programs that they make of graphs, and file formats. Promised."""

__all__ += [
    "MARK",
    "WRITTEN_BY",
    "AnyNeurons",
    "ChosenModels",
    "External",
    "Kinds",
    "SafeHdf5",
    "Stepper",
    "convolve",
    "decode",
    "decoder_of",
    "finish_each",
    "for_batch",
    "fuse_linear",
    "graph_from_text",
    "graph_text",
    "in_processes",
    "interpolation_matrix",
    "limits",
    "matmul",
    "matvec",
    "npz_bytes",
    "numbered_tail",
    "one_thread",
    "op_from_text",
    "op_text",
    "present",
    "progress_bar",
    "read_npz",
    "read_out_of",
    "read_out_tail",
    "read_values",
    "refitted",
    "require_none",
    "samples_for",
    "schedule",
    "stepwise",
    "with_batch",
    "with_ideal_rates",
]
"""First-party. What the backends that come with snnc share with it. No promise: it may change or go in any release."""
