"""Lowerings of the ops that only this backend has; all others are built as for Nengo."""

from __future__ import annotations

import numpy as np
from snnc_nengo.lowering import population as host_population
from snnc_nengo.site import Lowered, Site

from snnc.api import Neurons, initial_state, lowering
from snnc_loihi.models import ON_CHIP, LoihiEncoder
from snnc_loihi.ops import ChipOutput


@lowering("loihi", ChipOutput)
def received(op: ChipOutput, site: Site) -> Lowered:
    """Make a node on the host: the chip's connections to it know no other transform than a matrix."""
    return site.host(op)


@lowering("loihi", Neurons)
def population(op: Neurons, site: Site) -> Lowered:
    """Make an ensemble of the chip, or for an encoder or another model, one of the host."""
    import nengo
    from snnc_nengo.neuron_types import SoftResetIF

    from snnc_loihi.neuron_types import chip_type

    if isinstance(op.model, ON_CHIP):
        kind = chip_type(op.model)
    elif isinstance(op.model, LoihiEncoder):
        start = {k: v.ravel() for k, v in initial_state(site.node, site.inputs, site.seed).items()}
        kind = SoftResetIF(gamma=1, initial_state=start)
    else:
        lowered: Lowered = host_population.function(op, site)
        return lowered
    size = site.output.size
    ensemble = nengo.Ensemble(
        size,
        1,
        neuron_type=kind,
        gain=np.full(size, op.model.gain / float(np.max(op.scale))),
        bias=(op.model.offset + op.model.gain * site.constants[0] / float(np.max(op.scale))).ravel(),
        label=site.name,
    )
    return site.placed(ensemble.neurons)


LOWERINGS = [received, population]
