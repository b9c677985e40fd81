"""Random small models of attention layers and of EinsumDense, for both generations of Keras, with inputs for them."""

from __future__ import annotations

import inspect
import random

import numpy as np


class Draw:
    """A model while it is drawn: its inputs, and values for them."""

    def __init__(self, keras, seed):
        """Draw with the layers of one Keras."""
        self.keras, self.layers = keras, keras.layers
        self.random, self.rng = random.Random(seed), np.random.default_rng(seed)
        self.inputs, self.values = [], []

    def pick(self, *values):
        return self.random.choice(values)

    def chance(self):
        return self.random.random() < 0.5

    def number(self, low, high):
        return self.random.randint(low, high)

    def input(self, shape, values, dtype="float32"):
        self.inputs.append(self.keras.Input(shape, dtype=dtype))
        self.values.append(values.astype(np.float32))
        return self.inputs[-1]

    def signal(self, shape):
        return self.input(shape, self.rng.normal(size=(3, *shape)))

    def mask(self, shape):
        return self.input(shape, self.some(shape), "bool")

    def some(self, shape):
        """Return a mask that keeps the first step, because Keras divides by the number of those that it keeps."""
        kept = self.rng.random((3, *shape)) < 0.7
        kept[:, 0] |= len(shape) == 1
        return kept

    def sequence(self, steps, features):
        """Return a sequence, which may carry a mask."""
        how = self.pick("plain", "plain", "embedding", "masking")
        if how == "embedding":
            tokens = self.input((steps,), self.rng.integers(1, 4, size=(3, steps)) * self.some((steps,)))
            return self.layers.Embedding(4, features, mask_zero=True)(tokens)
        x = self.rng.normal(size=(3, steps, features)) * self.some((steps,))[:, :, None]
        x = self.input((steps, features), x)
        return self.layers.Masking()(x) if how == "masking" else x

    def model(self, outputs):
        return self.keras.Model(self.inputs, outputs)


def accepted(layer, **fields):
    """Return the fields that this version of a layer has."""
    known = inspect.signature(layer.__init__).parameters
    return {key: value for key, value in fields.items() if key in known}


def heads(draw):
    """Return a model of MultiHeadAttention over sequences, which may carry masks, and of what reads its mask."""
    steps, features = draw.number(1, 5), draw.number(1, 4)
    query = draw.sequence(steps, features)
    value = query if draw.chance() else draw.sequence(draw.number(1, 5), draw.number(1, 4))
    cls, dropout = draw.layers.MultiHeadAttention, draw.pick(0.0, 0.0, 0.3)
    layer = cls(
        num_heads=draw.number(1, 3),
        key_dim=draw.number(1, 4),
        value_dim=draw.pick(None, 2, 5) if dropout or draw.keras.__version__ < "3" else None,  # JAX wants them alike
        use_bias=draw.chance(),
        dropout=dropout,
        output_shape=draw.pick(None, None, (3,), (2, 2)),
        **accepted(cls, use_gate=draw.chance(), sliding_window=draw.pick(None, 2)),
    )
    call = attention_call(draw, query, value)
    if draw.chance():
        call["key"] = draw.sequence(value.shape[1], draw.number(1, 4))
    return draw.model(joined(draw, query, layer(query, value, **call), call))


def attention_call(draw, query, value):
    """Return arguments that both layers with heads take."""
    call = {"use_causal_mask": True} if draw.chance() else {}
    if draw.chance():
        call["attention_mask"] = draw.mask((query.shape[1], value.shape[1]))
    if draw.pick(True, False, False):
        call["return_attention_scores"] = True
    return call


def joined(draw, query, made, call):
    """Return outputs that tell how a layer hands masks on."""
    made = list(made) if call.get("return_attention_scores") else [made]
    if len(made[0].shape) == 3:
        made.append(draw.layers.GlobalAveragePooling1D()(made[0]))
        if made[0].shape == query.shape:
            made.append(draw.layers.GRU(2)(draw.layers.Add()([query, made[0]])))
    return made


