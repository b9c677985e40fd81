"""What the NengoDL Converter makes of a Keras model, by hand-set numbers, as its tutorial goes about it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import nengo
import nengo_dl
import numpy as np
import tensorflow as tf

PROBED = 1 << 26
"""Values that probes may hold at a time: neurons times steps times images."""


@dataclass
class Answers:
    """What a network answered."""

    classes: np.ndarray
    """``(images, steps)``: of the output of each step, as the tutorial reads the last."""
    spikes: float
    """Spikes per image."""
    neurons: int


def functional(file):
    """Return the model of a file; the Converter rebuilds a Sequential and then does not know its tensors any more."""
    loaded = tf.keras.models.load_model(file, compile=False)
    return tf.keras.Model(loaded.inputs, loaded.outputs)


def answers(model, x, steps, *, scale=1, synapse=None, spiking=True, most=50):
    """Return the answers of the Converter's network in NengoDL.

    Args:
        model: a functional Keras model with one input.
        x: images.
        steps: how many steps of a millisecond each is shown.
        scale: of the firing rates.
        synapse: seconds of the low-pass behind each population, and on the output.
        spiking: whether ReLUs become spiking neurons.
        most: images at a time.
    """
    swap = {}
    if spiking:
        swap = {relu: nengo.SpikingRectifiedLinear() for relu in (tf.keras.activations.relu, tf.nn.relu)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = nengo_dl.Converter(
            model, swap_activations=swap, scale_firing_rates=scale, synapse=synapse, inference_only=True
        )
    output = converter.outputs[model.outputs[0]]
    populations = [e for e in converter.net.all_ensembles if isinstance(e.neuron_type, nengo.SpikingRectifiedLinear)]
    neurons = sum(e.n_neurons for e in populations)
    with converter.net:
        nengo_dl.configure_settings(stateful=False)
        converter.net.seed = 0
        probes = [nengo.Probe(e.neurons) for e in populations]
    batch = max(
        d for d in range(1, most + 1) if len(x) % d == 0 and d * steps * neurons <= max(PROBED, steps * neurons)
    )
    chosen, spikes = [], 0.0
    with nengo_dl.Simulator(converter.net, minibatch_size=batch, progress_bar=False) as sim:
        for start in range(0, len(x), batch):
            shown = np.tile(x[start : start + batch].reshape(batch, 1, -1), (1, steps, 1))
            data = sim.predict({converter.inputs[model.inputs[0]]: shown}, verbose=0)
            chosen.append(data[output].argmax(-1))
            # a spike is 1 / dt / scale high
            spikes += sum(float(data[probe].sum()) for probe in probes) * 0.001 * scale
    return Answers(np.concatenate(chosen), spikes / len(x), neurons)
