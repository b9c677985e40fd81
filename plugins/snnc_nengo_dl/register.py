"""Register the builders of our operators with NengoDL."""

from __future__ import annotations

import functools

from nengo_dl.builder import Builder, NengoBuilder
from nengo_dl.process_builders import SimProcessBuilder
from snnc_nengo.neuron_types import ModelSynapse

from snnc_nengo_dl.apply_map import ApplyMap, ApplyMapBuilder, TensorTransform, build_transform
from snnc_nengo_dl.host import SteppedBuilder, SteppedProcess, SynapseBuilder
from snnc_nengo_dl.population import Population, PopulationBuilder
from snnc_nengo_dl.running_sums import Tally, TallyBuilder


@functools.cache
def register() -> None:
    """Add our builders to NengoDL's, once."""
    Builder.register(ApplyMap)(ApplyMapBuilder)
    Builder.register(Population)(PopulationBuilder)
    Builder.register(Tally)(TallyBuilder)
    NengoBuilder.register(TensorTransform)(build_transform)
    SimProcessBuilder.TF_PROCESS_IMPL[SteppedProcess] = SteppedBuilder
    SimProcessBuilder.TF_PROCESS_IMPL[ModelSynapse] = SynapseBuilder
