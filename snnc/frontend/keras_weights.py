"""Which array belongs to which weight of which layer: the three ways in which Keras stores them.

Each source maps ``LayerSpec`` to arrays by role. Layers are identified by their place in the model, not by name.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from snnc.errors import FrontendError
from snnc.frontend.base import Role
from snnc.frontend.hdf5 import Hdf5Shards, SafeHdf5
from snnc.frontend.keras_config import LayerSpec, ModelSpec
from snnc.ir.op import frozen_array
from snnc.ir.types import AnyArray, Array

RolesOf: TypeAlias = Callable[[LayerSpec], Sequence[Role]]
WeightTable: TypeAlias = dict[LayerSpec, Mapping[str, Array]]
Seen: TypeAlias = dict[Any, Mapping[str, Array]]
"""The weights of the layers read so far, by what tells whether a layer is one of them: models may share layers."""
CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
"""The group of a model's layers in the Keras 3 layout; the second name is that of Keras 2.12."""
_ONLY_FOR_TRAINING = ("vector_u",)
"""Weights that SpectralNormalization has beside those of the layer inside it."""


class WeightSource(ABC):
    """Where the weights of a model are."""

    @abstractmethod
    def read(self, model: ModelSpec, roles: RolesOf) -> WeightTable:
        """Return the weights of every layer that has any.

        Raises:
            FrontendError: arrays are missing, too many or in an unknown order; names the layer.
            FileError: the file is damaged or hostile.

        """


def leaves(spec: LayerSpec) -> Iterator[LayerSpec]:
    """Yield the layers that own weights themselves: inside nested models and wrappers, or the layer itself."""
    if spec.model is not None:
        for layer in spec.model.layers:
            yield from leaves(layer)
    elif spec.inner is not None:
        yield from leaves(spec.inner)
    else:
        yield spec


def weight(spec: LayerSpec, role: Role, array: AnyArray) -> Array:
    """Return a weight as read-only float32; raise FrontendError if it is not all numbers."""
    with np.errstate(over="ignore"):
        array = frozen_array(array)
    if not np.isfinite(array).all():
        raise FrontendError(
            f"layer {spec.name!r} ({spec.class_name}): its weight {role.name!r} holds NaN or infinite values; "
            "train the model again or repair it"
        )
    return array


def storage_type(spec: LayerSpec) -> str | None:
    """Return the dtype of a layer's variables, as its config says; a file may not mark bfloat16."""
    dtype = spec.config.get("dtype")
    if isinstance(dtype, Mapping) and isinstance(dtype.get("config"), Mapping):
        dtype = dtype["config"].get("name")
    return dtype if isinstance(dtype, str) else None


def frozen(spec: LayerSpec) -> bool:
    """Return whether a layer's weights are all non-trainable."""
    return spec.config.get("trainable") is False


class LegacyHdf5(WeightSource):
    """``model_weights``: a group a layer, by name, with its weights in the order of the attribute ``weight_names``."""

    def __init__(self, file: SafeHdf5, root: str) -> None:
        """Read from the group ``root`` of the file."""
        self._file = file
        self._root = root

    def read(self, model: ModelSpec, roles: RolesOf) -> WeightTable:
        weighted = [spec for spec in model.layers if any(roles(leaf) for leaf in leaves(spec))]
        table: WeightTable = {}
        for spec, group in zip(weighted, self._groups(weighted), strict=True):
            table.update(self._layer(spec, group, roles))
        return table

    def _groups(self, weighted: Sequence[LayerSpec]) -> list[str]:
        """Return each layer's group: by name, or by order where layers were renamed."""
        names = self._file.names(self._root, "layer_names") or []
        if all(spec.name in names for spec in weighted):
            return [spec.name for spec in weighted]
        filled = [name for name in names if self._weight_names(name)]
        if len(filled) != len(weighted):
            missing = next(spec for spec in weighted if spec.name not in names)
            raise FrontendError(
                f"layer {missing.name!r} ({missing.class_name}): the file has no weights for it, and its "
                f"{len(filled)} layers with weights cannot be matched with the config's {len(weighted)} by order either"
            )
        return filled

    def _weight_names(self, group: str) -> list[str]:
        names = self._file.names(f"{self._root}/{group}", "weight_names") or []
        return [name for name in names if tail(name) not in _ONLY_FOR_TRAINING]

    def _layer(self, spec: LayerSpec, group: str, roles: RolesOf) -> WeightTable:
        names = self._weight_names(group)
        wanted = _match(spec, [(leaf, role) for leaf in leaves(spec) for role in roles(leaf)], names)
        table: dict[LayerSpec, dict[str, Array]] = {}
        for name, (leaf, role) in zip(names, wanted, strict=True):
            array = self._file.array(f"{self._root}/{group}/{name}", storage_type(leaf))
            table.setdefault(leaf, {})[role.name] = weight(leaf, role, array)
        return dict(table)


