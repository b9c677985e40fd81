import numpy as np
import pytest

from snnc import neurons, ops
from snnc.analysis.choose_task import nature_of, task_of
from snnc.errors import DataError, UsageError
from snnc.testing import chain
from tests.conftest import conv, dense

N = 12


def ending(rng, *last, shape=(6,), units=4):
    """Return a graph of a dense layer and what comes behind it."""
    return chain(ops.Input(shape=shape), dense(rng, shape[-1], units), *last)


def task(graph, labels=None, asked=None, inputs=None):
    (output,) = graph.outputs
    return task_of(graph, output, labels, inputs, asked)


def of_classes(n=4, shape=(N,)):
    return np.arange(int(np.prod(shape))).reshape(shape) % n


@pytest.mark.parametrize(
    ("activation", "units", "labels", "kind", "choice"),
    [
        (ops.Softmax(), 4, of_classes(), "classes", "largest"),
        (ops.Softmax(), 4, np.eye(4)[of_classes()], "classes", "largest"),
        (ops.Softmax(), 4, None, "classes", "largest"),
        (ops.Sigmoid(), 1, of_classes(2), "binary", "threshold"),
        (ops.Sigmoid(), 1, None, "binary", "threshold"),
        (ops.Sigmoid(), 1, np.linspace(0, 1, N), "regression", None),
        (ops.Sigmoid(), 4, np.eye(4)[of_classes()], "multi-label", "threshold"),
        (ops.Sigmoid(), 4, of_classes(4), "classes", "largest"),
        (ops.Sigmoid(), 4, np.linspace(0, 1, 4 * N).reshape(N, 4), "regression", None),
        (ops.Linear(), 4, of_classes(), "classes", "largest"),
        (ops.Linear(), 4, of_classes().astype(float)[:, None], "classes", "largest"),
        (ops.Linear(), 4, np.eye(4)[of_classes()], "classes", "largest"),
        (ops.Linear(), 4, of_classes(2, (N, 4)), "multi-label", "threshold"),
        (ops.Linear(), 4, np.linspace(0, 1, 4 * N).reshape(N, 4), "regression", None),
        (ops.Linear(), 4, None, "undecided", None),
        (ops.Relu(), 4, None, "undecided", None),
        (ops.Linear(), 1, of_classes(2), "binary", "threshold"),
        (ops.Linear(), 1, of_classes(2).astype(np.float32)[:, None], "binary", "threshold"),
        (ops.Linear(), 1, of_classes(2) * 2 - 1, "binary", "threshold"),
        (ops.Linear(), 1, np.zeros(N), "regression", None),
        (ops.Linear(), 1, of_classes(70), "regression", None),
        (ops.Linear(), 1, None, "regression", None),
        (ops.Tanh(), 4, None, "regression", None),
        (ops.Tanh(), 4, of_classes(), "classes", "largest"),
        (ops.Tanh(), 1, of_classes(2) * 2 - 1, "binary", "threshold"),
    ],
)
def test_vectors_are_what_their_activation_and_their_labels_say(rng, activation, units, labels, kind, choice):
    found = task(ending(rng, activation, units=units), labels)
    assert (found.kind, found.choice) == (kind, choice)
    assert found.threshold == (0.5 if isinstance(activation, ops.Sigmoid) else 0)


