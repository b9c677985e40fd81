"""Random sequence models: slice by slice they are what they are over the whole sequence."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import snnc
from snnc.engine.presentation import presentation
from snnc.registry import Registry
from tests.frontend.loading import import_model, relative_error
from tests.models import input_layer, layer, sequential, write_keras

STEPS, FEATURES = 6, 4
CONV = {"strides": [1], "use_bias": True, "activation": "relu", "data_format": "channels_last"}
RNN = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True, "go_backwards": False}
RECURRENT = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
"""Recurrent layers, with the number of their gates."""
KINDS = ("Dense", "Conv1D", *RECURRENT, "BatchNormalization", "Softmax", "Dropout")
REGISTRY = Registry.discover()
ACTIVATIONS = st.sampled_from(["linear", "relu", "tanh", "softmax"])


@st.composite
def inner(draw, features):
    """Return (class name, config, shapes of the weights, features) of a layer that keeps the steps."""
    units, kind = draw(st.integers(1, 5)), draw(st.sampled_from(KINDS))
    if kind == "Dense":
        fields = {"units": units, "activation": draw(ACTIVATIONS), "use_bias": True}
        return kind, fields, [(features, units), (units,)], units
    if kind == "Conv1D":
        size, groups = draw(st.integers(1, 4)), features if draw(st.booleans()) else 1
        filters = units * groups
        causal = {"padding": "causal", "dilation_rate": [draw(st.integers(1, 3))], "groups": groups}
        shapes = [(size, features // groups, filters), (filters,)]
        return kind, {**CONV, **causal, "filters": filters, "kernel_size": [size]}, shapes, filters
    if kind in RECURRENT:
        fields = {**RNN, "units": units, "return_sequences": True, "reset_after": True}
        return kind, fields, recurrent(kind, features, units), units
    axis = draw(st.sampled_from([-1, 2]))
    if kind == "BatchNormalization":
        return kind, {"axis": axis, "epsilon": 0.1, "scale": True, "center": True}, [(features,)] * 4, features
    return kind, {"rate": 0.5} if kind == "Dropout" else {"axis": axis}, [], features


def recurrent(kind, features, units):
    """Return the shapes of the weights of a recurrent layer."""
    wide = units * RECURRENT[kind]
    return [(features, wide), (units, wide), (2, wide) if kind == "GRU" else (wide,)]


@st.composite
def ends(draw, features):
    """Return layers that end the axis of time, or none."""
    kind = draw(st.sampled_from(["", "GlobalAveragePooling1D", "GlobalMaxPooling1D", "AveragePooling1D", "GRU"]))
    if kind == "GRU":
        return [
            (kind, {**RNN, "units": 3, "return_sequences": False, "reset_after": True}, recurrent(kind, features, 3), 3)
        ]
    fields = {"keepdims": False} if kind.startswith("Global") else {"pool_size": [STEPS], "padding": "valid"}
    return [(kind, fields, [], features)] if kind else []


@st.composite
def rows(draw):
    """Return the layers of a model."""
    found, features = [], FEATURES
    for _ in range(draw(st.integers(1, 4))):
        found.append(draw(inner(features)))
        features = found[-1][-1]
    return found + draw(ends(features))


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(rows=rows(), seed=st.integers(0, 99))
def test_slice_by_slice_is_the_whole_sequence(rows, seed):
    rng = np.random.default_rng(seed)
    layers, weights, counts = [input_layer(STEPS, FEATURES)], {}, {}
    for k, (kind, config, shapes, _) in enumerate(rows):
        layers.append(layer(kind, f"layer{k}", **config))
        group = GROUPS.get(kind, kind.lower())
        place = f"{group}_{counts[group]}" if counts.setdefault(group, 0) else group
        counts[group] += 1
        if shapes:
            inside = "/cell" if kind in RECURRENT else ""
            weights[f"{place}{inside}"] = [rng.uniform(0.2, 1, size=s) * rng.choice([-1, 1]) for s in shapes]
            if kind == "BatchNormalization":
                weights[place][3] = np.abs(weights[place][3])
    x = rng.normal(size=(2, STEPS, FEATURES)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = write_keras(Path(folder) / "m.keras", sequential(layers), weights)
        whole, stream = import_model(path), import_model(path, temporal=True)
    got, want = presentation(stream).as_keras(stream.evaluate(x)), whole.evaluate(x)
    for name, y in want.items():
        assert relative_error(got[name].reshape(y.shape), y) < 1e-5
    passed = snnc.compile(stream, neurons="relu", build=False, verify=False, registry=REGISTRY).graph
    for name, y in presentation(passed).as_keras(passed.evaluate(x)).items():
        assert relative_error(y.reshape(want[name].shape), want[name]) < 1e-4


GROUPS = {"SimpleRNN": "simple_rnn", "BatchNormalization": "batch_normalization"}
"""The names of groups of weights that are more than the class in small letters."""
