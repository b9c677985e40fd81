"""What an evaluation says of why a network is worse than its model: the layer that loses most, how, and what helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from snnc.evaluation.layers import LayerEvaluation

MATTERS = 0.05
"""The error from which on a cause is worth naming."""
DROPPED = 1.0
"""The points below the model from which on a network is worse."""
REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "clipping": "a smaller --scale, or neurons that send more spikes a step (gamma)",
        "quantisation": "more --steps, or a larger --scale",
        "weights": "weights of one size: train with weight decay",
        "timing": "more --steps",
    }
)


def cause(layers: Sequence[LayerEvaluation], drop: float, remedies: Mapping[str, str]) -> str | None:
    """Return a line about what loses most, or None where the network is as good as the model or nothing stands out.

    Args:
        layers: in topological order.
        drop: by how many points the network is below the model.
        remedies: what helps against a part, by its name, in place of what does in general.
    """
    if drop <= DROPPED:
        return None
    found = [(error, row.layer, part) for row in layers for part, error in parts(row).items()]
    late = 0.0
    for row in layers:  # of what has come together, the layer where it grows
        if row.timing is not None:
            found.append((row.timing - late, row.layer, "timing"))
            late = max(late, row.timing)
    error, layer, part = max(found, default=(0.0, "", ""), key=lambda each: each[0])
    if error < MATTERS:
        return None
    helps = {**REMEDIES, **remedies}.get(part)
    return f"layer {layer!r} loses most, {error:.0%} of its activations by {part}" + (f"; try {helps}" if helps else "")


def parts(row: LayerEvaluation) -> dict[str, float]:
    """Return what a layer loses alone, by name."""
    alone = {"clipping": row.clipping, "quantisation": row.quantisation}
    return {**{name: error for name, error in alone.items() if error is not None}, **row.lost}


def lost_names(layers: Sequence[LayerEvaluation]) -> tuple[str, ...]:
    """Return the names of what only some networks lose, in the order of their columns."""
    return tuple(dict.fromkeys(name for row in layers for name in row.lost))