def _match(
    spec: LayerSpec, wanted: Sequence[tuple[LayerSpec, Role]], names: Sequence[str]
) -> list[tuple[LayerSpec, Role]]:
    """Return the wanted weights in the order of the stored names.

    A nested model lists all trainable weights first, a frozen layer's come with the others at the end. The last part
    of a name is the role's, which tells whether the order is right.
    """
    if len(names) != len(wanted):
        raise count_error(spec, len(names), len(wanted))
    tails = [tail(name) for name in names]
    known = {last_part(role.name) for _, role in wanted}
    orders = (
        sorted(wanted, key=lambda w: not w[1].trainable or frozen(w[0]) or frozen(spec)),
        list(wanted),
        sorted(wanted, key=lambda w: not w[1].trainable),
    )
    for order in orders:
        if all(t not in known or _same_role(t, role.name) for t, (_, role) in zip(tails, order, strict=True)):
            return order
    if len(set(tails)) == len(tails) and set(tails) == known:
        by_tail = {last_part(role.name): (leaf, role) for leaf, role in wanted}
        return [by_tail[t] for t in tails]
    raise FrontendError(
        f"layer {spec.name!r} ({spec.class_name}): its stored weights {', '.join(names)} are not in an order that fits "
        "its config"
    )


def count_error(spec: LayerSpec, stored: int, wanted: int) -> FrontendError:
    """Return the error for a layer that has more or fewer arrays than its config needs."""
    lora = any(leaf.config.get("lora_rank") for leaf in leaves(spec))
    remedy = (
        "merge its LoRA weights (save it as .keras)" if lora else "is it the config of another model, or quantised?"
    )
    return FrontendError(
        f"layer {spec.name!r} ({spec.class_name}): {stored} array(s) stored, its config needs {wanted}; {remedy}"
    )


def tail(name: str) -> str:
    """Return the last part of a variable's name, without TensorFlow's ``:0``."""
    return re.sub(r":\d+$", "", name).rsplit("/", 1)[-1]


def last_part(role: str) -> str:
    """Return a role without the part of the layer that it belongs to."""
    return role.rsplit("/", 1)[-1]


def _same_role(tail: str, role: str) -> bool:
    """Return whether a stored name is that of a role; Keras 3 calls a depthwise kernel ``kernel``."""
    return last_part(role) == tail or (tail == "kernel" and role == "depthwise_kernel")


class Hdf5ByClass(WeightSource):
    """The Keras 3 layout: groups named after classes and counted, weights numbered under ``vars``."""

    def __init__(self, file: SafeHdf5 | Hdf5Shards) -> None:
        """Read from the root of the file."""
        self._file = file

    def read(self, model: ModelSpec, roles: RolesOf) -> WeightTable:
        table: WeightTable = {}
        self._model(model, "", roles, table, {})
        return table

    def _model(self, model: ModelSpec, path: str, roles: RolesOf, table: WeightTable, seen: Seen) -> None:
        container = next((c for c in CONTAINERS if f"{path}/{c}" in self._file), CONTAINERS[0])
        counts: Counter[str] = Counter()
        for spec in model.layers:
            if spec.operator or (spec.class_name == "InputLayer" and model.class_name == "Sequential"):
                continue
            base = "functional" if spec.stored_class == "Model" else snake_case(spec.stored_class)
            name = f"{base}_{counts[base]}" if counts[base] else base
            owns = any(roles(leaf) for leaf in leaves(spec))
            has = owns or (spec.stored_as and self._file.groups(f"{path}/{container}/{name}/vars"))
            # Keras 2.12 walks a layer that has weights twice, under two keys
            counts[base] += 2 if container == CONTAINERS[1] and has else 1
            if owns:
                self._layer(spec, f"{path}/{container}/{name}", roles, table, seen)

    def _layer(self, spec: LayerSpec, path: str, roles: RolesOf, table: WeightTable, seen: Seen) -> None:
        self._check_name(spec, path)
        if spec.model is not None:
            self._model(spec.model, path, roles, table, seen)
        elif spec.inner is not None:
            self._layer(spec.inner, f"{path}/layer", roles, table, seen)
        elif roles(spec):
            key = (spec.class_name, spec.name)
            # a layer that an outer and an inner model share is stored once, at the first place
            if key in seen and not self._file.groups(self._place(path, roles(spec)[0].group)):
                table[spec] = seen[key]
            else:
                table[spec] = seen[key] = self._arrays(spec, path, roles(spec))

    def _arrays(self, spec: LayerSpec, path: str, roles: Sequence[Role]) -> Mapping[str, Array]:
        arrays: dict[str, Array] = {}
        for group in dict.fromkeys(role.group for role in roles):
            place = self._place(path, group)
            mine = [role for role in roles if role.group == group]
            stored = sorted((k for k in self._file.groups(place) if k.isdigit()), key=int)
            if len(stored) != len(mine):
                raise count_error(spec, len(stored), len(mine))
            for key, role in zip(stored, mine, strict=True):
                arrays[role.name] = weight(spec, role, self._file.array(f"{place}/{key}", storage_type(spec)))
        return arrays

    def _place(self, path: str, group: str) -> str:
        """Return where the weights of a part of a layer are: under the name of its attribute, which may be private."""
        place, private = _vars(path, group), _vars(path, f"_{group}")
        return private if group and place not in self._file and private in self._file else place

    def _check_name(self, spec: LayerSpec, path: str) -> None:
        """Newer files say which layer a group belongs to: the surest sign of a wrong match."""
        name = self._file.attr(f"{path}/vars", "name")
        if name is not None and name != spec.name:
            raise FrontendError(
                f"layer {spec.name!r} ({spec.class_name}): its place in the file holds the weights of {name!r}; "
                "the config and the weights are of different models"
            )


def _vars(path: str, group: str) -> str:
    return f"{path}/{group}/vars" if group else f"{path}/vars"


def snake_case(class_name: str) -> str:
    """Return a class name as Keras writes it into files: ``PReLU`` to ``p_re_lu``, ``Conv2D`` to ``conv2d``."""
    name = re.sub(r"\W+", "", class_name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
