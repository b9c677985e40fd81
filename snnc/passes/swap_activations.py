"""Put neurons in the place of activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from snnc.errors import UsageError
from snnc.ir.graph import Graph
from snnc.ir.node import Node
from snnc.neurons import NeuronModel, Neurons, Wrapping
from snnc.neurons.integrate_and_fire import BASES, Regular
from snnc.ops.activations import Activation, SpikingActivation
from snnc.ops.read_out_activation import ReadOutActivation, take_back
from snnc.passes.base import Choice, Context, Pass, Stage, layer_keys
from snnc.text_form import build_record

DEFAULT = "spiking-relu"
AnyNeurons: TypeAlias = str | NeuronModel | Mapping[str, str | NeuronModel]
"""A neuron model or its text, for all layers, or by layer and activation with ``"*"`` for the rest."""
KEEP = "none"
"""The choice that leaves an activation as it is, on the host."""


@dataclass(frozen=True)
class SwapActivations(Pass):
    """Swap each activation for a population of neurons that can stand for it.

    ``neurons`` is a neuron model such as ``lif{tau_rc=0.05}``, for all layers or by layer or activation name (the
    rest is ``spiking-relu`` then); ``none`` keeps an activation. What no chosen model can replace takes the rate
    neuron of its own name where there is one (sigmoid, tanh) and else stays on the host, with a note. What is left to
    the read-out gets neurons only where they are chosen for it by its name.

    Before::

        %x = input() {shape=(6,6,4)} : rate[6,6,4]
        %conv = relu(%x) : rate[6,6,4]

    After::

        %conv = neurons(%x) {model=spiking-relu} : spikes[6,6,4]
    """

    name: ClassVar[str] = "swap-activations"
    stage: ClassVar[Stage] = Stage.SPIKE
    arguments: ClassVar[tuple[str, ...]] = ("neurons",)
    after: ClassVar[tuple[str, ...]] = ("decompose-activations", "fit-activations")
    default: ClassVar[bool] = True
    neurons: AnyNeurons = DEFAULT

    def apply(self, graph: Graph, context: Context) -> None:
        nodes, final = graph.nodes(Activation), _final(graph)
        models = ChosenModels(self.neurons, context)
        spiking = {key for node in graph.nodes(Neurons) for key in layer_keys(node.origin.layers, node.name)}
        models.choice.require_known(
            {key for node, op in (*((n, n.op) for n in nodes), *final) for key in _keys(node, op)} | spiking
        )
        for node, activation in final:
            key, model = models.of(node, activation)
            if key != "*" and model is not None:
                take_back(graph, node.name)
        nodes, kept = graph.nodes(Activation), []
        for node in nodes:
            key, model = models.of(node, node.op)
            swapped = None if model is None else _choose(node, model, key, context)
            if swapped is None:
                if not isinstance(model, Wrapping):  # it is computed of what has arrived at such neurons
                    kept.append(node)
                continue
            graph.replace(node.name, Neurons(model=swapped, scale=swapped.unit_scale))
            if not swapped.matches_activation:
                context.note(
                    f"{swapped.kind} neurons stand for {node.op.kind} only approximately; calibrate or scale up"
                )
        _tell(kept, nodes, len(kept) == len(nodes) and bool(nodes or final) and not spiking, context)


def _final(graph: Graph) -> list[tuple[Node, Activation]]:
    """Return the activations that are left to the read-out."""
    nodes = graph.nodes(ReadOutActivation)
    return [(node, op) for node in nodes if isinstance(op := node.op.activation, Activation)]


def _keys(node: Node, activation: Activation) -> tuple[str, ...]:
    return (*layer_keys(node.origin.layers, node.name), activation.kind)


class ChosenModels:
    """The neuron model that was chosen for each activation."""

    def __init__(self, neurons: AnyNeurons, context: Context) -> None:
        """Build the models of an option ``neurons``; raise UsageError for what is none."""
        chosen = neurons if isinstance(neurons, Mapping) else {"*": neurons}
        self.choice = Choice("neurons", {"*": DEFAULT, **chosen})
        self._models = {
            key: None if value in (None, KEEP) else build_record(context.neurons, "neuron", value)
            for key, value in self.choice.items()
        }

    @property
    def default(self) -> NeuronModel | None:
        """Return the model of what is not named, if there is one."""
        return self._models["*"]

    def of(self, node: Node, activation: Activation) -> tuple[str, NeuronModel | None]:
        """Return the key under which an activation is meant, ``"*"`` for the rest, and the model, if there is one."""
        key = self.choice.key(*_keys(node, activation)) or "*"
        return key, self._models[key]


def _choose(node: Node[Activation], model: NeuronModel, key: str, context: Context) -> NeuronModel | None:
    activation = node.op
    pulsed = isinstance(activation, SpikingActivation)
    if isinstance(activation, SpikingActivation):
        activation = activation.activation
    if model.can_replace(activation):
        return model.replacing(activation)
    if key != "*":
        able = [k for k, cls in context.neurons.items() if _represents(cls, activation)]
        raise UsageError(
            f"neurons: {model.kind!r} cannot stand for the activation {activation.kind} of "
            f"layer {node.name!r}; {'possible: ' + ', '.join(able) if able else 'no neuron can'}, or none to keep it"
        )
    if pulsed and model.spiking and activation.kind in BASES:
        return Regular(base=activation.kind, max_rate=1.0)  # type: ignore[arg-type]  # a key of BASES
    own = context.neurons.get(activation.kind)
    return own() if own is not None and _represents(own, activation) else None


def _represents(cls: type[NeuronModel], activation: Activation) -> bool:
    return cls().can_replace(activation)


def _tell(kept: Sequence[Node], nodes: Sequence[Node], none: bool, context: Context) -> None:
    if kept:
        rows = ", ".join(f"{node.name} ({node.op.kind})" for node in kept)
        context.note(f"{len(kept)} of {len(nodes)} activations stay on the host, without neurons: {rows}")
    if none:
        context.note("no activation was swapped for neurons")
