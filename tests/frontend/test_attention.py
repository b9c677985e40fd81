"""Attention and EinsumDense of live and saved models against Keras itself, and what becomes of them; Keras 2 or 3."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from snnc.errors import FrontendError
from snnc.ir.check import check
from tests.frontend import random_attention as draw
from tests.frontend.against_live_keras import agree, generation, randomise
from tests.frontend.loading import import_model, relative_error

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
KINDS = [draw.heads, draw.axes, draw.plain, draw.equation, draw.groups]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_random_layers_give_what_keras_gives(keras, tmp_path, kind, seed):
    if kind is draw.groups and generation(keras) == 2:
        pytest.skip("only Keras 3 has it")
    model, xs = draw.random_attention(keras, kind, seed)
    randomise(model, np.random.default_rng(seed))
    given = [x.astype(bool) if "bool" in str(t.dtype) else x for x, t in zip(xs, model.inputs, strict=True)]
    want = model(given if len(given) > 1 else given[0], training=False)
    graph = import_model(model)
    check(graph)
    got = list(graph.evaluate(dict(zip(graph.inputs, xs, strict=True))).values())
    for a, b in zip(got, want if isinstance(want, (list, tuple)) else [want], strict=True):
        assert relative_error(a, np.asarray(b)) < 1e-5
    for name in ("m.h5", "m.keras"):
        save(keras, model, tmp_path / name)
        assert import_model(tmp_path / name) == graph


def save(keras, model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        newer = generation(keras) == 2 and path.suffix == ".keras"
        model.save(path, **({"save_format": "keras_v3"} if newer else {}))


def test_the_weights_of_attention_are_dense_ops(keras, rng):
    x = keras.Input((5, 6))
    model = keras.Model(x, keras.layers.MultiHeadAttention(2, 3, name="mha")(x, x))
    graph = agree(model, rng)
    kinds = [node.op.kind for node in graph if node.op.arity != 0]
    assert kinds == [*["dense", "reshape"] * 3, "einsum", "softmax", "einsum", "reshape", "dense"]
    dense = [node for node in graph if node.op.kind == "dense"]
    weights = sum(node.op.multiply_adds(*(graph[s].type for s in graph.sources(node.name))) for node in dense)
    assert weights == 4 * 5 * 6 * 6
    assert graph["mha.weights"].type.shape == (2, 5, 5)


def test_one_layer_called_twice_with_other_masks(keras, rng):
    x, y = keras.Input((5, 6)), keras.Input((3, 6))
    layer = keras.layers.MultiHeadAttention(2, 3)
    outputs = [layer(x, x, use_causal_mask=True), layer(x, y), layer(y, y, use_causal_mask=True)]
    graph = agree(keras.Model([x, y], outputs), rng)
    dense = [node.op.weight for node in graph if node.op.kind == "dense"]
    assert len({id(weight) for weight in dense}) == 4


def test_a_mask_that_is_no_input(keras, rng):
    x = keras.Input((4, 6))
    mask = np.tril(np.ones((4, 4))) if generation(keras) == 2 else np.tril(np.ones((1, 4, 4))).astype(bool)
    layer = keras.layers.MultiHeadAttention(2, 3)
    first = keras.Model(x, layer(x, x, attention_mask=mask))
    agree(first, rng)
    graph = import_model(keras.Model(x, layer(x, x, use_causal_mask=True)))
    values = rng.normal(size=(2, 4, 6)).astype(np.float32)
    (got,), (want,) = graph.evaluate(values).values(), import_model(first).evaluate(values).values()
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_an_explicit_mask_holds_for_one_layer_only(keras, rng):
    x, mask = keras.Input((4, 3)), keras.Input((4,), dtype="bool")
    pool = keras.layers.GlobalAveragePooling1D
    model = keras.Model([x, mask], [pool()(x, mask=mask), pool()(x)])
    graph = import_model(model)
    values, counts = rng.normal(size=(2, 4, 3)).astype(np.float32), np.float32([[1, 1, 0, 0], [0, 1, 1, 1]])
    first, second = graph.evaluate(dict(zip(graph.inputs, (values, counts), strict=True))).values()
    np.testing.assert_allclose(second, values.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(first, (values * counts[:, :, None]).sum(1) / counts.sum(1)[:, None], rtol=1e-5)


def test_attention_over_time_is_refused(keras):
    x = keras.Input((5, 6))
    for layer in (keras.layers.MultiHeadAttention(2, 3), keras.layers.Attention()):
        y = layer(x, x) if isinstance(layer, keras.layers.MultiHeadAttention) else layer([x, x])
        with pytest.raises(FrontendError, match="cannot be done slice by slice; compile without --temporal"):
            import_model(keras.Model(x, y), temporal=True)


def test_spectral_normalization_leaves_its_layer_as_trained(keras, rng, tmp_path):
    if not hasattr(keras.layers, "SpectralNormalization"):
        pytest.skip("Keras has it since 2.13")
    wrap = keras.layers.SpectralNormalization
    x = keras.Input((8, 7, 2))
    y = wrap(keras.layers.Conv2D(3, 3, activation="relu"), name="sn")(x)
    inner = keras.Sequential([keras.Input((6, 5, 3)), wrap(keras.layers.DepthwiseConv2D(2)), keras.layers.Flatten()])
    model = keras.Model(x, wrap(keras.layers.Dense(4))(inner(y)))
    model(np.ones((2, 8, 7, 2), dtype=np.float32), training=True)
    graph = agree(model, rng)
    assert graph["sn"].op.kind == "conv"
    for name in ("m.h5", "m.keras"):
        save(keras, model, tmp_path / name)
        assert import_model(tmp_path / name) == graph
