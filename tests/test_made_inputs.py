import numpy as np
import pytest

from snnc import ops
from snnc.errors import DataError, UsageError
from snnc.ir.graph import Graph
from snnc.made_inputs import USUAL, input_ranges, made_inputs, notes_on, samples_or_made, with_ranges
from snnc.testing import chain
from tests.conftest import conv, dense

IMAGE = (12, 12, 3)


def number(value):
    return np.asarray(value, dtype=np.float32)


def behind(*layers, shape=IMAGE):
    """Return a model of a few layers behind an input, which ends in a convolution or a dense layer."""
    rng = np.random.default_rng(0)
    last = conv(rng, (3, 3), shape[-1], 4) if len(shape) == 3 else dense(rng, shape[-1], 4)
    names = ["x", *(f"layer{i}" for i in range(len(layers))), "out"]
    return chain(ops.Input(shape=shape), *layers, last, names=names)


def only(graph):
    (found,) = input_ranges(graph).values()
    return found


@pytest.mark.parametrize(
    ("scale", "shift", "ends"),
    [
        (1 / 255, 0, (0, 255)),
        (1 / 127.5, -1, (0, 255)),
        (1 / 255, -0.5, (0, 255)),
        (2, -1, (0, 1)),
        (0.5, 0.5, (-1, 1)),
        (-1, 1, (0, 1)),
        (1, -127.5, (0, 255)),
    ],
)
def test_rescaling_is_inverted(scale, shift, ends):
    found = only(behind(ops.Affine(scale=number(scale), shift=number(shift))))
    assert (found.low, found.high) == pytest.approx(ends, abs=1e-3)
    assert not found.note


def test_two_rescalings_in_a_row_are_one():
    found = only(
        behind(
            ops.Affine(scale=number(1 / 255), shift=number(0)),
            ops.Identity(),
            ops.Affine(scale=number(2), shift=number(-1)),
        )
    )
    assert (found.low, found.high) == pytest.approx((0, 255), abs=1e-3)


def normalization(mean, deviation, axes=3):
    mean, deviation = (np.broadcast_to(number(v), (3,)).reshape(*(1,) * (axes - 1), 3) for v in (mean, deviation))
    return ops.Affine(scale=1 / deviation, shift=-mean / deviation)


def test_normalization_gives_three_deviations_around_its_mean_and_inputs_that_have_both():
    graph = behind(normalization([10, 20, 30], [1, 2, 3]))
    found = only(graph)
    assert (found.low, found.high) == pytest.approx((7, 39), abs=1e-3)
    x = made_inputs(graph, {"x": found}, 0, 64).inputs["x"]
    assert np.allclose(x.mean(axis=(0, 1, 2)), [10, 20, 30], rtol=0.1)
    assert np.allclose(x.std(axis=(0, 1, 2)), [1, 2, 3], rtol=0.25)


def test_normalization_behind_rescaling_keeps_the_range_of_the_rescaling():
    rescaling = ops.Affine(scale=number(1 / 255), shift=number(0))
    graph = behind(rescaling, normalization([0.4, 0.5, 0.6], [0.2, 0.2, 0.2]))
    found = only(graph)
    assert (found.low, found.high) == pytest.approx((0, 255), abs=1e-3)
    x = made_inputs(graph, {"x": found}, 0, 64).inputs["x"]
    assert np.allclose(x.mean(axis=(0, 1, 2)), [102, 127, 153], rtol=0.15)
    assert x.min() >= 0
    assert x.max() <= 255.001


def test_a_normalization_that_was_never_adapted_says_nothing():
    found = only(behind(normalization(0, 1)))
    assert (found.low, found.high) == USUAL[0]
    assert "nothing in the model says" in found.note


def test_batch_normalisation_of_the_input_itself_says_its_range():
    norm = ops.BatchNorm(gamma=np.ones(3), beta=np.zeros(3), mean=np.full(3, 5.0), variance=np.full(3, 4.0), epsilon=0)
    found = only(behind(norm))
    assert (found.low, found.high) == pytest.approx((-1, 11), abs=1e-3)


