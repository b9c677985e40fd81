"""Random functional Keras models: branches, shared layers, nested models, both layouts."""

from __future__ import annotations

import random
from functools import partial

LARGEST = 600
"""Elements of a tensor; larger ones are not grown further."""
ACTIVATIONS = ("relu", "linear", "relu6", "elu", "selu", "gelu", "swish", "sigmoid", "hard_sigmoid", "tanh", "softplus")
SOFT = ("softsign", "softmax")


class Sketch:
    """A model while it is drawn: the tensors so far, and the layers that may be shared."""

    def __init__(self, keras, depth, choices=None):
        """Start with nothing; models may nest ``depth`` deep."""
        self.keras, self.layers, self.depth, self.random = keras, keras.layers, depth, choices
        self.tensors, self.sources = [], []
        self.used = []

    def pick(self, *values):
        return self.random.choice(values)

    def number(self, low, high):
        return self.random.randint(low, high)

    def chance(self):
        return self.random.random() < 0.5

    def activation(self):
        return self.pick(*ACTIVATIONS, *SOFT)

    def axis(self, shape):
        return self.pick(-1, *range(1, len(shape) + 1))

    def layout(self):
        return self.pick("channels_last", "channels_first")

    def source(self, shape=None):
        """Add an input of a given shape or of any with one to four axes."""
        if shape is None:
            rank = self.number(1, 4)
            shape = tuple(self.number(1 if axis else 2, 6) for axis in range(rank))
        self.sources.append(self.keras.Input(shape))
        self.tensors.append(self.sources[-1])
        return self.sources[-1]

    def step(self):
        """Add one layer behind one or several tensors, or call a layer again."""
        x = self.tensors[-1] if self.chance() else self.pick(*self.tensors)
        twins = [y for y in self.tensors if y is not x and y.shape == x.shape]
        again = [layer for layer, shape in self.used if shape == x.shape]
        kinds = [self.unary, self.unary, self.unary, self.merge]
        kinds += [self.nest] if self.depth else []
        kinds += [self.share] if again else []
        self.tensors.append(self.pick(*kinds)(x, twins, again))

    def unary(self, x, twins, again):
        rank = len(x.shape) - 1
        if x.shape[1:].num_elements() >= LARGEST:
            makers = SMALLER
        else:
            makers = BY_RANK[rank] if self.chance() else EVERYWHERE
        layer = self.pick(*makers)(self, tuple(x.shape[1:]))
        if callable(layer) and hasattr(layer, "weights"):
            self.used.append((layer, x.shape))
        return layer(x)

    def share(self, x, twins, again):
        return self.pick(*again)(x)

    def merge(self, x, twins, again):
        other = self.pick(*twins) if twins else self.layers.Dense(x.shape[-1])(x)
        name = self.pick("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot")
        rank = len(x.shape) - 1
        if name == "Concatenate":
            layer = self.layers.Concatenate(axis=self.pick(-1, *range(1, rank + 1)))
        elif name == "Dot":
            layer = self.layers.Dot(self.number(1, rank), normalize=self.chance()) if rank < 3 else self.layers.Add()
        else:
            layer = getattr(self.layers, name)()
        pair = [x, other]
        if name in ("Add", "Multiply", "Average", "Maximum") and self.chance():
            pair.append(self.layers.Activation("tanh")(x))
        return layer(pair)

    def nest(self, x, twins, again):
        """Call a model of its own, functional or sequential, which may be called again later."""
        model = self.sequence(x) if self.chance() else self.functional(x)
        self.used.append((model, x.shape))
        return model(x)

    def sequence(self, x):
        """Return a Sequential model that may read a tensor, built or yet to be built."""
        inner, y = Sketch(self.keras, 0, self.random), self.keras.Input(x.shape[1:])
        run = [self.layers.InputLayer(x.shape[1:])] if self.chance() else []
        for _ in range(self.number(1, 3)):
            layer = self.pick(*EVERYWHERE, *BY_RANK[len(y.shape) - 1])(inner, tuple(y.shape[1:]))
            run.append(layer if hasattr(layer, "weights") else self.layers.ReLU())
            y = run[-1](y)
        return self.keras.Sequential(run)

    def functional(self, x):
        """Return a functional model that may read a tensor."""
        inner = Sketch(self.keras, self.depth - 1, self.random)
        source = inner.source(x.shape[1:])
        for _ in range(self.number(1, 3)):
            inner.step()
        return self.keras.Model(source, inner.tensors[-1])


