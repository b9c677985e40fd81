"""Train the example network in NengoDL to fire at 250 Hz, take it back, and compile it to reference Nengo.

As in NengoDL's Keras-to-SNN tutorial, with a loss on the outputs and one on the rates of the neurons; here on the mean
rate of a layer, which leaves its neurons free to differ. Needs the environment of ``make test``:
``.venv-test/bin/python examples/mnist/rates_in_nengo_dl.py --data mnist.npz``.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from train import HERE, SEED, SHARED, Digits, load

import snnc

LAYERS = ("conv1", "conv2")
SCALE = 500.0
"""Hz for an activation of 1."""
NEURONS = "soft-reset-if{gamma=16}"
"""Up to 16 spikes a step, for the neurons that fire at more than 1000 Hz."""
BATCH = 50


def train(c: snnc.Compiled, digits: Digits, target: float, weight: float, epochs: int) -> snnc.Compiled:
    """Return the compilation with the weights that NengoDL has trained.

    Args:
        c: a compilation for nengo-dl.
        digits: what to train on; a multiple of the batch.
        target: mean firing rate of the neurons of a hidden layer in Hz.
        weight: of the squared distance of a layer's mean rate to the target, where a distance of ``SCALE`` Hz is 1.
        epochs: how often every digit is shown.
    """
    import nengo
    import nengo_dl

    x, y = digits
    output, image = c.network.probes[0], c.network_map["image"]
    with c.network:
        rates = [nengo.Probe(c.network_map[layer]) for layer in LAYERS]
    # a spike is worth 1 / SCALE here, so that the probes show activations: rates in Hz over SCALE
    wanted = {probe: np.broadcast_to(np.float32(target / SCALE), (len(x), 1, probe.size_in)) for probe in rates}

    def distance(wanted: tf.Tensor, shown: tf.Tensor) -> tf.Tensor:
        return tf.square(tf.reduce_mean(shown) - tf.reduce_mean(wanted))

    with nengo_dl.Simulator(c.network, minibatch_size=BATCH, progress_bar=False) as sim:
        sim.compile(
            optimizer=tf.optimizers.Adam(tf.optimizers.schedules.CosineDecay(1e-3, epochs * len(x) // BATCH)),
            loss={output: tf.losses.SparseCategoricalCrossentropy(from_logits=True), **dict.fromkeys(rates, distance)},
            loss_weights={output: 1.0, **dict.fromkeys(rates, weight)},
        )
        targets = {output: y.reshape(-1, 1, 1), **wanted}
        sim.fit({image: x.reshape(len(x), 1, -1)}, targets, epochs=epochs, verbose=2)
        return c.absorb(sim)


def report(what: str, model: object, shown: Digits, steps: int) -> None:
    """Print how a model does as a spiking network in Nengo."""
    c = snnc.compile(model, backend="nengo", neurons=NEURONS, scale=SCALE, steps=steps, verify=False)
    found = c.evaluate(*shown)
    rates = ", ".join(f"{layer} {found.rates[layer]:.0f} Hz" for layer in LAYERS)
    print(
        f"{what}, {steps} steps: accuracy {found.accuracy:.2%} (the model {found.model_accuracy:.2%}), {rates}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, take back, compile, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "mnist.npz", help="MNIST as Keras gives it out")
    parser.add_argument("--digits", type=int, default=60_000, help="how many to train on")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--target", type=float, default=250.0, help="Hz")
    parser.add_argument("--weight", type=float, default=16.0, help="of the rates in the loss")
    parser.add_argument("--out", type=Path, help="folder for the trained compilation")
    options = parser.parse_args(arguments)

    warnings.simplefilter("ignore")  # NengoDL's, about versions and graphics cards
    (x, y), held_out = load(options.data)
    count = min(options.digits, len(x)) // BATCH * BATCH
    shown = (held_out[0][::20], held_out[1][::20])
    tf.keras.utils.set_random_seed(SEED)
    model = HERE / "mnist_cnn.keras"
    c = snnc.compile(model, backend="nengo-dl", neurons=NEURONS, scale=SCALE, verify=False)
    trained = train(c, (x[:count], y[:count]), options.target, options.weight, options.epochs)
    for steps in (10, 30):
        report("as it was", model, shown, steps)
        report(f"trained to {options.target:g} Hz", trained.source, shown, steps)
    print(f"rewrite error of what came back: {trained.verify(shown[0][:8], 10).rewrite_error:.1e}")
    if options.out:
        trained.save(options.out)


if __name__ == "__main__":
    main()
