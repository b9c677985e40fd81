"""Recurrent ops against their definition, one sample and one step at a time; filters against fine time steps."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.errors import ShapeError
from snnc.ir.types import TensorType
from snnc.ops.activations import Relu
from snnc.ops.conv_lstm import ConvLstm
from snnc.ops.recurrent import Gru, Lstm, SimpleRnn, TimeFilter


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights(rng, gates, features=3, units=2):
    shapes = {"kernel": (features, gates * units), "recurrent": (units, gates * units), "bias": (gates * units,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def lstm_by_hand(w, x, h, c):
    outputs = []
    for u in x:
        i, f, z, o = np.split(u @ w["kernel"] + h @ w["recurrent"] + w["bias"], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(z)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.array(outputs), h, c


def gru_by_hand(w, x, reset_after):
    n = w["recurrent"].shape[0]
    first, second = w["bias"] if reset_after else (w["bias"], np.zeros(3 * n))
    h, outputs = np.zeros(n), []
    for u in x:
        a, b = u @ w["kernel"] + first, h @ w["recurrent"] + second
        z, r = sigmoid(a[:n] + b[:n]), sigmoid(a[n : 2 * n] + b[n : 2 * n])
        inner = r * b[2 * n :] if reset_after else (r * h) @ w["recurrent"][:, 2 * n :]
        h = z * h + (1 - z) * np.tanh(a[2 * n :] + inner)
        outputs.append(h)
    return np.array(outputs)


def test_simple_rnn_last_step_and_other_activation(rng):
    w, x = weights(rng, 1), rng.normal(size=(4, 5, 3)).astype(np.float32)
    got = SimpleRnn(**w, activation=Relu(), gives="last").evaluate(x)
    for sample, y in zip(x, got, strict=True):
        h = np.zeros(2)
        for u in sample:
            h = np.maximum(u @ w["kernel"] + h @ w["recurrent"] + w["bias"], 0)
        np.testing.assert_allclose(y, h, rtol=1e-5)


def test_lstm_outputs_and_states_from_initial_states(rng):
    w, x = weights(rng, 4), rng.normal(size=(4, 5, 3)).astype(np.float32)
    h, c = rng.normal(size=(2, 4, 2)).astype(np.float32)
    got = {g: Lstm(**w, gives=g, states=2).evaluate(x, h, c) for g in ("sequence", "last", "state", "cell")}
    for k in range(4):
        outputs, state, cell = lstm_by_hand(w, x[k], h[k], c[k])
        np.testing.assert_allclose(got["sequence"][k], outputs, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(got["last"][k], state, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(got["state"][k], state, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(got["cell"][k], cell, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
def test_gru_in_both_forms_and_directions(rng, reset_after, backwards):
    w, x = weights(rng, 3), rng.normal(size=(2, 6, 3)).astype(np.float32)
    if reset_after:
        w["bias"] = rng.normal(size=(2, 6)).astype(np.float32)
    got = Gru(**w, reset_after=reset_after, backwards=backwards).evaluate(x)
    for k in range(2):
        wanted = gru_by_hand(w, x[k][::-1] if backwards else x[k], reset_after)
        np.testing.assert_allclose(got[k], wanted, rtol=1e-4, atol=1e-6)


def test_masked_steps_are_left_out_and_repeat_the_output_before(rng):
    w, x = weights(rng, 3), rng.normal(size=(2, 6, 3)).astype(np.float32)
    mask = np.array([[0, 1, 1, 0, 1, 0], [1, 1, 1, 1, 1, 1]], dtype=np.float32)
    op = {"reset_after": False, "masked": True}
    got = Gru(**w, **op).evaluate(x, mask)
    kept = gru_by_hand(w, x[0][[1, 2, 4]], reset_after=False)
    np.testing.assert_allclose(got[0], [[0, 0], kept[0], kept[1], kept[1], kept[2], kept[2]], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(got[1], gru_by_hand(w, x[1], reset_after=False), rtol=1e-4, atol=1e-6)
    zeros = Gru(**w, **op, zero_masked=True).evaluate(x, mask)
    np.testing.assert_allclose(zeros[0], got[0] * mask[0][:, None])
    np.testing.assert_allclose(Gru(**w, **op, gives="last").evaluate(x, mask)[0], kept[2], rtol=1e-4, atol=1e-6)


def test_a_conv_lstm_is_an_lstm_at_every_place_where_its_kernels_are_of_size_one(rng):
    w = weights(rng, 4)
    conv = {k: v.reshape((1, 1, *v.shape)) if v.ndim == 2 else v for k, v in w.items()}
    x = rng.normal(size=(2, 5, 4, 3, 3)).astype(np.float32)
    got = ConvLstm(**conv, strides=(1, 2), dilation=(1, 1)).evaluate(x)
    assert got.shape == (2, 5, 4, 2, 2)
    want = Lstm(**w).evaluate(np.ascontiguousarray(x[:, :, 3, 2]))
    np.testing.assert_allclose(got[:, :, 3, 1], want, rtol=1e-5, atol=1e-6)


def test_a_conv_lstm_sees_its_neighbours_states_one_step_later(rng):
    kernel, recurrent = np.zeros((3, 1, 4)), np.zeros((3, 1, 4))
    kernel[1, 0, 2] = recurrent[0, 0, 2] = 1
    bias = np.array([9, -9, 0, 9])  # gates are open, nothing is kept
    x = np.zeros((1, 3, 4, 1), dtype=np.float32)
    x[0, 0, 0] = 1
    got = ConvLstm(kernel=kernel, recurrent=recurrent, bias=bias, strides=(1,), dilation=(1,), padding="same").evaluate(
        x
    )
    assert [np.flatnonzero(np.abs(step[:, 0]) > 0.1).tolist() for step in got[0]] == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("fields", "inputs"),
    [
        ({"gives": "cell"}, [(5, 3)]),
        ({"masked": True}, [(5, 3)]),
        ({"states": 1}, [(5, 3), (4,)]),
        ({}, [(5, 4)]),
        ({"states": 2}, [(5, 3), (2,), (2,)]),
    ],
)
def test_recurrent_ops_refuse_what_does_not_fit(rng, fields, inputs):
    with pytest.raises(ShapeError):
        SimpleRnn(**weights(rng, 1), **fields).infer(*(TensorType(shape) for shape in inputs))


@pytest.mark.parametrize("order", [1, 2])
def test_time_filter_solves_its_equation(rng, order):
    tau, initial, dt, fine = np.array([0.003, 0.02]), np.array([0.5, -1.0]), 0.001, 4000
    x = rng.normal(size=(1, 6, 2)).astype(np.float32)
    got = TimeFilter(tau=tau, initial=initial, dt=dt, order=order).evaluate(x)
    y, slope = initial.copy(), np.zeros(2)
    for t in range(6):
        for _ in range(fine):
            if order == 1:
                y = y + dt / fine * (x[0, t] - y) / tau
            else:
                slope = slope + dt / fine * ((x[0, t] - y) / tau - 2 * slope) / tau
                y = y + dt / fine * slope
        np.testing.assert_allclose(got[0, t], y, rtol=2e-3, atol=1e-4)
