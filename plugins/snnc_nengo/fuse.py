"""A network for which Nengo's reference simulator gets fewer and larger operators; its objects are Nengo's own.

Nengo builds a dozen operators for a layer, each of which passes over memory, and computes in every step what never
changes. When ``nengo.Simulator`` builds our network, operators of ours take the place of those whose form is known.
Other simulators know Nengo's operators only, whatever they build into, and get these: as sparse matrices the
convolutions of forms that Nengo got late or that are rarely used, which NengoOCL computes wrongly without a word.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import nengo
import numpy as np
from nengo.builder import Builder, Model, Signal
from nengo.builder.network import build_network
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import DotInc, SparseDotInc
from nengo.builder.processes import SimProcess
from nengo.builder.transforms import ConvInc

from snnc.api import ops
from snnc_nengo.find_populations import Uses, changing_operators, find
from snnc_nengo.geometry import conv_matrix
from snnc_nengo.operators import Correlate, Once, Population, Product, Smooth, is_lowpass


class Network(nengo.Network):
    """A ``nengo.Network`` that ``nengo.Simulator`` runs faster."""


@Builder.register(Network)
def build_fused(model: Any, network: Network, progress: Any = None) -> None:
    """Build a network as Nengo does, then fuse operators for its reference simulator, and write others plainly."""
    build_network(model, network, progress=progress)
    if not _for_reference_simulator():
        write_plainly(model, network)
    elif type(model) is Model and model.toplevel is network:
        model.operators[:] = fuse(model.operators)


def write_plainly(model: Any, network: nengo.Network) -> None:
    """Make convolutions with groups, or with other padding in front than behind, products with sparse matrices."""
    weights = {model.sig[connection].get("weights"): model.sig[connection] for connection in network.all_connections}
    for i, operator in enumerate(model.operators):
        if isinstance(operator, ConvInc) and operator.W in weights and (matrix := _needed_matrix(operator)) is not None:
            signal = Signal(matrix, name=operator.W.name, readonly=True)
            model.operators[i] = SparseDotInc(signal, operator.X, operator.Y, tag=operator.tag)
            weights[operator.W]["weights"] = signal


def _needed_matrix(operator: ConvInc) -> Any:
    """Return the matrix of a convolution of a form that few simulators know, None for any other."""
    if not operator.conv.channels_last:
        return None
    kernel, strides = operator.W.initial_value.astype(np.float32), tuple(operator.conv.strides)
    conv = ops.Conv(
        kernel=kernel,
        bias=np.zeros(kernel.shape[-1], dtype=np.float32),
        strides=strides,
        dilation=(1,) * len(strides),
        padding=operator.conv.padding,
        groups=operator.conv.groups,
    )
    shape = operator.conv.input_shape.shape
    even = all(before == after for before, after in conv.pads(shape[:-1]))
    return None if conv.groups == 1 and even else conv_matrix(conv, shape).matrix


def _for_reference_simulator() -> bool:
    """Return whether a ``nengo.Simulator``, none that extends it, builds: only its call says so, the model does not."""
    frame: Any = sys._getframe()
    while frame is not None and frame.f_code is not nengo.Simulator.__init__.__code__:
        frame = frame.f_back
    return frame is not None and type(frame.f_locals["self"]) is nengo.Simulator


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
