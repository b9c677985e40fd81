"""Ops with a state, and the random streams that they draw from."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, TypeAlias

import numpy as np

from snnc.ir.namespace import NUMPY, Namespace
from snnc.ir.op import Op
from snnc.ir.types import AnyArray, Array, Shape, TensorType

State: TypeAlias = dict[str, Any]
"""The state of a stateful op, arrays and random streams by name: of one sample, or of a batch (``for_batch``)."""


class RandomStream:
    """Random numbers of which every sample of a batch gets the same, as if it were the only one.

    They are those that Nengo draws for an ensemble whose seed is ``seed - 1``.
    """

    def __init__(self, seed: int, *, each: bool = False) -> None:
        """Start at the first number of a seed; ``each`` gives every sample a generator of its own, for ``poisson``."""
        self.seed, self.each = seed, each
        self._shared = np.random.RandomState(seed)
        self._own: list[np.random.RandomState] = []

    @classmethod
    def drawn_from(cls, rng: np.random.Generator, *, each: bool = False) -> RandomStream:
        """Return a stream whose seed is the next number of a generator."""
        return cls(int(rng.integers(1, 2**31)), each=each)

    @classmethod
    def over(cls, rng: np.random.RandomState) -> RandomStream:
        """Return the stream of one sample that draws from a generator."""
        stream = cls(0)
        stream._shared, stream._own = rng, [rng]
        return stream

    def fresh(self) -> RandomStream:
        """Return the stream as it was at its start."""
        return RandomStream(self.seed, each=self.each)

    def uniform(self, shape: Shape) -> AnyArray:
        """Return numbers from 0 to 1 for one sample, to be used for each."""
        return self._shared.random_sample(shape)

    def poisson(self, mean: Array) -> AnyArray:
        """Return Poisson counts for means ``(batch, *shape)``.

        How much of the stream a count takes depends on its mean, so that each sample has to have a generator.
        """
        if not self._own:
            self._own = [np.random.RandomState(self.seed) for _ in mean]
        return np.stack([rng.poisson(m) for rng, m in zip(self._own, mean, strict=True)])


class Stateful(Op):
    """An op whose output may depend on the steps before. ``evaluate`` is its mean in the long run."""

    @property
    def stateful(self) -> bool:
        """Return whether the output may change from step to step while the inputs stay the same."""
        return True

    @abstractmethod
    def start(self, inputs: tuple[TensorType, ...], rng: np.random.Generator) -> State:
        """Return the state of one sample before the first step; arrays have no batch axis."""

    @abstractmethod
    def step(self, state: State, dt: float, *inputs: Array) -> Array:
        """Return the output of one step of ``dt`` seconds, ``(batch, *shape)``, and update the state of the batch.

        The output is only good until the next step: it may be part of the state.
        """


class Causal(Stateful):
    """An op over time that belongs to the model: in rate mode too its output depends on the slices before.

    It takes one slice of a sequence a step, draws no random numbers, and a step's length makes no difference to it. A
    subclass has a pure ``rule``, which backends with an array namespace run; one for numpy alone defines ``step``.
    """

    elementwise: ClassVar[bool] = False
    """Whether each output element depends on the same element of x, its past, and a mask alone."""

    def drive(self, xp: Namespace, *inputs: Any) -> Any:
        """Return all of a step that depends on its inputs alone, as the rule takes it."""
        return inputs

    def rule(self, xp: Namespace, drive: Any, state: State) -> tuple[Any, State]:
        """Return the output and the state after a step; it takes its functions from ``xp`` and changes no array."""
        raise NotImplementedError(f"the op {self.kind!r} has neither a rule nor a step")

    def step(self, state: State, dt: float, *inputs: Array) -> Array:
        y, after = self.rule(NUMPY, self.drive(NUMPY, *inputs), state)
        state.update(after)
        return np.ascontiguousarray(y)

    def evaluate(self, *inputs: Array) -> Array:
        """Return the output for the first slice."""
        return self.over_time(*(x[:, None] for x in inputs))[:, 0]

    def over_time(self, *inputs: Array) -> Array:
        """Return the outputs for all slices, ``(batch, time, *shape)`` as the inputs are."""
        types = tuple(TensorType(x.shape[2:]) for x in inputs)
        state = for_batch(self.start(types, np.random.default_rng(0)), len(inputs[0]))
        steps = [
            self.step(state, 0.0, *(np.ascontiguousarray(x[:, t]) for x in inputs)).copy()
            for t in range(inputs[0].shape[1])
        ]
        return np.stack(steps, axis=1)


def for_batch(state: State, batch: int) -> State:
    """Return the state of a batch of samples that all start alike; independent of the state of one that is given."""
    return {
        name: value.fresh() if isinstance(value, RandomStream) else np.repeat(value[None], batch, axis=0)
        for name, value in state.items()
    }