def test_an_embedding_is_given_whole_numbers_of_its_rows(rng):
    table = ops.Embedding(table=rng.normal(size=(7, 3)).astype(np.float32))
    graph = chain(ops.Input(shape=(5,)), table, names=["words", "out"])
    x = made_inputs(graph, input_ranges(graph), 0).inputs["words"]
    assert set(np.unique(x)) == set(range(7))


def trained(factor, shift=0.0):
    """Return a model with batch normalisation whose data were noise in 0 to 1, times a factor, and a shift."""
    rng = np.random.default_rng(1)
    plain = behind()
    data = made_inputs(plain, input_ranges(plain), 5, 32).inputs["x"] * factor + shift
    layer = conv(rng, (3, 3), 3, 8)
    y = layer.evaluate(data.astype(np.float32))
    mean, variance = y.mean(axis=(0, 1, 2)), y.var(axis=(0, 1, 2))
    norm = ops.BatchNorm(gamma=np.ones(8), beta=np.zeros(8), mean=mean, variance=variance)
    return chain(ops.Input(shape=IMAGE), layer, norm, ops.Relu(), names=["x", "conv", "norm", "out"])


@pytest.mark.parametrize(("factor", "shift", "ends"), [(1, 0, (0, 1)), (255, 0, (0, 255)), (2, -1, (-1, 1))])
def test_batch_normalisation_tells_which_of_the_usual_ranges_it_was(factor, shift, ends):
    found = only(trained(factor, shift))
    assert (found.low, found.high) == ends
    assert "'norm'" in found.says
    assert not found.note


def test_an_unusual_range_is_measured_by_batch_normalisation():
    found = only(trained(65535))
    assert found.low == 0
    assert 40000 < found.high < 90000


@pytest.mark.parametrize(("asked", "how"), [((0, 1), "larger"), ((0, 65025), "smaller")])
def test_a_range_that_is_wrong_by_255_gets_a_note_that_says_by_how_much(asked, how):
    graph = with_ranges(trained(255), asked)
    found = only(graph)
    assert (found.low, found.high) == asked
    assert f"times {how}" in found.note
    assert "'norm'" in found.note
    times = int(found.note.split(" was ")[1].split(" times")[0])
    assert 150 < times < 400
    assert not only(with_ranges(trained(255), (0, 255))).note


def test_where_nothing_says_the_range_it_is_0_to_1_and_the_note_says_how_a_wrong_one_shows():
    ranges = input_ranges(behind())
    assert (ranges["x"].low, ranges["x"].high) == (0, 1)
    first, second = notes_on(ranges)
    assert "no samples were given" in first
    assert "--input-range LOW,HIGH" in second
    assert "saturated" in second


@pytest.mark.parametrize(("factor", "ends"), [(1, (0, 1)), (1 / 255, (0, 255))])
def test_a_classifier_without_normalisation_that_only_guesses_on_0_to_1_was_made_for_0_to_255(factor, ends):
    rng = np.random.default_rng(0)
    layer = ops.Dense(weight=rng.normal(size=(16, 5)) * 2 * factor, bias=np.zeros(5), activation=ops.Softmax())
    found = only(chain(ops.Input(shape=(16,)), layer, names=["x", "out"]))
    assert (found.low, found.high) == ends
    assert ("only guesses" in found.says) == (ends[1] == 255)
    asked = only(with_ranges(chain(ops.Input(shape=(16,)), layer, names=["x", "out"]), (0, 1)))
    assert ("only guesses" in asked.note) == (ends[1] == 255)


def test_the_users_range_wins_over_what_layers_say():
    graph = with_ranges(behind(ops.Affine(scale=number(1 / 255), shift=number(0))), {"x": (-2, 3)})
    found = only(graph)
    assert (found.low, found.high) == (-2, 3)
    x = made_inputs(graph, {"x": found}, 0).inputs["x"]
    assert (x.min(), x.max()) == (-2, 3)


