"""Random recurrent models, live and saved, against Keras 2 or 3: cells, stacks, images, directions, states, masks."""

from __future__ import annotations

import random

import numpy as np
import pytest

from snnc.engine.presentation import presentation
from snnc.ir.check import check
from tests.frontend.against_live_keras import generation, randomise
from tests.frontend.loading import import_model, relative_error

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:You are saving:UserWarning")
MODELS = range(48)
CELLS = {"SimpleRNNCell": 1, "GRUCell": 1, "LSTMCell": 2}
"""The cells with the number of their states."""


class Sketch:
    """The choices of one model; ``forwards`` leaves out what reads a sequence from its end."""

    def __init__(self, keras, seed, *, forwards):
        self.layers, self.random, self.forwards = keras.layers, random.Random(seed), forwards

    def pick(self, *values):
        return self.random.choice(values)

    def chance(self):
        return self.random.random() < 0.5

    def switches(self):
        found = {key: self.chance() for key in ("return_sequences", "return_state")}
        return {**found, "go_backwards": not self.forwards and self.chance()}

    def cell(self):
        """Return a cell and the sizes of its states."""
        name, units = self.pick(*CELLS), self.random.randint(1, 3)
        fields = {"activation": self.pick("tanh", "relu", "linear"), "use_bias": self.chance()}
        if name != "SimpleRNNCell":
            fields["recurrent_activation"] = self.pick("sigmoid", "hard_sigmoid")
        if name == "GRUCell":
            fields["reset_after"] = self.chance()
        return getattr(self.layers, name)(units, **fields), [units] * CELLS[name]

    def cells(self):
        """Return a recurrent layer and the sizes of its states."""
        switches = self.switches()
        cells = [self.cell() for _ in range(self.pick(1, 1, 2, 3))]
        sizes = [size for _, own in cells for size in own]
        if len(cells) > 1 or self.chance():
            inner = [cell for cell, _ in cells] if len(cells) > 1 else cells[0][0]
            return self.layers.RNN(inner, **switches), sizes
        cell = cells[0][0]
        fields = {key: cell.get_config()[key] for key in ("units", "activation", "use_bias")}
        return getattr(self.layers, type(cell).__name__.removesuffix("Cell"))(**fields, **switches), sizes

    def images(self, rank):
        """Return a convolutional recurrent layer."""
        fields = {"strides": 2} if self.chance() else {"dilation_rate": self.pick(1, 2)}
        fields |= {**self.switches(), "use_bias": self.chance()}
        return getattr(self.layers, f"ConvLSTM{rank}D")(
            self.random.randint(1, 3),
            self.pick(1, 2, 3),
            padding=self.pick("same", "valid"),
            activation=self.pick("tanh", "relu"),
            **fields,
        )


def model_of(keras, seed, *, forwards=False):
    """Return a random model with a recurrent layer; with ``forwards`` it reads nothing from the end."""
    keras.utils.clear_session() if generation(keras) > 2 else keras.backend.clear_session()
    kind = seed % 4 if not forwards else seed % 2 * 3
    both = kind == 2 or (kind == 3 and not forwards and seed % 8 == 3)
    # Keras 3 does not turn a layer that reads from the end
    sketch = Sketch(keras, seed, forwards=forwards or (both and generation(keras) > 2))
    if kind == 3:
        rank = sketch.pick(1, 2, 2, 3)
        source = keras.Input((4, *(sketch.pick(5, 6) for _ in range(rank)), 2))
        layer = sketch.images(rank)
        if both:
            layer = keras.layers.Bidirectional(layer, merge_mode=sketch.pick("concat", "sum"))
        return keras.Model(source, layer(source))
    source = keras.Input((5, 3))
    x = keras.layers.Masking(0.0)(source) if sketch.chance() else source
    layer, sizes = sketch.cells()
    stacked = isinstance(getattr(layer, "cell", None), keras.layers.StackedRNNCells)
    if both:
        layer = keras.layers.Bidirectional(layer, merge_mode=sketch.pick("concat", "sum", "mul", "ave", None))
        sizes *= 2
    if stacked or forwards or sketch.chance():
        return keras.Model(source, layer(x))
    states = [keras.Input((size,)) for size in sizes]
    return keras.Model([source, *states], layer(x, initial_state=states))


def flat(value):
    return [y for v in value for y in flat(v)] if isinstance(value, (list, tuple)) else [np.asarray(value)]


@pytest.mark.parametrize("seed", MODELS)
def test_a_random_recurrent_model_is_what_keras_computes(keras, seed, tmp_path):
    rng, model = np.random.default_rng(seed), model_of(keras, seed)
    randomise(model, rng)
    xs = [rng.normal(size=(3, *t.shape[1:])).astype(np.float32) for t in model.inputs]
    xs[0][:, 2] = xs[0][1, 0] = 0
    want = flat(model(xs if len(xs) > 1 else xs[0], training=False))
    files = [tmp_path / "m.keras", tmp_path / "m.h5"]
    for file in files:
        model.save(file)
    for source in (model, *files):
        graph = import_model(source)
        check(graph)
        got = list(graph.evaluate(dict(zip(graph.inputs, xs, strict=True))).values())
        assert len(got) == len(want)
        assert max(relative_error(a, b) for a, b in zip(got, want, strict=True)) < 1e-5


@pytest.mark.parametrize("seed", range(16))
def test_slice_by_slice_it_is_what_it_is_over_the_whole_sequence(keras, seed):
    rng, model = np.random.default_rng(seed), model_of(keras, seed, forwards=True)
    randomise(model, rng)
    x = rng.normal(size=(2, *model.inputs[0].shape[1:])).astype(np.float32)
    x[:, 2] = x[1, 0] = 0
    whole, stream = import_model(model), import_model(model, temporal=True)
    assert presentation(stream).temporal
    want = whole.evaluate({next(iter(whole.inputs)): x})
    got = stream.evaluate({next(iter(stream.inputs)): x})
    for a, b in zip(got.values(), want.values(), strict=True):
        assert relative_error(a if a.shape == b.shape else a[:, -1], b) < 1e-5
