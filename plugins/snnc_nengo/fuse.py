"""A network for which Nengo's reference simulator gets fewer and larger operators; its objects are Nengo's own.

Nengo builds a dozen operators for a layer, each of which passes over memory, and computes in every step what never
changes. When our network is built for ``nengo.Simulator``, operators of ours take the place of those whose form is
known. Other simulators, which have models of their own, get Nengo's operators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import nengo
from nengo.builder import Builder, Model
from nengo.builder.network import build_network
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import DotInc
from nengo.builder.processes import SimProcess
from nengo.builder.transforms import ConvInc

from snnc_nengo.find_populations import Uses, changing_operators, find
from snnc_nengo.operators import Correlate, Once, Population, Product, Smooth, is_lowpass


class Network(nengo.Network):
    """A ``nengo.Network`` that ``nengo.Simulator`` runs faster."""


@Builder.register(Network)
def build_fused(model: Any, network: Network, progress: Any = None) -> None:
    """Build a network as Nengo does, and fuse operators where they are for its reference simulator."""
    build_network(model, network, progress=progress)
    if type(model) is Model and model.toplevel is network:
        model.operators[:] = fuse(model.operators)


def fuse(operators: Sequence[Any]) -> list[Any]:
    """Return operators that do the same. What does not look as expected stays as it is.

    Where anything spikes, products are taken in float32, as in the model and in the other simulators of the network.
    """
    uses, changing = Uses(operators), changing_operators(operators)
    single = any(isinstance(operator, SimNeurons) and operator.neurons.spiking for operator in operators)
    made: dict[Any, Any] = {}
    gone: set[Any] = set()
    for operator in operators:
        if isinstance(operator, ConvInc):
            reset = uses.zero(operator.Y, operator)
            if reset is not None and operator.conv.channels_last and operator.W.readonly:
                made[operator] = Correlate(operator, single=single)
                gone.add(reset)
        elif type(operator) is DotInc:  # not one of sparse weights
            reset = uses.zero(operator.Y, operator)
            if reset is not None and operator.A.ndim == 2 and not operator.X.is_view and operator.A.readonly:
                made[operator] = Product(operator, single=single)
                gone.add(reset)
        elif isinstance(operator, SimProcess) and is_lowpass(operator):
            made[operator] = Smooth(operator)
        elif isinstance(operator, SimNeurons) and not operator.state_extra:
            pattern = find([operator], uses, filters=False)
            if pattern is None or not pattern.inflows:
                continue
            if changing.isdisjoint(pattern.used):
                made[operator] = Population(operator, [operator.J], [], None, still=True)
                continue
            xs, gains = zip(*((inflow.x, inflow.gain) for inflow in pattern.inflows), strict=True)
            made[operator] = Population(operator, xs, gains, pattern.bias, still=False)
            gone.update(pattern.used)
    fused = [made.get(operator, operator) for operator in operators if operator not in gone]
    changing = changing_operators(fused)
    return [operator if operator in changing else Once(operator) for operator in fused]
