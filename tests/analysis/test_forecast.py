"""The forecast of counting neurons: what the quantised model gives is what the network has sent at the end."""

import numpy as np
import pytest

from snnc import ops
from snnc.analysis.forecast import FLIPS_A_POINT, SURE, Quantised, flips_a_point, forecast, judged, walk
from snnc.analysis.quantised import quantised_graph
from snnc.engine.rate import evaluate_nodes
from snnc.engine.simulate import simulate
from snnc.ir.graph import Graph
from snnc.neurons import Neurons, SignedIf
from tests.conftest import conv, dense


def network(seed, scale=1.0, gamma=4):
    """Return a random network of three populations, with a sum of two branches."""
    rng = np.random.default_rng(seed)
    spiking = Neurons(model=SignedIf(gamma=gamma), scale=scale)
    g = Graph("random")
    g.add("x", ops.Input(shape=(6, 6, 2)))
    g.add("a.linear", conv(rng, (3, 3), 2, 4, padding="same"), ["x"])
    g.add("a", spiking, ["a.linear"])
    g.add("b.linear", conv(rng, (3, 3), 4, 4, padding="same"), ["a"])
    g.add("b", spiking, ["b.linear"])
    g.add("sum", ops.Add(), ["a", "b"])
    g.add("pool", ops.GlobalAvgPool(), ["sum"])
    g.add("c.linear", dense(rng, 4, 8), ["pool"])
    g.add("c", spiking, ["c.linear"])
    g.add("out", dense(rng, 8, 3), ["c"])
    g.set_outputs({"out": "out"})
    return g


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("steps", [1, 4, 9])
def test_a_signed_network_counts_to_the_quantised_model_up_to_the_limit_of_gamma(seed, steps):
    """With room to take back and catch up in the last step, each has sent what the quantised model gives."""
    gamma = 1000
    graph = network(seed, scale=1e-3 / 4, gamma=gamma)
    x = np.random.default_rng(seed + 100).uniform(0, 1, (5, 6, 6, 2)).astype(np.float32)
    names = ("a", "b", "c")
    run = simulate(graph, x, steps, window=slice(0, steps), watch=names)
    counted = quantised_graph(graph, steps, 0.001)
    assert counted is not None
    want = evaluate_nodes(counted, {"x": x}, set(names))
    unit = 0.25 / steps
    for name in names:
        difference = np.abs(run.means[name] - want[name]) / unit
        # a sum that is rounded otherwise may end on the other side of a threshold, and one of the next layer with it
        assert np.mean(difference > 0.01) < 0.02, name


def test_spikes_that_are_taken_back_count_as_spikes():
    g = Graph("back")
    g.add("x", ops.Input(shape=(1,), dt=0.001))
    g.add("n", Neurons(model=SignedIf(gamma=2), scale=0.001), ["x"])
    g.set_outputs({"n": "n"})
    x = np.float32([2, 0, -1, -4, 1])[None, :, None]
    run = simulate(g, x, 5, window=slice(0, 5), watch=["n"])
    assert run.outputs["n"][0, :, 0].tolist() == [2, 0, -1, -1, 0]  # it never takes back more than it has sent
    assert run.totals["n"][0, 0] == 4
    assert run.means["n"][0, 0] == 0


def test_the_range_of_least_error_and_the_shift_keep_the_mean():
    graph, rng = network(3), np.random.default_rng(0)
    x, held = ({"x": rng.uniform(0, 1, (48, 6, 6, 2)).astype(np.float32)} for _ in range(2))
    names = frozenset({"a", "b", "c"})
    coarse, fine = (forecast(graph, dict.fromkeys(names, levels), x, held) for levels in (4, 32))
    assert fine.error < 0.5 * coarse.error
    assert fine.flips < coarse.flips
    assert fine.spikes > 2 * coarse.spikes
    seen = {}

    def means(node, z, wanted):
        chosen = coarse.populations[node.name]
        y = chosen.counts(z) * chosen.unit
        axes = tuple(range(y.ndim - 1))
        seen[node.name] = np.abs(y.mean(axis=axes) - wanted.mean(axis=axes)).max() / wanted.mean()
        return y

    walk(graph, x, names, means)
    assert max(seen.values()) < 0.05


def test_populations_that_are_not_named_are_exact_and_what_a_step_may_send_is_a_whole_number():
    graph, rng = network(3), np.random.default_rng(0)
    x = {"x": rng.uniform(0, 1, (48, 6, 6, 2)).astype(np.float32)}
    one, other, both = (forecast(graph, dict.fromkeys(names, 8), x, x) for names in ("a", "b", "ab"))
    assert set(both.counts) == {"a", "b"} and both.counts["a"].shape == graph["a"].type.shape
    assert both.spikes == sum(count.sum() for count in both.counts.values())
    assert max(one.error, other.error) < both.error < 1.5 * np.hypot(one.error, other.error)
    meets = {"a": np.full((6, 6, 4), 2.0), "b": np.full((6, 6, 4), 3.0)}
    assert both.synops(meets) == pytest.approx(2 * both.counts["a"].sum() + 3 * both.counts["b"].sum())
    assert forecast(graph, {"a": 9}, x, x, steps=4).populations["a"].most == 12


def test_counts_are_rounded_and_bounded():
    chosen = Quantised(unit=np.float32(0.5), shift=np.zeros(1, np.float32), most=4, of=ops.Relu())
    z = np.float32([[-3.0, 0.2, 0.3, 1.0, 5.0]]).T
    assert chosen.counts(z).ravel().tolist() == [0, 0, 1, 2, 4]


