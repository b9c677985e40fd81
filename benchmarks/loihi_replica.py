"""How much faster the replica of the chip is than nengo-loihi's emulator, on one network and in one run.

``python benchmarks/loihi_replica.py`` from an environment with nengo-loihi; two minutes. The network is of the size of
the small MNIST network in the documentation of the Loihi backend, with random weights. Processor time counts, so that
a busy machine does not. The emulator shows one image after the other in one run, as its users do; it is given fewer
images, and its time for one is taken as that for each.
"""

from __future__ import annotations

import argparse
import time

import nengo
import nengo_loihi
import numpy as np
from snnc_loihi.planner import plan
from snnc_loihi.replica import PART, Replica

DT = 0.001


def ensemble(size, label, neurons, bias=0.0):
    return nengo.Ensemble(size, 1, gain=np.ones(size), bias=np.full(size, bias), neuron_type=neurons, label=label)


def small_cnn(images, steps):
    """Return (network, encoder, read-out): conv 8 stride 2, conv 16, average pooling in a dense layer of 64."""
    rng = np.random.default_rng(0)
    start = {"voltage": nengo.dists.Choice([0])}
    chip = nengo_loihi.neurons.LoihiSpikingRectifiedLinear(initial_state=start)
    with nengo.Network(seed=0) as network:
        nengo_loihi.add_params(network)
        network.config[nengo.Connection].synapse = None
        shown = nengo.Node(nengo.processes.PresentInput(images, steps * DT))
        encoder = ensemble(784, "encoder", nengo.SpikingRectifiedLinear(initial_state=start))
        network.config[encoder].on_chip = False
        nengo.Connection(shown, encoder.neurons)
        conv0 = nengo.Convolution(
            8, (28, 28, 1), kernel_size=(3, 3), strides=(2, 2), padding="same", init=rng.normal(0.02, 0.3, (3, 3, 1, 8))
        )
        conv1 = nengo.Convolution(16, (14, 14, 8), kernel_size=(3, 3), init=rng.normal(0.0, 0.15, (3, 3, 8, 16)))
        dense = rng.normal(0.0, 0.1, (64, 6, 6, 16)).repeat(2, axis=1).repeat(2, axis=2).reshape(64, -1) / 2
        first = ensemble(1568, "conv0", chip, 5.0)
        second = ensemble(2304, "conv1", chip, 5.0)
        third = ensemble(64, "dense", chip, 5.0)
        nengo.Connection(encoder.neurons, first.neurons, transform=conv0, synapse=0.002)
        nengo.Connection(first.neurons, second.neurons, transform=conv1, synapse=0.002)
        nengo.Connection(second.neurons, third.neurons, transform=dense, synapse=0.002)
        out = nengo.Node(size_in=10)
        weights = rng.normal(size=(10, 64))
        nengo.Connection(third.neurons, out, transform=weights)
        probe = nengo.Probe(out)
    plan(network).apply(network)
    return network, encoder, probe, (third, weights)


def show(replica, encoder, read_out, images, steps):
    """Return what a part of the batch gives, ``(batch, steps, 10)``, and its number of spikes."""
    chip = replica.start(len(images))
    last, weights = next(core for core in chip.cores if core.ensemble is read_out[0]), read_out[1]
    voltage, spikes = np.zeros(images.shape), np.empty(images.shape)
    given, total = np.zeros((len(images), steps, len(weights))), 0.0
    for t in range(steps):
        given[:, t] = last.fired.T @ weights.T / DT
        encoder.neuron_type.step(DT, images, spikes, voltage=voltage)
        chip.step({encoder: spikes != 0})
        total += np.count_nonzero(spikes) + sum(float(core.fired.sum()) for core in chip.cores)
    return given, total


def images_for(count):
    """Return rates in Hz of 28 x 28 pixels, a fifth of which is not black."""
    rng = np.random.default_rng(1)
    return 1000 * rng.uniform(0, 1, (count, 784)) * (rng.uniform(size=(count, 784)) < 0.2)


def main():
    """Print the table as markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--emulated", type=int, default=20)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    images = images_for(options.images)
    network, encoder, probe, read_out = small_cnn(images, options.steps)
    with nengo_loihi.Simulator(network, dt=DT, target="sim", progress_bar=False) as sim:
        start = time.process_time()
        replica = Replica(sim.model)
        read = time.process_time() - start
        start = time.process_time()
        sim.run_steps(options.emulated * options.steps)
        emulator = (time.process_time() - start) / options.emulated
        emulated = sim.data[probe][: options.steps]
    start = time.process_time()
    parts = [
        show(replica, encoder, read_out, images[first : first + PART], options.steps)
        for first in range(0, len(images), PART)
    ]
    replicated = (time.process_time() - start) / options.images
    same = np.allclose(parts[0][0][0], emulated)
    spikes = sum(total for _, total in parts) / options.images
    print(f"{options.images} images of {options.steps} steps, {spikes:.0f} spikes an image; model read in {read:.1f} s")
    print("| engine | ms an image and step | ratio |\n| --- | --- | --- |")
    print(f"| emulator | {1000 * emulator / options.steps:.2f} | 1 |")
    print(f"| replica | {1000 * replicated / options.steps:.3f} | {emulator / replicated:.1f} |")
    print(f"outputs of the first image are {'the same' if same else 'NOT the same'} in every step")


if __name__ == "__main__":
    main()