def axes(draw):
    """Return a model of MultiHeadAttention over some axes of images or volumes."""
    rank = draw.number(3, 4)
    shape = tuple(draw.number(1, 3) for _ in range(rank))
    over = sorted(draw.random.sample(range(1, rank), draw.number(1, rank - 1)))
    other = tuple(draw.number(1, 3) if axis + 1 in over else n for axis, n in enumerate(shape[:-1]))
    query = draw.signal(shape)
    value = query if draw.chance() else draw.signal((*other, draw.number(1, 3)))
    layer = draw.layers.MultiHeadAttention(
        num_heads=draw.number(1, 3),
        key_dim=draw.number(1, 3),
        attention_axes=draw.pick(over, tuple(over)) if len(over) < rank - 1 or draw.chance() else None,
    )
    call = {"return_attention_scores": True} if draw.chance() and draw.keras.__version__ < "3" else {}
    made = layer(query, value, **call)
    return draw.model(list(made) if call else made)


def groups(draw):
    """Return a model of GroupQueryAttention, which Keras 3 has."""
    shared = draw.number(1, 3)
    features = draw.number(1, 4)
    query = draw.sequence(draw.number(1, 5), features)
    value = query if draw.chance() else draw.sequence(draw.number(1, 5), features)
    cls = draw.layers.GroupQueryAttention
    layer = cls(
        head_dim=draw.number(1, 3),
        num_query_heads=shared * draw.number(1, 3),
        num_key_value_heads=shared,
        use_bias=draw.chance(),
        **accepted(cls, use_gate=draw.chance(), sliding_window=draw.pick(None, 2)),
    )
    call = attention_call(draw, query, value)
    call.pop("return_attention_scores", None)
    return draw.model(joined(draw, query, layer(query, value, **call), call))


def plain(draw):
    """Return a model of Attention or AdditiveAttention."""
    features = draw.number(1, 4)
    query = draw.sequence(draw.number(1, 5), features)
    value = query if draw.chance() else draw.sequence(draw.number(1, 5), features)
    sources = [query, value]
    if draw.chance():
        sources.append(draw.sequence(value.shape[1], features))
    fields = {"use_scale": draw.chance(), "dropout": draw.pick(0.0, 0.3)}
    if draw.chance():
        layer = draw.layers.AdditiveAttention(**fields)
    else:
        layer = draw.layers.Attention(score_mode=draw.pick("dot", "concat"), **fields)
    call = {"use_causal_mask": True} if draw.chance() else {}
    if draw.chance():
        call["return_attention_scores"] = True
    if draw.pick(True, False, False):
        call["mask"] = [draw.mask(query.shape[1:2]), draw.mask(value.shape[1:2])]
    return draw.model(joined(draw, query, layer(sources, **call), call))


def equation(draw):
    """Return a model of EinsumDense with any equation that Keras permits."""
    letters = list("bcdefgh")
    source = [letters.pop(0) for _ in range(draw.number(1, 3))]
    kernel = [k for k in source if draw.chance()]
    units = [letters.pop(0) for _ in range(draw.number(0 if kernel else 1, 2))]
    result = [k for k in source if draw.pick(True, True, False)] + units
    draw.random.shuffle(result)
    kernel = kernel + units
    draw.random.shuffle(kernel)
    sizes = {k: draw.number(1, 4) for k in "abcdefghxy"}
    left, right = draw.pick(("a", ""), ("a", ""), ("...", ""), ("a", "..."))
    elided = "xy"[: draw.number(0, 2)] if left + right != "a" else ""
    shape = [*(elided if left == "..." else ""), *source, *(elided if right else "")]
    text = f"{left}{''.join(source)}{right},{''.join(kernel)}->{left}{''.join(result)}{right}"
    bias = "".join(k for k in result if draw.chance()) or None
    layer = draw.layers.EinsumDense(
        text, [sizes[k] for k in result], draw.pick(None, "relu", "softmax" if result else None), bias
    )
    return draw.model(layer(draw.signal(tuple(sizes[k] for k in shape))))


def random_attention(keras, kind, seed):
    """Return a model and values for its inputs."""
    keras.backend.clear_session()
    draw = Draw(keras, seed)
    return kind(draw), draw.values
