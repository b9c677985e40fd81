"""Tensors that Keras 2 does not write down: those of ``tf.einsum(equation, *tensors)``, any number of them.

The config of such a call holds the equation alone. But in a model every tensor is read, or is an output: one that
nobody reads is read by that call, and the layers behind it have weights that fit one way of reading alone, or the model
is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import islice, product
from typing import Any

import numpy as np

from snnc.frontend.keras_config import Call, ModelSpec, Ref, refs

LOSING = ("tf.einsum", "tf.linalg.einsum")
MOST = 256
"""Ways that are tried."""


def ways_to_read(model: ModelSpec) -> Iterator[ModelSpec]:
    """Yield the model with each choice of tensors for the call that lost them; a model that lost none as it is."""
    lost = [spec for spec in model.layers if spec.class_name in LOSING and any(_lost(call) for call in spec.calls)]
    if len(lost) != 1 or len(lost[0].calls) != 1:
        yield model
        return
    (spec,) = lost
    calls = [call for layer in model.layers for call in layer.calls]
    used = {ref.layer: ref for ref in refs([*((c.args, c.kwargs) for c in calls), model.outputs])}
    before = model.layers[: model.layers.index(spec)]
    tensors = [used.get(layer.name, Ref(layer.name, 0, 0)) for layer in before if len(layer.calls) <= 1]
    unread = {ref for ref in tensors if ref.layer not in used}
    equation = spec.calls[0].args[0]
    ways = (way for way in product(tensors, repeat=equation.count(",") + 1) if unread.issubset(way))
    for way in islice(ways, MOST):
        found = replace(spec, calls=(Call((equation, *way)),))
        yield replace(model, layers=tuple(found if layer is spec else layer for layer in model.layers))


def written_down(config: Any, model: Any) -> Any:
    """Return the config of a model in memory with the tensors that such calls read, which its layers still know.

    Args:
        config: what ``get_config`` gave.
        model: a functional model of Keras 2; for any other the config is returned as it is.

    """
    network = getattr(model, "_network_nodes", None)
    if network is None or not isinstance(config, dict):
        return config
    layers = {layer.name: layer for layer in model.layers}
    documents = [_with_tensors(d, layers.get(d.get("name")), network) for d in config.get("layers", ())]
    return {**config, "layers": documents}


def _with_tensors(document: Any, layer: Any, network: Collection[str]) -> Any:
    if hasattr(layer, "_network_nodes"):
        return {**document, "config": written_down(document["config"], layer)}
    inside = document["config"].get("layer")
    if isinstance(inside, dict) and hasattr(layer, "layer"):  # a wrapper
        return {**document, "config": {**document["config"], "layer": _with_tensors(inside, layer.layer, network)}}
    if f"tf.{document['config'].get('function')}" not in LOSING:
        return document
    equation, *tensors = layer.inbound_nodes[0].call_args

    def value(tensor: Any) -> Any:
        found = getattr(tensor, "_keras_history", None)
        if found is None:
            return np.asarray(tensor).tolist()
        number = sum(f"{found.layer.name}_ib-{k}" in network for k in range(found.node_index))
        return [found.layer.name, number, found.tensor_index]

    return {**document, "inbound_nodes": [["_CONSTANT_VALUE", -1, equation, {"inputs": list(map(value, tensors))}]]}


def _lost(call: Call) -> bool:
    return len(call.args) == 1 and isinstance(call.args[0], str) and not any(refs((call.args, call.kwargs)))
