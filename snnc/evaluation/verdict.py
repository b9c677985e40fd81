"""What an evaluation comes to, in one sentence, and in another where most is lost."""

from __future__ import annotations

from snnc.evaluation.evaluate import Evaluation
from snnc.quantities import number


def verdict(measured: Evaluation) -> str:
    """Return the score beside the model's, after how many steps, at what cost, in one sentence."""
    if measured.silent:
        return (
            f"The network is silent: on {measured.samples:,} samples no spike reaches output {measured.output}, "
            "whatever the input."
        )
    share = measured.measure != "R2"
    ours, theirs = number(measured.score, share=share), number(measured.model_score, share=share)
    words = f"{measured.measure} {ours} after {_steps(measured.steps)}, where the model has {theirs}"
    if measured.accuracy_interval is not None:
        low, high = measured.accuracy_interval
        words += f" (95 % interval of the network: {low:.1%} to {high:.1%})"
    if measured.steps_to_model is None and measured.drop > 1:  # where each step has an answer no step is the first
        words += "; it does not come within 1 point of the model"
    elif measured.steps_to_model is not None and measured.steps_to_model < measured.steps:
        words += f"; it is within 1 point from step {measured.steps_to_model} on"
    if measured.spikes_per_neuron is not None:
        words += f"; {measured.spikes_per_neuron:.3g} spikes a neuron"
    spent = measured.cost
    if spent.energy_model > 0:
        ratio = spent.energy_45nm / spent.energy_model
        words += f", {ratio:.0%} of" if ratio < 2 else f", {ratio:.0f} times"
        words += " the model's energy for operations in 45 nm"
    said = f"On {measured.samples:,} samples: {words}."
    return said if measured.cause is None else f"{said} {measured.cause[0].upper()}{measured.cause[1:]}."


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"