@pytest.mark.parametrize(
    ("channels", "activation", "labels", "kind", "choice"),
    [
        (3, ops.Softmax(), of_classes(3, (N, 5, 5)), "pixels", "largest"),
        (3, ops.Softmax(), of_classes(3, (N, 5, 5, 1)), "pixels", "largest"),
        (3, ops.Softmax(), np.eye(3)[of_classes(3, (N, 5, 5))], "pixels", "largest"),
        (3, ops.Linear(), of_classes(3, (N, 5, 5)), "pixels", "largest"),
        (3, ops.Linear(), np.linspace(0, 1, N * 75).reshape(N, 5, 5, 3), "regression", None),
        (3, ops.Linear(), None, "regression", None),
        (1, ops.Sigmoid(), of_classes(2, (N, 5, 5)), "pixels", "threshold"),
        (1, ops.Sigmoid(), 255 * of_classes(2, (N, 5, 5, 1)).astype(np.uint8), "pixels", "threshold"),
        (1, ops.Sigmoid(), None, "pixels", "threshold"),
        (2, ops.Sigmoid(), None, "reconstruction", None),
        (2, ops.Linear(), None, "reconstruction", None),
    ],
)
def test_maps_have_a_class_or_a_yes_for_each_pixel_or_values(rng, channels, activation, labels, kind, choice):
    graph = chain(ops.Input(shape=(5, 5, 2)), conv(rng, (1, 1), 2, channels, padding=((0, 0), (0, 0))), activation)
    found = task(graph, labels)
    assert (found.kind, found.choice) == (kind, choice)


def test_positions_of_an_image_in_one_row_or_without_channels_are_pixels(rng):
    map_of = conv(rng, (1, 1), 2, 1, padding=((0, 0), (0, 0)))
    graph = chain(ops.Input(shape=(5, 5, 2)), map_of, ops.Sigmoid(), ops.Reshape(shape=(5, 5)))
    assert task(graph).kind == task(graph, of_classes(2, (N, 5, 5))).kind == "pixels"
    assert task(chain(ops.Input(shape=(5, 6)), dense(rng, 6, 5, ops.Sigmoid()))).kind == "sequences"


def test_classes_may_be_on_another_axis(rng):
    graph = chain(ops.Input(shape=(4, 5)), dense(rng, 5, 5), ops.Softmax(axis=0))
    found = task(graph, of_classes(4, (N, 5)))
    assert (found.kind, found.axis, found.classes, found.positions) == ("sequences", -2, 4, (5,))
    y = np.zeros((2, 4, 5))
    y[:, 3] = 1
    assert (found.decide(y) == 3).all() and found.decide(y).shape == (2, 5)


def test_labels_that_are_the_input_are_a_reconstruction(rng):
    graph = ending(rng, ops.Sigmoid(), shape=(4,))
    x = np.float32(rng.integers(0, 2, (N, 4)))
    assert task(graph, x, inputs={"input": x}).kind == "reconstruction"
    assert task(graph, 1 - x, inputs={"input": x}).kind == "multi-label"
    assert task(graph, None).kind == "reconstruction"


def test_a_stream_may_have_a_label_for_each_slice(rng):
    graph = chain(ops.Input(shape=(6,), dt=0.001), dense(rng, 6, 4))
    x = {"input": rng.normal(size=(N, 7, 6)).astype(np.float32)}
    assert not task(graph, of_classes(), inputs=x).each_step
    each = task(graph, of_classes(4, (N, 7)), inputs=x)
    assert (each.kind, each.choice, each.each_step) == ("sequences", "largest", True)
    values = task(graph, rng.normal(size=(N, 7, 4)), inputs=x)
    assert (values.kind, values.choice, values.each_step) == ("sequences", None, True)
    assert values.targets(rng.normal(size=(N, 7, 4)), (N, 7)).shape == (N, 7, 4)
    with pytest.raises(DataError, match="give"):
        task(graph, of_classes(4, (N, 8)), inputs=x)


def test_what_moves_or_averages_probabilities_leaves_them_what_they_are(rng):
    graph = chain(ops.Input(shape=(5, 6)), dense(rng, 6, 4, ops.Softmax()), ops.Mean(axes=(0,)), names=["x", "d", "m"])
    assert nature_of(graph, "m").kind == "softmax"
    graph = chain(ops.Input(shape=(5, 6)), dense(rng, 6, 1, ops.Sigmoid()), ops.Reshape(shape=(5,)), names="xdr")
    assert task(graph).kind == "multi-label"
    graph = chain(ops.Input(shape=(5, 6)), dense(rng, 6, 4, ops.Softmax()), ops.Reshape(shape=(20,)), names="xdr")
    assert nature_of(graph, "r").kind == "linear"


