"""The first-party passes, one file each."""

from snnc.passes.base import Pass
from snnc.passes.decompose_activations import DecomposeActivations
from snnc.passes.drop_final_softmax import DropFinalSoftmax
from snnc.passes.drop_identities import DropIdentities
from snnc.passes.fold_batch_norm import FoldBatchNorm
from snnc.passes.fuse_linear import FuseLinear
from snnc.passes.insert_synapses import InsertSynapses
from snnc.passes.scale_rates import ScaleRates
from snnc.passes.split_activations import SplitActivations
from snnc.passes.swap_activations import SwapActivations

BUILTIN: tuple[type[Pass], ...] = (
    SplitActivations,
    DropIdentities,
    DropFinalSoftmax,
    FoldBatchNorm,
    FuseLinear,
    DecomposeActivations,
    SwapActivations,
    ScaleRates,
    InsertSynapses,
)
