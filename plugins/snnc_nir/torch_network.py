"""A NIR file of snnc as a network of PyTorch, whose layers are those of a library that knows spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch

from snnc.api import Array, DataError, UsageError, decode, finish_each, limits
from snnc_nir.description import Description, Linear, Part, Population
from snnc_nir.torch_rules import Rule, channels_first, channels_last

Tensor: TypeAlias = Any
Inputs: TypeAlias = Any
"""One array or tensor ``(batch, *shape)``, or one an input by name."""


class Cell:
    """A layer with a state: the module of a library, how its state starts, and how it takes a step."""

    module: torch.nn.Module
    note: str | None = None
    """What is not exact about it."""

    def start(self, x: Tensor) -> Any:
        """Return the state before the first step for a batch of such inputs, or put it into the module."""

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the output of a step, and the state after it."""
        raise NotImplementedError


class RuleCell(Cell):
    """A cell by snnc's own rule."""

    def __init__(self, part: Part, dt: float) -> None:
        self.module: Rule = Rule(part, dt)

    def start(self, x: Tensor) -> Any:
        return self.module.start(x)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.module(x, state)


MakeCell: TypeAlias = Callable[[Part, Description], "Cell | None"]
"""Returns the cell of a part in a library's own modules, or None where it has none that does the same."""