@pytest.mark.parametrize(
    "asked",
    [(1, 0), (0, 0), (0, float("nan")), (0, float("inf")), (0,), (0, 1, 2), "text", ("a", "b"), 3, {"x": (1, 0)}],
)
def test_what_is_no_range_is_one_clear_error(asked):
    with pytest.raises(UsageError, match="input_range of 'x' must be two numbers, the lower first"):
        with_ranges(behind(), asked)


def test_a_range_of_an_input_that_is_not_there_is_an_error():
    with pytest.raises(UsageError, match="input_range: .*'y'"):
        with_ranges(behind(), {"y": (0, 1)})


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((20, 20, 3), (1, 2)), ((3, 20, 20), (2, 3)), ((50, 2), (1,)), ((20, 20), (1, 2)), ((12, 12, 12, 1), (1, 2, 3))],
)
def test_neighbours_in_space_are_alike(shape, axes):
    graph = Graph("g")
    graph.add("x", ops.Input(shape=shape))
    graph.set_outputs({"x": "x"})
    x = made_inputs(graph, input_ranges(graph), 0).inputs["x"]
    for axis in axes:
        near = np.corrcoef(np.delete(x, 0, axis).ravel(), np.delete(x, -1, axis).ravel())[0, 1]
        assert near > 0.7


def test_a_vector_of_pixels_is_smooth_as_an_image_in_half_of_the_inputs():
    graph = behind(shape=(784,))
    x = made_inputs(graph, input_ranges(graph), 0).inputs["x"].reshape(-1, 28, 28)
    below = [np.corrcoef(each[1:].ravel(), each[:-1].ravel())[0, 1] for each in x]
    assert 0.3 < np.mean(np.array(below) > 0.5) < 0.8


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 1, 1), (2, 2, 2, 2, 2)])
def test_inputs_of_any_shape_are_made(shape):
    graph = Graph("g")
    graph.add("x", ops.Input(shape=shape))
    graph.set_outputs({"x": "x"})
    x = made_inputs(graph, input_ranges(graph), 0, 10).inputs["x"]
    assert x.shape == (10, *shape)
    assert np.isfinite(x).all()


def test_several_inputs_and_sequences_are_made():
    graph = Graph("g")
    for name, length in (("a", None), ("b", None)):
        graph.add(name, ops.Input(shape=(4,), dt=0.001, length=length))
    graph.add("sum", ops.Add(), ["a", "b"])
    graph.set_outputs({"sum": "sum"})
    made = made_inputs(graph, input_ranges(with_ranges(graph, {"b": (5, 6)})), 0, 8)
    assert made.inputs["a"].shape == (8, 10, 4)
    assert made.inputs["b"].min() >= 5
    assert not made.real


def test_made_up_inputs_repeat_with_the_seed_and_both_halves_have_all_widths():
    graph = behind()
    a, b, c = (made_inputs(graph, input_ranges(graph), seed) for seed in (1, 1, 2))
    assert np.array_equal(a.inputs["x"], b.inputs["x"])
    assert not np.array_equal(a.inputs["x"], c.inputs["x"])
    edges = [np.abs(np.diff(half["x"], axis=1)).mean() for half in a.halves()]
    assert edges[0] == pytest.approx(edges[1], rel=0.2)


def test_large_models_get_few_inputs():
    graph = chain(ops.Input(shape=(600, 600, 3)), *(ops.Identity() for _ in range(30)))
    assert len(made_inputs(graph, input_ranges(graph), 0)) == 16


def test_samples_of_the_user_are_taken_and_need_to_be_enough_where_a_pass_measures():
    graph = behind()
    x = np.random.default_rng(0).uniform(size=(10, *IMAGE))
    found, notes = samples_or_made(graph, x, None, 0, measuring=True)
    assert found.real
    assert notes == []
    with pytest.raises(DataError, match="4 calibration samples are too few"):
        samples_or_made(graph, x, 4, 0, measuring=True)
    assert len(samples_or_made(graph, None, None, 0, measuring=False)[0]) == 4
