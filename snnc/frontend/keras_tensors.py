"""The tensors of a Keras model while its graph is built: which node stands for which, and in what order calls go."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from snnc.errors import FrontendError
from snnc.frontend.base import Slot
from snnc.frontend.keras_config import Call, LayerSpec, ModelSpec, Ref, refs
from snnc.frontend.known import Known


class Tensors:
    """The nodes that stand for the tensors of one model."""

    def __init__(self, model: ModelSpec) -> None:
        """Count which calls of each layer the model uses.

        Keras counts the calls of a layer over its whole life, and a file holds those of one model: the k-th smallest
        number in use means the k-th call listed.
        """
        used: dict[str, set[int]] = {}
        calls = [value for spec in model.layers for call in spec.calls for value in (call.args, call.kwargs)]
        for ref in refs([*calls, model.inputs, model.outputs]):
            used.setdefault(ref.layer, set()).add(ref.node)
        self._place = {layer: {node: k for k, node in enumerate(sorted(nodes))} for layer, nodes in used.items()}
        self._nodes: dict[tuple[str, int], Sequence[str | Known]] = {}

    def set(self, layer: str, call: int, nodes: Sequence[str | Known]) -> None:
        """Note the outputs of a call."""
        self._nodes[layer, call] = nodes

    def in_order(self, model: ModelSpec) -> Iterator[tuple[LayerSpec, int]]:
        """Yield the calls in stored order, but none before those that it reads; the caller sets what they give."""
        calls = [(spec, k) for spec in model.layers for k in range(len(spec.calls))]
        missing = [{self._key(ref) for ref in refs((s.calls[k].args, s.calls[k].kwargs))} for s, k in calls]
        readers: dict[tuple[str, int], list[int]] = {}
        for place, keys in enumerate(missing):
            keys.difference_update(self._nodes)
            for key in keys:
                readers.setdefault(key, []).append(place)
        ready = [place for place, keys in enumerate(missing) if not keys]
        while ready:
            spec, k = calls[heapq.heappop(ready)]
            yield spec, k
            for place in readers.get((spec.name, k), ()):
                missing[place].discard((spec.name, k))
                if not missing[place]:
                    heapq.heappush(ready, place)
        blocked = [calls[place][0].name for place, keys in enumerate(missing) if keys]
        if blocked:
            names = ", ".join(map(repr, blocked[:5]))
            raise FrontendError(f"model {model.name!r}: the inputs of layer(s) {names} come from nowhere")

    def node(self, ref: Ref) -> str:
        """Return the node of a tensor that must depend on the model's inputs."""
        found = self.get(ref)
        if isinstance(found, Known):
            raise FrontendError(f"the model reads {ref.layer!r} as a tensor, which does not depend on its inputs")
        return found

    def get(self, ref: Ref) -> str | Known:
        """Return the node of a tensor, or its value where that is known."""
        nodes = self._nodes.get(self._key(ref), ())
        if ref.index >= len(nodes):
            raise FrontendError(f"the model reads output {ref.index} of layer {ref.layer!r}, which has {len(nodes)}")
        return nodes[ref.index]

    def _key(self, ref: Ref) -> tuple[str, int]:
        return ref.layer, self._place[ref.layer][ref.node]


def with_slots(value: Any, tensors: Tensors, inputs: list[str]) -> Any:
    """Return a call's argument with ``Slot`` for each tensor, whose node is added to ``inputs``, or what is known."""
    if isinstance(value, Ref):
        found = tensors.get(value)
        if isinstance(found, Known):
            return found.value
        inputs.append(found)
        return Slot(len(inputs) - 1)
    if isinstance(value, Mapping):
        return {key: with_slots(value[key], tensors, inputs) for key in sorted(value)}
    return [with_slots(v, tensors, inputs) for v in value] if isinstance(value, list) else value


def model_inputs(spec: LayerSpec, call: Call, tensors: Tensors) -> list[str]:
    """Return the nodes that a nested model reads, in the order of its inputs."""
    assert spec.model is not None
    given, wanted = call.args[0] if call.args else None, spec.model.inputs
    if isinstance(given, Mapping) and isinstance(wanted, list):  # by the names of the input layers
        names = [ref.layer for ref in refs(wanted)]
        given = [given[name] for name in names] if set(given) == set(names) else given
    found = [tensors.node(ref) for ref in refs(given)]
    if len(found) != len(list(refs(wanted))):
        raise FrontendError(
            f"layer {spec.name!r} ({spec.class_name}): a model of {len(list(refs(wanted)))} input(s) is called with "
            f"{len(found)}"
        )
    return found
