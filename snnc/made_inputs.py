"""Inputs that the compiler makes itself where nobody gives samples: smoothed noise in the range of each input.

The range is what ``--input-range`` says, or what the layers at the input say (Rescaling and Normalization inverted, the
rows of an Embedding), or that of the usual ones that suits the first batch normalisation best, or else 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from scipy import ndimage

from snnc import ops
from snnc.analysis.expected import Fit, confidence, fit
from snnc.engine.presentation import LENGTH, presentation
from snnc.errors import UsageError, unknown
from snnc.ir.graph import Graph
from snnc.ir.types import AnyArray, Array, Shape
from snnc.samples import Data, Samples
from snnc.samples import samples as samples_of
from snnc.schema import shown

Range: TypeAlias = tuple[float, float]
"""The least and the largest value."""
USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-3.0, 3.0))
"""The ranges of inputs, where nothing says which: the first, unless another suits batch normalisation better."""
MEAN = DEVIATION = 0.35
"""Of made-up inputs, as a share of the range."""
REACH = 3.0
"""Deviations from the mean that a normalised input's range reaches."""
NARROWEST, WIDEST, WIDTHS = 0.7, 0.2, 4
"""The filters: the narrowest in pixels, the widest as a share of the image, and how many."""
WRONG = 8.0
"""Times too large or too small from which on the range of an input is called wrong."""
FEW, MANY, ELEMENTS = 16, 128, 1 << 26
"""Inputs made for a compilation, half of them held back: many, or as few as keep all tensors below so many values."""
TO_SHOW = 4
"""Inputs made for verify, where the user gives none."""
TRIED = 16
"""Inputs made to see which range suits batch normalisation."""
LEAST = 8
"""Fewer calibration samples than this say nothing."""
UNSURE, SURE = 0.1, 0.3
"""How sure a classifier is where inputs of 0 to 1 are 255 times too small, and where inputs are its own."""
PASSED_ON = (ops.Identity, ops.Reshape, ops.Permute, ops.Repeat, ops.Slice, ops.Take, ops.ZeroPad, ops.Resize)
"""Ops whose values are those of their input."""


