"""Spikes by chance: the same random numbers as in Nengo and in snnc's evaluator, drawn inside TensorFlow.

numpy's generator is the Mersenne Twister (Matsumoto & Nishimura 1998). Words of 32 bits are kept in int64, for which
TensorFlow has every operation. What is drawn for a uniform number does not depend on anything, so that this can be
exported; how much a Poisson count takes depends on its mean and on all counts before, element by element, so that
numpy itself draws those (one call a step), and a network with such neurons cannot be exported.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from snnc.api import AnyArray, LoweringError, RandomStream, Shape, State
from snnc_tensorflow.import_tensorflow import tf
from snnc_tensorflow.site import Tensor, Tensors

SIZE, SHIFT = 624, 397
UPPER, LOWER, MATRIX, WORD = 0x80000000, 0x7FFFFFFF, 0x9908B0DF, 0xFFFFFFFF


def start(state: State) -> tuple[dict[str, AnyArray], frozenset[str]]:
    """Return the state of one sample with each ``RandomStream`` as words, and the names that all samples share."""
    arrays: dict[str, AnyArray] = {}
    shared: set[str] = set()
    for name, value in state.items():
        if isinstance(value, RandomStream):
            key, position = _words(np.random.RandomState(value.seed))
            words = {f"{name}.key": key, f"{name}.position": np.asarray(position, dtype=np.int64)}
            arrays |= words
            shared |= set() if value.each else set(words)
        else:
            arrays[name] = value
    return arrays, frozenset(shared)


def with_streams(state: Tensors) -> State:
    """Return a state with its words as streams, as rules take it."""
    names = {name.removesuffix(".key") for name in state if name.endswith(".key")}
    arrays = {name: value for name, value in state.items() if name.rpartition(".")[0] not in names}
    return {**arrays, **{name: TensorStream(state[f"{name}.key"], state[f"{name}.position"]) for name in names}}


def with_words(state: State) -> Tensors:
    """Return a state with its streams as words."""
    words: Tensors = {}
    for name, value in state.items():
        if isinstance(value, TensorStream):
            words |= {f"{name}.key": value.key, f"{name}.position": value.position}
        else:
            words[name] = value
    return words


class TensorStream:
    """A ``RandomStream`` inside TensorFlow: the words of a generator, or of one for each sample."""

    def __init__(self, key: Tensor, position: Tensor) -> None:
        """Take the words, ``(624,)`` or ``(batch, 624)``, and how many of them are used up."""
        self.key, self.position = key, position

    def uniform(self, shape: Shape) -> Tensor:
        """Return float64 numbers from 0 to 1, as ``RandomState.random_sample`` gives them."""
        if self.key.shape.rank != 1:
            raise LoweringError("a stream of each sample's own gives Poisson counts alone; leave out each=True")
        count = 2 * math.prod(shape)
        blocks = (self.position + count - 1) // SIZE  # new ones, besides the present one

        def another(i: Tensor, key: Tensor, drawn: Any) -> Any:
            key = _twisted(key)
            return i + 1, key, drawn.write(tf.cast(i, tf.int32), key)

        drawn = tf.TensorArray(tf.int64, tf.cast(blocks, tf.int32) + 1, element_shape=(SIZE,)).write(0, self.key)
        one = tf.constant(1, tf.int64)
        _, last, drawn = tf.while_loop(lambda i, *_: i <= blocks, another, (one, self.key, drawn))
        words = tf.reshape(drawn.stack(), (-1,))[self.position : self.position + count]
        words = _tempered(tf.reshape(words, (-1, 2)))
        high, low = words[:, 0] // 32, words[:, 1] // 64
        numbers = tf.cast(high * 67108864 + low, tf.float64) / 9007199254740992.0
        self.key, self.position = tf.ensure_shape(last, (SIZE,)), self.position + count - SIZE * blocks
        return tf.reshape(numbers, shape)

    def poisson(self, mean: Tensor) -> Tensor:
        """Return Poisson counts for means ``(batch, *shape)``, each sample's of its own generator."""
        if self.key.shape.rank != 2:
            raise LoweringError("Poisson counts need a generator for each sample; start the stream with each=True")
        counts, key, position = tf.numpy_function(
            _poisson, (mean, self.key, self.position), (tf.float32, tf.int64, tf.int64)
        )
        self.key, self.position = (
            tf.ensure_shape(new, old.shape) for new, old in ((key, self.key), (position, self.position))
        )
        return tf.ensure_shape(counts, mean.shape)


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