def test_what_may_be_negative_is_counted_with_its_sign():
    chosen = Quantised(unit=np.float32(0.5), shift=np.zeros(1, np.float32), most=4, of=ops.Linear())
    assert chosen.counts(np.float32([[-3.0], [-0.3], [0.2], [5.0]])).ravel().tolist() == [-4, -1, 0, 4]
    squashed = Quantised(unit=np.float32(0.25), shift=np.zeros(1, np.float32), most=8, of=ops.Tanh())
    assert squashed.counts(np.float32([[-9.0], [0.0], [9.0]])).ravel().tolist() == [-4, 0, 4]


def test_flips_are_expected_where_margins_are_small():
    rng = np.random.default_rng(0)
    want = np.zeros((400, 2), np.float32)
    want[:, 0] = rng.uniform(0, 4, 400)
    noise = rng.normal(size=(400, 2)).astype(np.float32)
    error, flips = judged(want + 0.5 * noise, want)
    assert 0.2 < error < 0.6
    assert flips == pytest.approx(np.mean((want + 0.5 * noise).argmax(1) != 0), abs=0.03)
    assert judged(want, want) == (0.0, pytest.approx(0.0, abs=1e-6))
    assert judged(np.full_like(want, np.nan), want) == (np.inf, 1.0)


def test_large_outputs_with_large_errors_say_nothing_of_the_others():
    rng = np.random.default_rng(0)
    size = np.where(rng.uniform(size=(400, 1)) < 0.1, 30, 1)
    want = (size * rng.normal(size=(400, 10))).astype(np.float32)
    got = (want + 0.1 * size * rng.normal(size=want.shape)).astype(np.float32)
    _, flips = judged(got, want)
    assert flips == pytest.approx(np.mean(got.argmax(1) != want.argmax(1)), abs=0.03)


def test_margins_of_the_samples_that_were_fitted_count_with_errors_as_large_as_those_held_back():
    rng = np.random.default_rng(0)
    want, others = (rng.normal(size=(300, 10)).astype(np.float32) for _ in range(2))
    noise, better = rng.normal(size=(2, 300, 10)).astype(np.float32)
    _, alone = judged(want + 0.2 * noise, want)
    _, both = judged(want + 0.2 * noise, want, (others + 0.001 * better, others))
    assert both == pytest.approx(alone, rel=0.15)


def test_a_sample_for_which_the_model_has_no_largest_output_cannot_change_its_class():
    rng = np.random.default_rng(0)
    want = np.zeros((200, 4), np.float32)
    want[:190] = rng.uniform(0, 1, (190, 4))
    got = want + rng.normal(0, 0.05, want.shape).astype(np.float32)
    assert judged(got, want)[1] == pytest.approx(0.95 * judged(got[:190], want[:190])[1], rel=0.05)
    # outputs of which that is said often are values, such as those of a ReLU, and are judged by their error
    error, lost = judged(got[100:], np.where(want > 0.7, want, 0)[100:])
    assert lost == pytest.approx(min(100 * FLIPS_A_POINT * error**2, 1))


def test_values_lose_a_point_with_each_hundredth_of_their_variance():
    rng = np.random.default_rng(0)
    want = rng.normal(size=(1000, 1)).astype(np.float32)
    error, lost = judged(want + 0.1 * rng.normal(size=want.shape).astype(np.float32), want)
    assert error == pytest.approx(0.1, rel=0.1)
    assert lost / FLIPS_A_POINT == pytest.approx(1.0, rel=0.2)
    # numbers so close together that each would be another class are not taken for classes
    close = (10 * want + 1e-4 * np.arange(5)).astype(np.float32)
    error, lost = judged(close + 0.1 * rng.normal(size=close.shape).astype(np.float32), close)
    assert lost / FLIPS_A_POINT == pytest.approx(4 * 100 * error**2)
    assert lost < 0.01


def test_the_worst_output_is_what_counts():
    graph, rng = network(3), np.random.default_rng(0)
    x, held = ({"x": rng.uniform(0, 1, (48, 6, 6, 2)).astype(np.float32)} for _ in range(2))
    names = dict.fromkeys(("a", "b", "c"), 4)
    alone = [graph.copy() for _ in range(3)]
    alone[1].add("image", dense(rng, 4, 2), ["a"])
    alone[1].set_outputs({"image": "image"})
    alone[1].prune()
    both = graph.copy()
    both.add("image", alone[1]["image"].op, ["a"])
    both.set_outputs({"out": "out", "image": "image"})
    errors = [forecast(g, {name: 4 for name in names if name in g}, x, held).error for g in (alone[0], alone[1], both)]
    assert errors[2] == pytest.approx(max(errors[:2]), rel=0.05)


def test_a_layer_that_is_silent_on_the_samples_may_fire_on_others():
    graph, rng = network(3), np.random.default_rng(0)
    linear = graph["a.linear"].op
    graph.replace("a.linear", type(linear)(**{**linear.attrs(), "bias": np.full(4, -40.0)}))
    x = {"x": rng.uniform(0, 1, (48, 6, 6, 2)).astype(np.float32)}
    found = forecast(graph, {"a": 4}, x, x).populations["a"]
    assert found.counts(np.full((1, 4), 3.0, np.float32)).any()
    assert 0.1 < float(np.max(found.unit)) < 10


def test_what_a_sure_model_changes_is_lost():
    rng = np.random.default_rng(0)
    unsure = rng.normal(size=(200, 10)).astype(np.float32)
    assert flips_a_point(0.035, unsure) == 0.035
    sure = 40 * np.eye(10, dtype=np.float32)
    assert flips_a_point(0.035, sure) == SURE
    between = np.log(np.float32([[0.95, 0.025, 0.025]] * 5))
    assert flips_a_point(0.04, between) == pytest.approx(0.02)
    assert flips_a_point(0.035, None) == 0.035  # no choice among classes
