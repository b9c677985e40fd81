"""The first-party passes, one file each."""

from snnc.passes.base import Pass
from snnc.passes.calibrate_biases import CalibrateBiases
from snnc.passes.calibrate_scales import CalibrateScales
from snnc.passes.carry_changes import CarryChanges
from snnc.passes.carry_means import CarryMeans
from snnc.passes.choose_levels import ChooseLevels
from snnc.passes.choose_thresholds import ChooseThresholds
from snnc.passes.decompose_activations import DecomposeActivations
from snnc.passes.defer_final_activation import DeferFinalActivation
from snnc.passes.drop_final_softmax import DropFinalSoftmax
from snnc.passes.drop_identities import DropIdentities
from snnc.passes.fit_activations import FitActivations
from snnc.passes.fold_batch_norm import FoldBatchNorm
from snnc.passes.fuse_activations import FuseActivations
from snnc.passes.fuse_linear import FuseLinear
from snnc.passes.initial_voltage import InitialVoltage
from snnc.passes.insert_synapses import InsertSynapses
from snnc.passes.max_to_average import MaxToAverage
from snnc.passes.merge_linear import MergeLinear
from snnc.passes.pool_before_activation import PoolBeforeActivation
from snnc.passes.refit_decoders import RefitDecoders
from snnc.passes.scale_rates import ScaleRates
from snnc.passes.spike_between_weights import SpikeBetweenWeights
from snnc.passes.spiking_max_pool import SpikingMaxPooling
from snnc.passes.split_activations import SplitActivations
from snnc.passes.swap_activations import SwapActivations
from snnc.passes.warn_of_collapse import WarnOfCollapse
from snnc.passes.write_scales import WriteScales

BUILTIN: tuple[type[Pass], ...] = (
    SplitActivations,
    DropIdentities,
    DropFinalSoftmax,
    MaxToAverage,
    PoolBeforeActivation,
    FoldBatchNorm,
    FuseLinear,
    FuseActivations,
    DecomposeActivations,
    FitActivations,
    SwapActivations,
    SpikingMaxPooling,
    SpikeBetweenWeights,
    DeferFinalActivation,
    ScaleRates,
    InsertSynapses,
    WarnOfCollapse,
    ChooseLevels,
    ChooseThresholds,
    CalibrateScales,
    InitialVoltage,
    RefitDecoders,
    CalibrateBiases,
    CarryChanges,
    CarryMeans,
    WriteScales,
    MergeLinear,
)
