"""Spikes by chance: the same random numbers as in Nengo and in snnc's evaluator, drawn inside TensorFlow.

numpy's generator is the Mersenne Twister (Matsumoto & Nishimura 1998). Words of 32 bits are kept in int64, for which
TensorFlow has every operation. What is drawn for a uniform number does not depend on anything, so that this can be
exported; how much a Poisson count takes depends on its mean and on all counts before, element by element, so that
numpy itself draws those (one call a step), and a network with such neurons cannot be exported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from snnc.api import AnyArray, RandomStream, Shape, State
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.site import Tensor, Tensors

SIZE, SHIFT = 624, 397
UPPER, LOWER, MATRIX, WORD = 0x80000000, 0x7FFFFFFF, 0x9908B0DF, 0xFFFFFFFF


def start(state: State, *, each: bool) -> tuple[dict[str, AnyArray], frozenset[str]]:
    """Return a state with each ``RandomStream`` as the words of its generator, and the names that all samples share.

    Args:
        state: of one sample.
        each: whether every sample draws from a generator of its own.
    """
    arrays: dict[str, AnyArray] = {}
    drawing: set[str] = set()
    for name, value in state.items():
        if isinstance(value, RandomStream):
            key, position = _words(np.random.RandomState(value.seed))
            arrays |= {f"{name}.key": key, f"{name}.position": np.asarray(position, dtype=np.int64)}
            drawing |= {f"{name}.key", f"{name}.position"}
        else:
            arrays[name] = value
    return arrays, frozenset() if each else frozenset(drawing)


def stochastic(model: Any, state: Tensors, drive: Tensor, dt: float) -> tuple[Tensor, Tensors]:
    """Round the wanted number of spikes up or down by chance."""
    size = tf.abs(drive)
    spikes = tf.floor(size)
    chance, new = uniform(state, tuple(drive.shape[1:]))
    spikes += tf.cast(chance < tf.cast(size - spikes, tf.float64), tf.float32)
    return tf.where(drive < 0, -spikes, spikes), new


def poisson(model: Any, state: Tensors, drive: Tensor, dt: float) -> tuple[Tensor, Tensors]:
    """Draw the number of spikes; each sample has a generator of its own."""
    spikes, key, position = tf.numpy_function(
        _poisson, (tf.abs(drive), state["rng.key"], state["rng.position"]), (tf.float32, tf.int64, tf.int64)
    )
    spikes = tf.ensure_shape(spikes, drive.shape)
    new = {
        "rng.key": tf.ensure_shape(key, state["rng.key"].shape),
        "rng.position": tf.ensure_shape(position, state["rng.position"].shape),
    }
    return tf.where(drive < 0, -spikes, spikes), new


def _poisson(mean: AnyArray, keys: AnyArray, positions: AnyArray) -> tuple[AnyArray, AnyArray, AnyArray]:
    rng = np.random.RandomState()
    counts = np.empty_like(mean)
    keys, positions = keys.copy(), positions.copy()
    for i in range(len(mean)):
        rng.set_state(("MT19937", keys[i].astype(np.uint32), int(positions[i]), 0, 0.0))
        counts[i] = rng.poisson(mean[i])
        keys[i], positions[i] = _words(rng)
    return counts, keys, positions


def _words(rng: np.random.RandomState) -> tuple[AnyArray, int]:
    """Return the words of a generator, and how many of them are used up."""
    state: Any = rng.get_state(legacy=True)
    return state[1].astype(np.int64), state[2]


def uniform(state: Mapping[str, Tensor], shape: Shape) -> tuple[Tensor, Tensors]:
    """Return float64 numbers from 0 to 1, as ``RandomState.random_sample`` gives them, and the generator behind."""
    count = 2 * math.prod(shape)
    key, position = state["rng.key"], state["rng.position"]
    blocks = (position + count - 1) // SIZE  # new ones, besides the present one

    def another(i: Tensor, key: Tensor, drawn: Any) -> Any:
        key = _twisted(key)
        return i + 1, key, drawn.write(tf.cast(i, tf.int32), key)

    drawn = tf.TensorArray(tf.int64, tf.cast(blocks, tf.int32) + 1, element_shape=(SIZE,)).write(0, key)
    one = tf.constant(1, tf.int64)
    _, last, drawn = tf.while_loop(lambda i, *_: i <= blocks, another, (one, key, drawn))
    words = tf.reshape(drawn.stack(), (-1,))[position : position + count]
    words = _tempered(tf.reshape(words, (-1, 2)))
    high, low = words[:, 0] // 32, words[:, 1] // 64
    numbers = tf.cast(high * 67108864 + low, tf.float64) / 9007199254740992.0
    new = {"rng.key": tf.ensure_shape(last, (SIZE,)), "rng.position": position + count - SIZE * blocks}
    return tf.reshape(numbers, shape), new


def _twisted(key: Tensor) -> Tensor:
    """Return the next 624 words; each needs one 397 places on, so that they come in three parts and a last one."""
    gap = SIZE - SHIFT
    mixed = tf.bitwise.bitwise_or(
        tf.bitwise.bitwise_and(key[:-1], tf.constant(UPPER, tf.int64)),
        tf.bitwise.bitwise_and(key[1:], tf.constant(LOWER, tf.int64)),
    )
    first = tf.bitwise.bitwise_xor(key[SHIFT:], _halved(mixed[:gap]))
    second = tf.bitwise.bitwise_xor(first, _halved(mixed[gap : 2 * gap]))
    third = tf.bitwise.bitwise_xor(second[: SHIFT - 1 - gap], _halved(mixed[2 * gap :]))
    wrapped = tf.bitwise.bitwise_or(
        tf.bitwise.bitwise_and(key[-1:], tf.constant(UPPER, tf.int64)),
        tf.bitwise.bitwise_and(first[:1], tf.constant(LOWER, tf.int64)),
    )
    last = tf.bitwise.bitwise_xor(second[SHIFT - 1 - gap : SHIFT - gap], _halved(wrapped))
    return tf.concat([first, second, third, last], 0)


def _halved(words: Tensor) -> Tensor:
    return tf.bitwise.bitwise_xor(words // 2, (words % 2) * MATRIX)


def _tempered(y: Tensor) -> Tensor:
    xor, mask = tf.bitwise.bitwise_xor, tf.bitwise.bitwise_and
    y = xor(y, y // 2**11)
    y = xor(y, mask(y * 2**7, tf.constant(0x9D2C5680, tf.int64)))
    y = xor(y, mask(y * 2**15, tf.constant(0xEFC60000, tf.int64)))
    return xor(y, y // 2**18)