def test_sums_of_the_same_are_looked_at_once(rng):
    graph = ending(rng, ops.Sigmoid())
    (node,) = graph.outputs
    for _ in range(60):  # 2 ** 60 paths
        node = graph.add(graph.fresh_name("twice"), ops.Add(), [node, node]).name
    assert nature_of(graph, node).kind == "add"


def test_neurons_are_what_they_stand_for(rng):
    for model, kind in ((neurons.SpikingRelu(), "linear"), (neurons.Regular(base="sigmoid"), "sigmoid")):
        assert nature_of(ending(rng, neurons.Neurons(model=model)), "neurons").kind == kind


def test_a_stream_that_gives_its_slices_again_is_a_reconstruction_of_each(rng):
    graph = chain(ops.Input(shape=(4,), dt=0.001), dense(rng, 4, 4))
    assert (task(graph).kind, task(graph).each_step) == ("reconstruction", True)
    assert task(graph, asked="reconstruction").each_step
    last = chain(ops.Input(shape=(4,), dt=0.001), dense(rng, 4, 4), ops.LastStep())
    assert task(last).kind == "undecided"


@pytest.mark.parametrize(
    ("asked", "activation", "units", "labels", "choice"),
    [
        ("regression", ops.Sigmoid(), 1, of_classes(2), None),
        ("classes", ops.Sigmoid(), 4, np.eye(4)[of_classes()], "largest"),
        ("multi-label", ops.Linear(), 4, np.eye(4)[of_classes()], "threshold"),
        ("binary", ops.Linear(), 1, None, "threshold"),
        ("reconstruction", ops.Linear(), 4, np.ones((N, 4)), None),
    ],
)
def test_what_is_asked_for_is_done(rng, asked, activation, units, labels, choice):
    found = task(ending(rng, activation, units=units), labels, asked)
    assert (found.kind, found.choice, found.by) == (asked, choice, "as asked for")


def test_what_cannot_be_is_refused_with_what_can(rng):
    graph = ending(rng)
    with pytest.raises(UsageError, match=r"unknown kind 'clases' \(did you mean 'classes'\?\)"):
        task(graph, asked="clases")
    for asked in ("binary", "pixels", "sequences", "reconstruction"):
        with pytest.raises(UsageError, match=f"cannot be {asked}, which needs"):
            task(graph, asked=asked)
    with pytest.raises(UsageError, match="cannot be classes, which needs one number for each class"):
        task(ending(rng, units=1), asked="classes")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((N, 3)), r"give \(12,\) of classes or \(12, 4\)"),
        (np.zeros((N, 2, 2)), "give"),
        (np.linspace(0, 1, N), "whole numbers are classes"),
        (np.array(list("abcdefghijkl")), "labels are finite numbers"),
        (np.zeros((N, 0)), "labels are finite numbers"),
        (np.full(N, np.nan), "labels are finite numbers"),
        (np.full(N, 1e300), "labels are finite numbers"),
        (np.zeros(N, dtype=complex), "labels are finite numbers"),
        (np.array([None] * N), "labels are finite numbers"),
    ],
)
def test_labels_that_fit_nothing_are_data_errors(rng, labels, message):
    with pytest.raises(DataError, match=rf"labels of shape .* do not fit output 'dense' of shape \(4,\): .*{message}"):
        task(ending(rng), labels)


def test_an_op_of_each_slice_is_what_it_is_inside(rng):
    graph = ending(rng, ops.EachSlice(op=ops.Softmax(axis=0)), shape=(3, 5, 6))
    assert nature_of(graph, graph.output_nodes[graph.outputs[0]]).axis == -2
    pairs = ending(rng, ops.EachSlice(op=ops.GlobalAvgPool()), shape=(3, 5, 6))
    assert nature_of(pairs, pairs.output_nodes[pairs.outputs[0]]).kind == "linear"
    (x,) = pairs.inputs
    joined = pairs.add("joined", ops.EachSlice(op=ops.Einsum(equation="az,mz->am")), [x, x]).name
    assert nature_of(pairs, joined).kind == "einsum"
