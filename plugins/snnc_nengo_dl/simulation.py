"""Run minibatches of a network in NengoDL, without the data pipeline that its ``predict`` builds for every call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nengo
import nengo_dl
import numpy as np
import tensorflow as tf
from nengo_dl import utils
from snnc_nengo.build import Reading

from snnc.api import Array, Graph, LoweringContext, LoweringError, Recording, is_temporal
from snnc_nengo_dl.network import built_on, configure
from snnc_nengo_dl.running_sums import Tallies


class Simulation:
    """A network for minibatches of one size, built once."""

    def __init__(self, graph: Graph, target: LoweringContext, size: int, watch: tuple[str, ...]) -> None:
        """Build; that is the slow part."""
        device = None if utils.tf_gpu_installed else "/cpu:0"
        self._size = size
        with tf.device(device):
            # of a sequence all slices, of which the network takes one a step
            rows: tuple[int | None, ...] = (size, None) if is_temporal(graph) else (size,)
            self._held = {name: _variable(*rows, graph[name].type.size) for name in graph.inputs}
            self._start = tf.Variable(0, dtype=tf.int32, trainable=False)
        built = built_on(graph, target, self._held)
        tallies = Tallies(self._start)
        readings = {name: built.readings[name] for name in watch}
        with built.network:
            self._watched = {name: tallies.add(name, r.obj, _offset(r)) for name, r in readings.items()}
        self._readings = readings
        configure(built, inference_only=True, more=[tallies])
        for probe in (probe for probes in self._watched.values() for probe in probes):
            built.network.config[probe].keep_history = False
        try:
            simulator = nengo_dl.Simulator(
                built.network,
                dt=target.dt,
                seed=target.seed,
                minibatch_size=size,
                progress_bar=False,
                device=device,
            )
        except nengo.exceptions.NengoException as error:
            reason = " ".join(str(error).split())
            raise LoweringError(f"NengoDL cannot build {graph.name!r}: {reason}") from error
        self._order = list(simulator.model.probes)
        self._model = simulator.keras_model
        self._outputs = dict(built.probes)
        self._given = [
            tf.constant(np.broadcast_to(node.output, (size, 1, node.size_out)), dtype=tf.float32)
            for node in simulator.node_inputs
        ]
        simulator.close()  # the model is all that is needed from here on
        self._call = tf.function(self._simulate, autograph=False)

    def show(self, inputs: Mapping[str, Array], steps: int, window: slice) -> Recording:
        """Present a minibatch, ``(batch, *shape)`` an input, for a number of steps from the fresh state.

        Inputs of a temporal graph are ``(batch, steps, *shape)``; what the minibatch gave is flattened.
        """
        for name, variable in self._held.items():
            variable.assign(inputs[name].reshape(self._size, *[-1] * (len(variable.shape) - 2), variable.shape[-1]))
        self._start.assign(window.start)
        found = dict(zip(self._order, self._call(tf.constant(steps)), strict=False))
        outputs = {name: found[probe].numpy() for name, probe in self._outputs.items()}
        means, totals, messages = {}, {}, {}
        for name, probes in self._watched.items():
            reading = self._readings[name]
            scale, constant = np.ravel(reading.scale), reading.constant.ravel()
            sent, messages[name], late = (found[probe].numpy()[:, -1].astype(np.float64) for probe in probes)
            means[name] = late / (window.stop - window.start) * scale + constant
            totals[name] = sent * np.abs(scale)
        return Recording(outputs, means, totals, messages)

    def _simulate(self, steps: Any) -> Any:
        given = [tf.repeat(x, steps, axis=1) for x in self._given]
        return self._model([*given, tf.fill((self._size, 1), steps)], training=False)


def _offset(reading: Reading) -> Any:
    """Return what has to be added to the signal of a value before its scale to get the value."""
    return (reading.constant.ravel() / np.ravel(reading.scale)).astype(np.float32)


def _variable(*shape: int | None) -> Any:
    """Return a variable of zeros; None is a size that may change."""
    return tf.Variable(tf.zeros([n or 1 for n in shape]), shape=tf.TensorShape(shape), trainable=False)