@dataclass(frozen=True)
class InputRange:
    """What the values of an input are like."""

    low: float
    high: float
    says: str
    """What says so."""
    mean: AnyArray | None = None
    """That broadcasts against the input's shape; None for ``MEAN`` of the range."""
    deviation: AnyArray | None = None
    whole: bool = False
    """Whether the values are whole numbers, each as likely as the others."""
    note: str = ""
    """What is not sure about it."""

    def make(self, shape: Shape, count: int, rng: np.random.Generator) -> Array:
        """Return ``(count, *shape)`` inputs."""
        if self.whole:
            return rng.integers(int(self.low), int(self.high) + 1, size=(count, *shape)).astype(np.float32)
        across = self.high - self.low
        mean = self.low + MEAN * across if self.mean is None else self.mean
        deviation = DEVIATION * across if self.deviation is None else self.deviation
        made = np.stack([_noise(shape, i // 2, rng) for i in range(count)])
        return np.clip(mean + deviation * made, self.low, self.high).astype(np.float32)


GUESS = InputRange(*USUAL[0], says="which nothing in the model says")
PIXELS = InputRange(0, 255, says="of which the model is sure; on 0 to 1 it only guesses, and nothing else says so")


def _noise(shape: Shape, turn: int, rng: np.random.Generator) -> AnyArray:
    """Return noise of mean 0 and deviation 1, smoothed along the axes of space by a filter that takes turns."""
    grid = _as_image(shape) if turn % 2 else shape
    space = _space(grid)
    if not space:
        return rng.normal(size=shape)
    others = tuple(n if axis not in space else 1 for axis, n in enumerate(grid))
    size = min(grid[axis] for axis in space)
    width = np.geomspace(NARROWEST, max(WIDEST * size, NARROWEST), WIDTHS)[turn % WIDTHS]
    widths = [width if axis in space else 0 for axis in range(len(grid))]
    # what the channels of a picture have in common is most of it
    shared = rng.normal(size=tuple(n if axis in space else 1 for axis, n in enumerate(grid)))
    noise = shared + 0.6 * rng.normal(size=grid) if math.prod(others) > 1 else shared
    noise = ndimage.gaussian_filter(noise, widths)
    noise -= noise.mean()
    return (noise / max(float(noise.std()), 1e-9)).reshape(shape)


def _space(shape: Shape) -> tuple[int, ...]:
    """Return the axes along which neighbours are alike: all but the channels, which may be in front."""
    axes = range(len(shape))
    if len(shape) < 2:
        return tuple(axes)
    if len(shape) == 2 and shape[0] == shape[1]:
        return tuple(axes)
    front = shape[0] in (1, 3, 4) and shape[-1] > 4
    return tuple(axes[1:] if front else axes[:-1])


def _as_image(shape: Shape) -> Shape:
    """Return the shape of the image that a vector of pixels comes from, the shape itself where there is none."""
    if len(shape) == 1:
        for channels in (1, 3):
            side = math.isqrt(shape[0] // channels)
            if side >= 8 and side * side * channels == shape[0]:
                return (side, side, channels)
    return shape


def with_ranges(source: Graph, asked: Range | Mapping[str, Range] | None) -> Graph:
    """Return a graph whose inputs have the ranges that the user gives, for all or by name; None changes nothing.

    Raises:
        UsageError: a range is not two numbers of which the first is the lower, or it is of no input.
    """
    given = {} if asked is None else dict(asked) if isinstance(asked, Mapping) else dict.fromkeys(source.inputs, asked)
    for name, ends in given.items():
        if name not in source.inputs:
            raise UsageError(f"input_range: {unknown('input', name, source.inputs)}")
        op = source[name].op
        assert isinstance(op, ops.Input)
        source.replace(name, replace(op, range=_two_numbers(name, ends)))
    return source


def _two_numbers(name: str, ends: Range) -> Range:
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError, OverflowError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        wanted = "two numbers, the lower first, such as 0,255"
        raise UsageError(f"input_range of {name!r} must be {wanted}; not {shown(ends)}")
    return low, high


def notes_on(ranges: Mapping[str, InputRange]) -> list[str]:
    """Return what the user should know of inputs that were made up."""
    made = ", ".join(f"{name!r} from {r.low:g} to {r.high:g} ({r.says})" for name, r in ranges.items())
    first = f"no samples were given, so that inputs were made up: {made}"
    return [first, *(r.note for r in ranges.values() if r.note)]


def input_ranges(source: Graph, seed: int = 0) -> dict[str, InputRange]:
    """Return the range of each input of a model as imported, by name, with a note on each that nothing says."""
    known = {name: _given(source, name) or _from_layers(source, name) or GUESS for name in source.inputs}
    return {name: _checked(source, name, known, seed) for name in known}


def _given(source: Graph, name: str) -> InputRange | None:
    op = source[name].op
    given = op.range if isinstance(op, ops.Input) else None
    return None if given is None else InputRange(*given, says="as asked for")


def _from_layers(source: Graph, name: str) -> InputRange | None:
    return _said_behind(source, name, source[name].type.shape, 1.0, 0.0)


def _said_behind(source: Graph, name: str, shape: Shape, scale: float, shift: float) -> InputRange | None:
    """Return what the readers of a tensor, which is ``scale * x + shift``, say of the input x of a shape."""
    for reader, _ in source.readers(name):
        op = source[reader].op
        found = None
        if isinstance(op, ops.Embedding):
            found = InputRange(0, len(op.table) - 1, f"the rows of {reader!r}", whole=True)
        elif isinstance(op, PASSED_ON):
            found = _said_behind(source, reader, shape, scale, shift)
        elif isinstance(op, ops.Affine) and _one_number(op.scale) and _one_number(op.shift) and op.scale.any():
            a = float(op.scale.reshape(()))
            a, b = a * scale, a * shift + float(op.shift.reshape(()))
            found = _said_behind(source, reader, shape, a, b) or _rescaled(a, b)
        elif isinstance(op, (ops.Affine, ops.BatchNorm)):
            statistics = _normalised_by(op)
            if statistics is not None:
                aligned = source[name].type.shape == shape
                found = _normalised(reader, *(statistics if aligned else _pooled(*statistics)), scale, shift)
        if found is not None:
            return found
    return None


def _one_number(array: Array) -> bool:
    """Return whether an affine op has one number, as of Rescaling: Normalization has as many axes as the input."""
    return array.size == 1 and array.ndim < 2


def _rescaled(scale: float, shift: float) -> InputRange | None:
    """Return the range of x that ``scale * x + shift`` brings to 0 to 1, or to both sides of 0 alike."""
    if (scale, shift) == (1.0, 0.0):
        return None
    says = f"as rescaling by {scale:.3g} and {shift:.3g} says"
    if shift >= 0 or scale < 0:
        ends = sorted((-shift / scale, (1 - shift) / scale))
    elif scale == 1 or any(math.isclose(-shift, usual, rel_tol=0.02) for usual in (0.5, 1)):
        ends = [0.0, -2 * shift / scale]
    else:
        return _around(np.asarray(-shift / scale), np.asarray(1 / scale), says)
    return InputRange(*_neat(*ends), says)


def _normalised_by(op: ops.Affine | ops.BatchNorm) -> tuple[AnyArray, AnyArray] | None:
    """Return the means and deviations that an op brings to 0 and 1, None where it does nothing."""
    if isinstance(op, ops.BatchNorm):
        mean, deviation = op.mean, np.sqrt(np.maximum(op.variance, 0))
    elif op.scale.all():
        mean, deviation = -op.shift / op.scale, 1 / np.abs(op.scale)
    else:
        return None
    idle = np.allclose(mean, 0) and np.allclose(deviation, 1)
    return None if idle or not (deviation > 0).all() else (mean, deviation)


def _pooled(mean: AnyArray, deviation: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Return one mean and one deviation, where an op between has moved the values."""
    return np.asarray(np.mean(mean)), np.asarray(np.sqrt(np.mean(deviation**2) + np.var(mean)))


def _normalised(reader: str, mean: AnyArray, deviation: AnyArray, scale: float, shift: float) -> InputRange:
    """Return the range of x where ``scale * x + shift`` has these means and deviations."""
    mean, deviation = (mean - shift) / scale, deviation / abs(scale)
    around = _around(mean, deviation, f"three deviations around the mean that {reader!r} takes away")
    bounds = _rescaled(scale, shift)
    return around if bounds is None else replace(bounds, mean=mean, deviation=deviation)


def _around(mean: AnyArray, deviation: AnyArray, says: str) -> InputRange:
    low, high = float((mean - REACH * deviation).min()), float((mean + REACH * deviation).max())
    return InputRange(*_neat(low, high), says, mean, deviation)


def _neat(low: float, high: float) -> tuple[float, float]:
    """Return the ends without the rounding of float32."""
    return float(f"{low:.6g}") + 0.0, float(f"{high:.6g}") + 0.0


def _checked(source: Graph, name: str, known: Mapping[str, InputRange], seed: int) -> InputRange:
    """Return the range of an input, and where nothing says it the usual one that suits batch normalisation best."""
    here = known[name]
    if here.whole:
        return here

    def inputs(as_if: InputRange) -> dict[str, Array]:
        return _make(source, {**known, name: as_if}, TRIED, seed)

    tried = [InputRange(*ends, "") for ends in USUAL] if here is GUESS else [here]
    found = [(f.distance, f, each) for each in tried if (f := fit(source, name, inputs(each))) is not None]
    if not found:
        sure = confidence(source, inputs(here))
        guesses = sure is not None and sure < UNSURE
        if here is not GUESS:
            return replace(here, note=_unsure(name, here)) if guesses else here
        if guesses and (confidence(source, inputs(PIXELS)) or 0) > SURE:
            return PIXELS
        return replace(GUESS, note=_unknown(name))
    _, best, chosen = min(found, key=lambda row: row[0])
    wrong = not 1 / WRONG < best.ratio < WRONG
    if here is not GUESS:
        return replace(here, note=_misfit(name, here, best)) if wrong else here
    if wrong:
        chosen = InputRange(*_neat(chosen.low * best.ratio, chosen.high * best.ratio), "")
    return replace(chosen, says=f"which suits the batch normalisation {best.name!r} best; nothing else says so")


def _unknown(name: str) -> str:
    return (
        f"input {name!r} is taken to be 0 to 1, for nothing in the model says what it is: if it is 0 to 255, "
        "neurons are saturated and many samples get the same answer; say --input-range LOW,HIGH or give samples"
    )


def _unsure(name: str, here: InputRange) -> str:
    return (
        f"input {name!r}: on inputs of {here.low:g} to {here.high:g} ({here.says}) the model only guesses, as where "
        "its own are many times larger; check --input-range and the scaling"
    )


def _misfit(name: str, here: InputRange, found: Fit) -> str:
    times, how = (found.ratio, "larger") if found.ratio > 1 else (1 / found.ratio, "smaller")
    return (
        f"input {name!r}: what the batch normalisation {found.name!r} saw in training was {times:.0f} times {how} than "
        f"what inputs of {here.low:g} to {here.high:g} make of it ({here.says}); check --input-range and the scaling"
    )


def samples_or_made(
    source: Graph, given: Data | None, limit: int | None, seed: int, measuring: bool
) -> tuple[Samples, list[str]]:
    """Return what a compilation measures and verifies with: the user's samples, or made-up ones and notes on them.

    Args:
        source: the model as imported.
        given: the user's samples, or None.
        limit: how many of them to use.
        seed: of what is made up.
        measuring: whether a pass measures with them.

    Raises:
        DataError: the user's samples do not fit, or are too few or too much alike to measure with.
    """
    if given is not None:
        samples = samples_of(source, given).head(limit)
        if measuring:
            samples.require_varied(LEAST)
        return samples, []
    ranges = input_ranges(source, seed)
    if not measuring:
        return made_inputs(source, ranges, seed, TO_SHOW), []
    return made_inputs(source, ranges, seed), notes_on(ranges)


def made_inputs(source: Graph, ranges: Mapping[str, InputRange], seed: int, count: int | None = None) -> Samples:
    """Return inputs made up for a model as imported, the same for the same seed; sequences of a temporal graph.

    Args:
        source: the model.
        ranges: of its inputs, by name.
        seed: of the noise.
        count: how many; by default as many as calibration takes.
    """
    size = sum(node.type.size for node in source) * math.prod(_leading(source))
    count = min(MANY, max(FEW, ELEMENTS // size)) if count is None else count
    return Samples(_make(source, ranges, count, seed), real=False)


def _make(source: Graph, ranges: Mapping[str, InputRange], count: int, seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    leading = _leading(source)
    return {name: r.make((*leading, *source[name].type.shape), count, rng) for name, r in ranges.items()}


def _leading(source: Graph) -> Shape:
    shown = presentation(source)
    return (shown.length or LENGTH,) if shown.temporal else ()
