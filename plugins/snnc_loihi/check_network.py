"""Errors where nengo-loihi would silently build something else."""

from __future__ import annotations

from typing import Any

import nengo
from snnc_nengo.neuron_types import SoftResetIF

from snnc.api import LoweringError
from snnc_loihi.neuron_types import CHIP_TYPES, ChipSoftResetIF


def check_network(network: Any) -> None:
    """Raise LoweringError where nengo-loihi would silently build something else than the network says.

    - A neuron type that nengo-loihi does not know is built as the nearest class that it knows.
    - Every value that is not zero, of neurons on the host, reaches the chip as one spike: rates, two spikes in a step
      and negative spikes.
    - Of two filters into one population the slower one filters both, and neurons whose current integrates lose it.
    """
    config = network.config
    for ensemble in network.all_ensembles:
        if _on_chip(config, ensemble) and type(ensemble.neuron_type) not in CHIP_TYPES:
            raise LoweringError(
                f"layer {ensemble.label!r}: a core cannot be {type(ensemble.neuron_type).__name__} neurons; use "
                "those that the backend chooses"
            )
    taus: dict[Any, set[float]] = {}
    for connection in network.all_connections:
        target = connection.post_obj
        if not (isinstance(target, nengo.ensemble.Neurons) and _on_chip(config, target.ensemble)):
            continue
        _check_source(connection, config)
        taus.setdefault(target, set()).add(0.0 if connection.synapse is None else connection.synapse.tau)
        if len(taus[target]) > 1:
            raise LoweringError(
                f"layer {target.ensemble.label!r} reads through filters of {_times(taus[target])} s, and a core has "
                "one filter; give all its inputs the same --synapse, or let the pass loihi-merge-linear run"
            )


def _check_source(connection: Any, config: Any) -> None:
    source = connection.pre_obj
    name = connection.post_obj.ensemble.label
    if not isinstance(source, nengo.ensemble.Neurons):
        raise LoweringError(
            f"layer {name!r} reads values of {source.label!r} on the host, where a core takes spikes only; let the "
            "passes loihi-encode and loihi-merge-linear run"
        )
    kind = source.ensemble.neuron_type
    sends = _on_chip(config, source.ensemble) or (isinstance(kind, SoftResetIF) and kind.gamma == 1)
    if not sends:
        raise LoweringError(
            f"layer {name!r} reads {type(kind).__name__} neurons of {source.ensemble.label!r} on the host, which do "
            "not send at most one positive spike a step; let the pass loihi-encode run"
        )
    if connection.synapse is not None and isinstance(connection.post_obj.ensemble.neuron_type, ChipSoftResetIF):
        raise LoweringError(
            f"layer {name!r} reads through a filter, which soft-reset neurons of the chip cannot have: their current "
            "integrates; leave --synapse out, or use --neurons loihi-signed-if"
        )
    if not isinstance(connection.synapse, (nengo.Lowpass, type(None))):
        raise LoweringError(f"layer {name!r}: a core filters by a low-pass only; use --synapse SECONDS")


def _on_chip(config: Any, ensemble: Any) -> bool:
    return config[ensemble].on_chip is not False  # nengo-loihi takes what nobody has said anything about


def _times(taus: set[float]) -> str:
    return " and ".join(f"{tau:g}" for tau in sorted(taus))