def _conv(sketch, shape, name="Conv{}D"):
    rank, depth = len(shape) - 1, shape[-1]
    size = [sketch.number(1, min(3, n)) for n in shape[:-1]]
    padding = sketch.pick("valid", "same", *(["causal"] if rank == 1 and name == "Conv{}D" else []))
    fields = {"kernel_size": size, "padding": padding, "use_bias": sketch.chance()}
    if sketch.chance():
        fields["strides"] = sketch.number(1, 3)
    elif padding != "valid" and name == "Conv{}D":
        fields["dilation_rate"] = sketch.number(1, 2)
    if name == "Conv{}D" and rank < 3 and depth % 2 == 0:
        fields["groups"] = sketch.pick(1, 2)
    if "Depthwise" in name:
        fields["depth_multiplier"] = sketch.number(1, 2)
    else:
        fields["filters"] = 2 * sketch.number(1, 3)
    return getattr(sketch.layers, name.format(rank))(activation=sketch.activation(), **fields)


def _pool(sketch, shape, kind):
    rank = len(shape) - 1
    size = [sketch.number(1, min(3, n)) for n in shape[:-1]]
    strides = sketch.pick(None, *range(1, 4))
    return getattr(sketch.layers, f"{kind}Pooling{rank}D")(size, strides, sketch.pick("valid", "same"))


def _global(sketch, shape, kind):
    name = f"Global{kind}Pooling{len(shape) - 1}D"
    return getattr(sketch.layers, name)(data_format=sketch.layout(), keepdims=sketch.chance())


def _norm(sketch, shape):
    scale, center = sketch.chance(), sketch.chance()
    return sketch.layers.BatchNormalization(axis=sketch.axis(shape), scale=scale, center=center)


def _pad(sketch, shape):
    rank = len(shape) - 1
    pairs = [(sketch.number(0, 2), sketch.number(0, 2)) for _ in range(rank)]
    layout = {"data_format": sketch.layout()} if rank == 2 else {}
    return getattr(sketch.layers, f"ZeroPadding{rank}D")(pairs[0] if rank == 1 else pairs, **layout)