class Network(torch.nn.Module):
    """A spiking network that runs step by step, every sample from the same fresh state.

    ``layers`` holds its modules by the names of the file's nodes, tensors between them have their channels in front;
    ``notes`` says what is not exact, and what snnc computes in the place of the library. ``dt`` seconds a step,
    ``steps`` and ``read_out`` are the compilation's.
    """

    def __init__(self, described: Description, library: str, make: MakeCell, *, channels_first: bool) -> None:
        """Build the layers of a file.

        Args:
            described: the file.
            library: whose modules they are.
            make: makes them.
            channels_first: whether inputs and outputs have their channels behind the batch axis, as PyTorch has them,
                not last, as Keras has them.

        """
        super().__init__()
        self.described, self.library, self.channels_first = described, library, channels_first
        self.dt, self.steps, self.read_out = described.dt, described.steps, described.read_out
        self.temporal = described.temporal
        self.layers = torch.nn.ModuleDict()
        self._cells: dict[str, Cell] = {}
        self._states: dict[str, Any] = {}
        self._batch: int | None = None
        notes: dict[str, list[str]] = {}
        for part in described.parts:
            if isinstance(part.does, Linear):
                self.layers[self._key(part.name)] = _linear(part.does)
            elif part.does is not None:
                cell = make(part, described)
                if cell is None:
                    cell = RuleCell(part, described.dt)
                    kind = (part.does.model if isinstance(part.does, Population) else part.does).kind
                    note: str | None = f"{library} has no {kind} as snnc runs it, so snnc's own rule runs in its place"
                else:
                    note = cell.note
                if note:
                    notes.setdefault(note, []).append(part.layer)
                self._cells[part.name] = cell
                self.layers[self._key(part.name)] = cell.module
        self.notes = tuple(f"{', '.join(layers)}: {note}" for note, layers in notes.items())
        self._module_of = {part.name: self._key(part.name) for part in described.parts if part.does is not None}
        fixed: set[str] = set()
        for part in described.parts:
            if not self.temporal and part.name not in self._cells and fixed.issuperset(part.sources):
                fixed.add(part.name)
        self._fixed = fixed

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the inputs by name, without the batch, as they are expected."""
        return {part.layer: self._shape(part) for part in self._parts() if not part.sources}

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the names of the outputs."""
        return tuple(self.described.ends.output_nodes)

    def reset(self) -> None:
        """Go back to the fresh state, for a batch of any size."""
        self._states, self._batch = {}, None

    def forward(self, x: Inputs) -> Tensor | dict[str, Tensor]:
        """Return the output of the next step; gradients pass what the library gives a surrogate.

        Args:
            x: ``(batch, *shape)``, of a temporal model one slice.

        Returns:
            what is read out, ``(batch, *shape)``; a dict for several outputs. What the compilation applies to the
            read-out alone, such as a softmax, is left to ``predict``.

        Raises:
            DataError: the inputs do not fit, or the batch is not of the size of the steps before: call ``reset``.

        """
        given = self._given(x, self._checked(x))
        outputs = {part.layer: self._shown(given[part.name], part) for part in self._outputs()}
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    @torch.no_grad()
    def run(self, x: Inputs, steps: int | None = None) -> dict[str, Array]:
        """Present each sample for a number of steps, from the fresh state: as ``Compiled.run``.

        Args:
            x: ``(batch, *shape)``, of a temporal model ``(batch, time, *shape)``, of which each step gets a slice.
            steps: how many; by default as the file says.

        Returns:
            ``(batch, steps, *shape)`` float32 by output name.

        """
        read = finish_each(self.described.ends, self._read(x, steps, ()))
        return {name: self._moved(y, 2) for name, y in read.items()}

    @torch.no_grad()
    def predict(self, x: Inputs, steps: int | None = None) -> Array | dict[str, Array]:
        """Return the answers, ``(batch, *shape)``, a dict for several outputs: as ``Compiled.predict``."""
        described = self.described
        answers = decode(described.ends, self._read(x, steps, ()), described.read_out, described.dt)
        answers = {name: self._moved(y, 1) for name, y in answers.items()}
        return next(iter(answers.values())) if len(answers) == 1 else answers

    @torch.no_grad()
    def record(self, x: Inputs, steps: int | None = None) -> dict[str, Array]:
        """Return the spikes of every population, ``(batch, steps, *shape)`` by layer; see ``run``."""
        watched = [part for part in self._parts() if isinstance(part.does, Population) and part.does.model.spiking]
        return {name: self._moved(y, 2) for name, y in self._read(x, steps, watched).items()}

    def _read(self, x: Inputs, steps: int | None, watched: Any) -> dict[str, Array]:
        """Return what parts give in every step, channels last: the outputs where none is named."""
        shown = self._checked(x, time=self.temporal)
        slices = next(iter(shown.values())).shape[1] if self.temporal else None
        if slices is not None and steps not in (None, slices):
            raise DataError(f"one slice is presented a step: the sequences have {slices} slices, not {steps}")
        steps = slices or (self.steps if steps is None else steps)
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise UsageError(f"steps must be a whole number of at least 1, not {steps!r}")
        watched = watched or self._outputs()
        batch = len(next(iter(shown.values())))
        values = batch * steps * sum(int(np.prod(part.own)) for part in watched)
        limits.require("elements of outputs over all steps", values, f"{batch} sample(s), {steps} steps")
        done = {part.layer: np.zeros((batch, steps, *part.own), dtype=np.float32) for part in watched}
        self.reset()
        given: dict[str, Tensor] = {}
        for t in range(steps):
            now = {name: value[:, t] for name, value in shown.items()} if self.temporal else shown
            given = self._given(x, now, {name: y for name, y in given.items() if name in self._fixed})
            for part in watched:
                done[part.layer][:, t] = channels_last(given[part.name], part.own).cpu().numpy()
        self.reset()
        return done

    def _given(
        self, x: Inputs, shown: Mapping[str, Tensor], known: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Return what every node gives in the next step, channels first; ``known`` does not change."""
        batch = len(next(iter(shown.values())))
        if self._batch not in (None, batch):
            raise DataError(f"a batch of {batch} samples after one of {self._batch}: call reset() between them")
        self._batch = batch
        given: dict[str, Tensor] = dict(known or {})
        for part in self._parts():
            if part.name in given:
                continue
            if not part.sources:
                given[part.name] = channels_first(shown[part.layer], part.shape)
                continue
            total = given[part.sources[0]]
            for source in part.sources[1:]:
                total = total + given[source]
            if part.name in self._cells:
                cell = self._cells[part.name]
                if part.name not in self._states:
                    self._states[part.name] = cell.start(total)
                total, self._states[part.name] = cell.step(total, self._states[part.name])
            elif part.does is not None:
                total = self.layers[self._module_of[part.name]](total)
            given[part.name] = total
        return given

    def _checked(self, x: Inputs, time: bool = False) -> dict[str, Tensor]:
        """Return the inputs by name, ``(batch, *own)`` float32; raise DataError where they do not fit."""
        parts = [part for part in self._parts() if not part.sources]
        given = x if isinstance(x, Mapping) else {part.layer: x for part in parts[:1]}
        if set(given) != {part.layer for part in parts}:
            raise DataError(f"the network has the inputs {', '.join(map(repr, self.inputs))}, got {sorted(given)}")
        checked: dict[str, Tensor] = {}
        for part in parts:
            try:
                value = torch.as_tensor(given[part.layer]).to(self._device(), torch.float32)
            except (TypeError, ValueError, RuntimeError) as error:
                raise DataError(f"input {part.layer!r}: these are no numbers: {error}") from None
            axes = 2 if time else 1
            if tuple(value.shape[axes:]) != self._shape(part) or not len(value) or not value.numel():
                leading = ("batch", "time")[:axes]
                raise DataError(
                    f"input {part.layer!r}: expected ({', '.join((*leading, *map(str, self._shape(part))))}), got "
                    f"{tuple(value.shape)}"
                )
            if not torch.isfinite(value).all():
                raise DataError(f"input {part.layer!r}: holds NaN or infinity")
            checked[part.layer] = value.movedim(axes, -1) if self.channels_first else value
        if len({value.shape[: 1 + time] for value in checked.values()}) > 1:
            raise DataError("the inputs are of different numbers of samples or slices")
        return checked

    def _shown(self, y: Tensor, part: Part) -> Tensor:
        """Return what an output gives, as it is asked for."""
        y = channels_last(y, part.own)
        return y.movedim(-1, 1) if self.channels_first else y

    def _moved(self, y: Array, axis: int) -> Array:
        """Return an array of channels last as it is asked for."""
        return np.ascontiguousarray(np.moveaxis(y, -1, axis)) if self.channels_first and y.ndim > axis else y

    def _shape(self, part: Part) -> tuple[int, ...]:
        return (*part.own[-1:], *part.own[:-1]) if self.channels_first else part.own

    def _parts(self) -> tuple[Part, ...]:
        return self.described.parts

    def _outputs(self) -> list[Part]:
        return [part for part in self._parts() if part.sources and part.does is None]

    def _device(self) -> torch.device:
        tensors = [*self.parameters(), *self.buffers()]
        return tensors[0].device if tensors else torch.device("cpu")

    def _key(self, name: str) -> str:
        """Return the name of a node in ``layers``, which takes no dots and no names of its own methods."""
        plain = name.replace(".", "_")
        return f"{plain}_" if hasattr(torch.nn.ModuleDict, plain) or plain in ("", "training") else plain


def _linear(does: Linear) -> torch.nn.Module:
    """Return the module of a linear node: PyTorch's own."""
    outputs, inputs, *kernel = does.weight.shape
    if not kernel:
        module: Any = torch.nn.Linear(inputs, outputs)
    else:
        kind = torch.nn.Conv1d if len(kernel) == 1 else torch.nn.Conv2d
        module = kind(
            inputs * does.groups,
            outputs,
            tuple(kernel),
            stride=does.stride,
            padding=does.padding,
            dilation=does.dilation,
            groups=does.groups,
        )
    with torch.no_grad():
        module.weight.copy_(torch.tensor(does.weight))
        module.bias.copy_(torch.tensor(does.bias))
    return module
