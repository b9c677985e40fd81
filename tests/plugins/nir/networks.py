"""Small networks of every shape that NIR can say, by name, as graphs with ReLUs."""

import numpy as np

from snnc import ops
from snnc.ir.graph import Graph


class Net:
    """A graph that grows node by node; weights come from a seed."""

    def __init__(self, seed=0):
        self.graph, self.rng = Graph("net"), np.random.default_rng(seed)

    def add(self, op, *sources, name=""):
        name = self.graph.fresh_name(name or op.kind)
        self.graph.add(name, op, sources, layers=[name])
        return name

    def input(self, *shape, name="x"):
        return self.add(ops.Input(shape=shape), name=name)

    def weights(self, *shape):
        return self.rng.normal(size=shape, scale=1.5 / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)

    def bias(self, n):
        return self.rng.normal(size=n, scale=0.2).astype(np.float32)

    def conv(self, x, outputs, size=(3, 3), strides=None, padding="valid", groups=1, dilation=None):
        axes = len(size)
        kernel = self.weights(*size, self.graph[x].type.shape[-1] // groups, outputs)
        ones = (1,) * axes
        how = {"strides": strides or ones, "padding": padding, "dilation": dilation or ones, "groups": groups}
        return self.add(ops.Conv(kernel=kernel, bias=self.bias(outputs), **how), x)

    def dense(self, x, outputs):
        return self.add(
            ops.Dense(weight=self.weights(self.graph[x].type.shape[-1], outputs), bias=self.bias(outputs)), x
        )

    def relu(self, x):
        return self.add(ops.Relu(), x)

    def flatten(self, x):
        return self.add(ops.Reshape(shape=(-1,)), x)

    def batch_norm(self, x):
        n = self.graph[x].type.shape[-1]
        positive = self.rng.uniform(0.5, 1.5, size=(2, n)).astype(np.float32)
        return self.add(ops.BatchNorm(gamma=positive[0], beta=self.bias(n), mean=self.bias(n), variance=positive[1]), x)

    def out(self, *names):
        self.graph.set_outputs({f"out{i}" if i else "out": name for i, name in enumerate(names)})
        return self.graph


def chain(n):
    h = n.relu(n.conv(n.input(9, 8, 2), 5))
    return n.out(n.dense(n.flatten(n.relu(n.conv(h, 4, strides=(2, 2)))), 3))


def depthwise(n):
    h = n.relu(n.conv(n.input(8, 8, 4), 8, padding="same", groups=4))
    h = n.relu(n.conv(h, 6, size=(1, 1)))
    return n.out(n.dense(n.flatten(h), 3))


def grouped(n):
    h = n.relu(n.conv(n.input(6, 6, 4), 6, groups=2))
    return n.out(n.dense(n.flatten(h), 3))


def strided_same(n):
    h = n.relu(n.conv(n.input(11, 8, 2), 4, strides=(2, 2), padding="same"))
    h = n.relu(n.conv(h, 4, size=(2, 2), strides=(3, 2), padding="same"))
    return n.out(n.dense(n.flatten(h), 3))


def not_square(n):
    h = n.relu(n.conv(n.input(9, 8, 2), 4, size=(1, 5), strides=(3, 1)))
    h = n.relu(n.conv(h, 4, size=(3, 2), padding=((0, 2), (1, 0))))
    return n.out(n.dense(n.flatten(h), 3))


def dilated(n):
    return n.out(n.dense(n.flatten(n.relu(n.conv(n.input(9, 9, 2), 4, dilation=(2, 3)))), 3))


def residual(n):
    h = n.relu(n.conv(n.input(6, 6, 3), 4, padding="same"))
    inner = n.conv(n.relu(n.conv(h, 4, padding="same")), 4, padding="same")
    joined = n.relu(n.add(ops.Add(), inner, h))
    return n.out(n.dense(n.flatten(n.relu(n.add(ops.Add(), joined, h))), 3))


def twice(n):
    h = n.relu(n.dense(n.input(4), 5))
    return n.out(n.dense(n.relu(n.add(ops.Add(), h, h)), 3))


def average_pool(n):
    h = n.relu(n.conv(n.input(9, 9, 2), 4))
    h = n.relu(n.conv(n.add(ops.AvgPool(size=(2, 2), strides=(2, 2), padding="valid"), h), 4, size=(2, 2)))
    return n.out(n.dense(n.add(ops.GlobalAvgPool(), h), 3))


def pool_alone(n):
    h = n.relu(n.conv(n.input(7, 7, 2), 4))
    h = n.relu(n.add(ops.AvgPool(size=(2, 3), strides=(2, 1), padding="valid"), h))
    return n.out(n.add(ops.GlobalAvgPool(), h))


def padded_pool(n):
    h = n.relu(n.conv(n.input(5, 5, 2), 3))
    h = n.relu(n.add(ops.AvgPool(size=(2, 2), strides=(2, 2), padding="same"), h))
    return n.out(n.dense(n.flatten(h), 3))


def conv1d(n):
    h = n.relu(n.conv(n.input(12, 3), 5, size=(4,), strides=(2,), padding="same"))
    h = n.relu(n.conv(h, 4, size=(3,)))
    return n.out(n.dense(n.add(ops.GlobalAvgPool(), h), 3))


def conv1d_flattened(n):
    return n.out(n.dense(n.relu(n.dense(n.flatten(n.relu(n.conv(n.input(8, 2), 3, size=(3,)))), 6)), 3))


def concatenation(n):
    x = n.input(6, 6, 2)
    first, second = n.relu(n.conv(x, 3, padding="same")), n.relu(n.conv(x, 4, size=(1, 1)))
    both = n.add(ops.Concatenate(axis=-1), first, second, x)
    return n.out(n.dense(n.flatten(n.relu(n.conv(both, 4))), 3))


def of_vectors(n):
    h = n.relu(n.dense(n.input(6), 9))
    return n.out(n.dense(n.relu(n.dense(h, 8)), 3))


def separable(n):
    h = n.relu(n.conv(n.conv(n.input(7, 7, 3), 3, groups=3), 5, size=(1, 1)))
    return n.out(n.dense(n.flatten(h), 3))


def norm_before_padding(n):
    h = n.conv(n.batch_norm(n.input(6, 6, 2)), 4, padding="same")
    h = n.conv(n.batch_norm(n.relu(h)), 4, padding="same")
    return n.out(n.dense(n.flatten(n.relu(h)), 3))


def unequal_padding(n):
    h = n.add(ops.ZeroPad(padding=((1, 0), (0, 2))), n.input(6, 6, 2))
    return n.out(n.dense(n.flatten(n.relu(n.conv(h, 4, strides=(2, 2)))), 3))


def upsampled(n):
    h = n.relu(n.conv(n.input(4, 4, 2), 3))
    h = n.relu(n.conv(n.add(ops.Repeat(times=(2, 2, 1)), h), 2, padding="same"))
    return n.out(n.dense(n.flatten(h), 3))


def transposed(n):
    h = n.relu(n.conv(n.input(5, 4, 2), 3))
    return n.out(n.dense(n.flatten(n.relu(n.add(ops.Permute(order=(1, 0, 2)), h))), 3))


def scaled_as_a_vector(n):
    """A permutation is one dense map, so that the population behind it is there as a vector, with a factor each."""
    h = n.relu(n.add(ops.Permute(order=(1, 0, 2)), n.relu(n.conv(n.input(4, 3, 2), 3, size=(1, 1)))))
    factor = n.rng.uniform(0.5, 1.5, size=3).astype(np.float32)
    h = n.relu(n.add(ops.Affine(scale=factor, shift=np.zeros(3, dtype=np.float32)), h))
    return n.out(n.dense(n.flatten(h), 3))


def tokens(n):
    h = n.add(ops.Reshape(shape=(9, 4)), n.relu(n.conv(n.input(5, 5, 2), 4)))
    return n.out(n.dense(n.add(ops.GlobalAvgPool(), n.relu(n.dense(h, 6))), 3))


def activation_behind_flatten(n):
    return n.out(n.dense(n.relu(n.flatten(n.conv(n.input(5, 5, 2), 3))), 3))


def several_ends(n):
    x, y = n.input(5, 5, 2), n.input(4, name="y")
    h = n.relu(n.dense(n.flatten(n.relu(n.conv(x, 3))), 6))
    both = n.add(ops.Concatenate(axis=-1), h, n.relu(n.dense(y, 5)))
    return n.out(n.dense(both, 3), n.dense(h, 2))


def single_numbers(n):
    h = n.relu(n.dense(n.add(ops.Reshape(shape=(1,)), n.input()), 9))
    return n.out(n.add(ops.Reshape(shape=()), n.dense(h, 1)))


def spikes_at_the_end(n):
    return n.out(n.relu(n.conv(n.input(5, 5, 2), 3)))


def softmax_at_the_end(n):
    return n.out(n.add(ops.Softmax(axis=-1), n.dense(n.relu(n.dense(n.input(6), 8)), 3)))


BUILDERS = (
    *(chain, depthwise, grouped, strided_same, not_square, dilated, residual, twice, average_pool, pool_alone),
    *(padded_pool, conv1d, conv1d_flattened, concatenation, of_vectors, separable, norm_before_padding),
    *(unequal_padding, upsampled, transposed, tokens, activation_behind_flatten, several_ends, spikes_at_the_end),
    single_numbers,
    scaled_as_a_vector,
    softmax_at_the_end,
)


def networks():
    """Return every network by name."""
    return {build.__name__: build(Net(seed)) for seed, build in enumerate(BUILDERS)}