def _crop(sketch, shape):
    rank = len(shape) - 1
    layout = sketch.layout() if rank == 2 else "channels_last"
    space = shape[:-1] if layout == "channels_last" else shape[1:]
    pairs = [(sketch.number(0, (n - 1) // 2), sketch.number(0, (n - 1) // 2)) for n in space]
    fields = {"data_format": layout} if rank == 2 else {}
    return getattr(sketch.layers, f"Cropping{rank}D")(pairs[0] if rank == 1 else pairs, **fields)


def _up(sketch, shape):
    rank = len(shape) - 1
    fields = {"interpolation": sketch.pick("nearest", "bilinear"), "data_format": sketch.layout()} if rank == 2 else {}
    return getattr(sketch.layers, f"UpSampling{rank}D")(2, **fields)


def _relu(sketch, shape):
    limit, slope, threshold = sketch.pick(None, 0.5, 6.0), sketch.pick(0.0, 0.1), sketch.pick(0.0, 0.2)
    return sketch.layers.ReLU(limit, slope, threshold)


def _reshape(sketch, shape):
    total = 1
    for n in shape:
        total *= n
    first = sketch.pick(*(n for n in range(1, 7) if total % n == 0))
    rest = sketch.pick((-1,), (1, -1))
    return sketch.layers.Reshape((first, *rest))


def _permute(sketch, shape):
    return sketch.layers.Permute(tuple(sketch.random.sample(range(1, len(shape) + 1), len(shape))))


def _recurrent(sketch, shape):
    name = sketch.pick("SimpleRNN", "LSTM", "GRU")
    fields = {"return_sequences": sketch.chance(), "go_backwards": sketch.chance()}
    return getattr(sketch.layers, name)(sketch.number(1, 3), **fields)


def _both_ways(sketch, shape):
    inner = sketch.layers.GRU(2, return_sequences=sketch.chance())
    return sketch.layers.Bidirectional(inner, merge_mode=sketch.pick("concat", "sum", "ave"))


def _each_step(sketch, shape):
    """Return a layer or a small model applied to each slice."""
    inner = sketch.pick(*EVERYWHERE, *BY_RANK[len(shape) - 1])(sketch, shape[1:])
    if not hasattr(inner, "weights") or isinstance(inner, sketch.layers.TimeDistributed):
        inner = sketch.layers.Dense(2, activation=sketch.activation())
    return sketch.layers.TimeDistributed(inner)


def _layer(name, **fields):
    return lambda sketch, shape: getattr(sketch.layers, name)(**fields)


EVERYWHERE = (
    lambda sketch, shape: sketch.layers.Dense(sketch.number(1, 6), activation=sketch.activation()),
    lambda sketch, shape: sketch.layers.Dense(sketch.number(1, 6), use_bias=False),
    lambda sketch, shape: sketch.layers.Activation(sketch.activation()),
    lambda sketch, shape: sketch.layers.LeakyReLU(sketch.pick(0.1, 0.3)),
    lambda sketch, shape: sketch.layers.LayerNormalization(
        axis=sketch.pick(-1, *range(1, len(shape) + 1)), epsilon=0.1
    ),
    lambda sketch, shape: sketch.layers.Softmax(sketch.pick(-1, *range(1, len(shape) + 1))),
    lambda sketch, shape: lambda x: x * sketch.pick(2.0, -0.5) + sketch.pick(1.0, 0.25),
    lambda sketch, shape: lambda x: sketch.pick(1.0, 2.0) - x,
    _relu,
    _norm,
    _norm,
    _reshape,
    _permute,
    _layer("PReLU"),
    _layer("Dropout", rate=0.5),
    _layer("GaussianNoise", stddev=1.0),
    _layer("Rescaling", scale=0.5, offset=-0.25),
    _layer("Flatten"),
)
SMALLER = (
    lambda sketch, shape: sketch.layers.Dense(sketch.number(1, 3), activation=sketch.activation()),
    _layer("Flatten"),
    _relu,
    _norm,
)
_SPATIAL = (
    _conv,
    _conv,
    _pad,
    _crop,
    _up,
    *(partial(make, kind=kind) for make in (_pool, _global) for kind in ("Average", "Max")),
)
_FLAT_CONVS = tuple(partial(_conv, name=name) for name in ("DepthwiseConv{}D", "SeparableConv{}D", "Conv{}DTranspose"))
BY_RANK = {
    1: (_layer("RepeatVector", n=3), lambda sketch, shape: lambda x: x[:, ::2]),
    2: (*_SPATIAL, *_FLAT_CONVS, _recurrent, _both_ways, _each_step, lambda sketch, shape: lambda x: x[:, -1]),
    3: (*_SPATIAL, *_FLAT_CONVS, _each_step, _layer("Flatten", data_format="channels_first")),
    4: (*_SPATIAL, _each_step, _layer("Flatten", data_format="channels_first")),
}


def random_model(keras, steps):
    """Return a functional model of one or two inputs, whose outputs are all tensors that nothing reads.

    Args:
        keras: of generation 2.
        steps: a number for each layer, which all choices about it follow from.

    """
    keras.backend.clear_session()
    sketch = Sketch(keras, depth=2)
    for k, seed in enumerate(steps):
        sketch.random = random.Random(seed)
        if not k or (k == 2 and sketch.chance()):
            sketch.source()
        sketch.step()
    nodes = {id(y.node): y.node for y in sketch.tensors}
    read = {id(x) for node in nodes.values() for x in node.keras_inputs}
    return keras.Model(sketch.sources, [y for y in sketch.tensors if id(y) not in read])
