"""Attention and EinsumDense from files written by hand, against numpy: no Keras is needed."""

from __future__ import annotations

import numpy as np
import pytest

from snnc.errors import FrontendError
from tests.frontend.keras_files import functional, keras3_node, kernel, layer, source, write_h5, write_zip
from tests.frontend.loading import import_model

X = ("x", 0, 0)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attended(query, key, value, hidden=0.0):
    """Return what heads give: (batch, steps, heads, size) each."""
    scores = np.einsum("bqhd,bkhd->bhqk", query, key) / np.sqrt(query.shape[-1])
    return np.einsum("bhqk,bkhd->bqhd", softmax(scores - hidden), value)


def one_layer(own, *node, shape=(5, 4)):
    own["inbound_nodes"] = [keras3_node(*node)] if node else [[[*X, {}]]]
    return functional([["x", 0, 0]], [[own["name"], 0, 0]], source("x", *shape), own)


@pytest.mark.parametrize("private", ["", "_"])
@pytest.mark.parametrize("name", ["GroupQueryAttention", "GroupedQueryAttention"])
def test_groups_of_heads_of_a_file_whose_parts_have_private_names_or_not(rng, tmp_path, name, private):
    own = layer(name, "g", num_query_heads=4, num_key_value_heads=2, head_dim=3, use_bias=False, trainable=True)
    shapes = {"query": (4, 4, 3), "key": (4, 2, 3), "value": (4, 2, 3), "output": (4, 3, 4)}
    weights = {part: kernel(rng, *shape) for part, shape in shapes.items()}
    groups = {f"layers/grouped_query_attention/{private}{part}_dense": [w] for part, w in weights.items()}
    graph = import_model(write_zip(tmp_path / "m.keras", one_layer(own, X, X), groups, version="3.6.0"))
    x = kernel(rng, 2, 5, 4)
    query, key, value = (np.einsum("btf,fhd->bthd", x, weights[part]) for part in ("query", "key", "value"))
    y = attended(query, key.repeat(2, axis=2), value.repeat(2, axis=2))
    (got,) = graph.evaluate(x).values()
    np.testing.assert_allclose(got, np.einsum("bthd,hdo->bto", y, weights["output"]), rtol=1e-4, atol=1e-5)


def heads_of_keras_2(tmp_path, rng, **config):
    own = layer("MultiHeadAttention", "m", num_heads=2, key_dim=3, use_bias=False, **config)
    document = one_layer(own)
    own["inbound_nodes"] = [[["x", 0, 0, {"value": list(X), "use_causal_mask": True}]]]
    shapes = {"query": (4, 2, 3), "key": (4, 2, 3), "value": (4, 2, 3), "attention_output": (2, 3, 4)}
    weights = {part: kernel(rng, *shape) for part, shape in shapes.items()}
    stored = {"m": {f"m/{part}/kernel:0": w for part, w in weights.items()}}
    return write_h5(tmp_path / "m.h5", document, stored), weights


def test_heads_of_keras_2_that_look_back_only(rng, tmp_path):
    path, weights = heads_of_keras_2(tmp_path, rng, attention_axes=[1], value_dim=3)
    x = kernel(rng, 2, 5, 4)
    heads = (np.einsum("btf,fhd->bthd", x, weights[part]) for part in ("query", "key", "value"))
    y = attended(*heads, hidden=1e9 * (1 - np.tri(5)))
    (got,) = import_model(path).evaluate(x).values()
    np.testing.assert_allclose(got, np.einsum("bthd,hdo->bto", y, weights["attention_output"]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axes", [[2], [0], [1, 1]])
def test_axes_that_cannot_be_attended_over_are_refused(rng, tmp_path, axes):
    path, _ = heads_of_keras_2(tmp_path, rng, attention_axes=axes)
    with pytest.raises(FrontendError, match=r"'m' \(MultiHeadAttention\): its attention_axes .* are not axes between"):
        import_model(path)


@pytest.mark.parametrize(
    ("equation", "output_shape", "reason"),
    [
        ("abb,bc->ac", [5], "a letter twice"),
        ("abc,cd->bd", [5], "keep the batch first"),
        ("abc,cd->bad", [5, 5], "keep the batch first"),
        ("ab,bc->ac", [5], "must have the batch first, then 2 axes"),
        ("abc,ce->abd", [5, 3], "a letter that only one term knows"),
    ],
)
def test_an_equation_that_is_none_of_weights_is_refused(rng, tmp_path, equation, output_shape, reason):
    own = layer("EinsumDense", "e", equation=equation, output_shape=output_shape, bias_axes=None)
    path = write_h5(tmp_path / "m.h5", one_layer(own), {"e": {"e/kernel:0": kernel(rng, 4, 5)}})
    with pytest.raises(FrontendError, match=f"'e' .EinsumDense.: its equation '{equation}' .*{reason}"):
        import_model(path)


def test_spectral_normalization_reads_the_weights_of_its_layer_alone(rng, tmp_path):
    inner = layer("Dense", "d", units=3, use_bias=True)
    own = layer("SpectralNormalization", "s", trainable=True, layer={"class_name": "Dense", "config": inner["config"]})
    w, b = kernel(rng, 4, 3), kernel(rng, 3)
    stored = {"s": {"s/kernel:0": w, "s/bias:0": b, "s/vector_u:0": kernel(rng, 1, 3)}}
    x = kernel(rng, 2, 5, 4)
    (got,) = import_model(write_h5(tmp_path / "m.h5", one_layer(own), stored, "2.15.0")).evaluate(x).values()
    np.testing.assert_allclose(got, x @ w + b, rtol=1e-5, atol=1e-6)
    own["inbound_nodes"] = [keras3_node(X, training=False)]
    groups = {"layers/spectral_normalization/layer": [w, b], "layers/spectral_normalization": [w, kernel(rng, 1, 3)]}
    path = write_zip(tmp_path / "m.keras", functional([["x", 0, 0]], [["s", 0, 0]], source("x", 5, 4), own), groups)
    (got,) = import_model(path).evaluate(x).values()
    np.testing.assert_allclose(got, x @ w + b, rtol=1e-5, atol=1e-6)
