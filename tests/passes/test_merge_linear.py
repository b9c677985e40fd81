import numpy as np
import pytest

from snnc import neurons, ops
from snnc.engine.simulate import simulate
from snnc.errors import LoweringError
from snnc.ir.graph import Graph
from snnc.ops import resample
from snnc.passes.merge_linear import MergeLinear
from snnc.passes.write_scales import WriteScales
from snnc.testing import apply, assert_same_outputs, chain, kinds, random_inputs
from tests.conftest import conv, dense


def fire(scale=1.0):
    return neurons.Neurons(model=neurons.SoftResetIf(), scale=scale)


def merged(graph, **options):
    after = apply(MergeLinear(**options), graph)
    assert_same_outputs(graph, after)
    x = random_inputs(graph)
    x = {name: 300 * np.abs(y) for name, y in x.items()}
    a, b = (simulate(g, x, 12, window=slice(0, 12)).outputs for g in (graph, after))
    for name, y in a.items():
        assert np.any(y != 0)
        assert np.mean(np.abs(y - b[name])) <= 0.01 * np.mean(np.abs(y)), name  # a spike may come a step later
    return after


def image(rng, *between, channels=3):
    return chain(ops.Input(shape=(8, 8, channels)), fire(), *between, fire())


def test_layers_between_two_populations_become_one_convolution(rng):
    graph = image(rng, ops.AvgPool(size=(2, 2), strides=(2, 2)), conv(rng, (3, 3), 3, 4, padding="same"))
    assert kinds(merged(graph)) == ["input", "neurons", "conv", "neurons"]


@pytest.mark.parametrize("sparse", [True, False])
def test_without_convolutions_every_map_is_a_matrix(rng, sparse):
    between = () if sparse else (ops.Reshape(shape=(-1,)), dense(rng, 144, 5))
    graph = image(rng, conv(rng, (3, 3), 3, 4), *between)
    after = merged(graph, convolutions=False)
    kind = "sparse-map" if sparse else "dense"
    assert [k for k in kinds(after) if k not in ("reshape", "shift")] == ["input", "neurons", kind, "neurons"]


def test_the_output_is_merged_and_keeps_its_name(rng):
    graph = chain(ops.Input(shape=(6, 6, 2)), fire(), ops.GlobalAvgPool(), dense(rng, 2, 3), names=["x", "a", "p", "y"])
    after = merged(graph)
    assert kinds(after) == ["input", "neurons", "reshape", "dense"] and list(after.outputs) == ["y"]


def test_what_two_populations_read_is_computed_once(rng):
    graph = chain(ops.Input(shape=(6,)), fire(), dense(rng, 6, 4), names=["x", "a", "shared"])
    graph.add("up", fire(), ["shared"])
    graph.add("down", fire(0.5), ["shared"])
    graph.set_outputs({"up": "up", "down": "down"})
    after = merged(graph)
    assert after.sources("up") == after.sources("down") == ("shared",)


def test_a_sum_of_branches_is_a_map_a_source_and_what_is_read_besides_stays(rng):
    graph = image(rng, conv(rng, (3, 3), 3, 3, padding="same"))
    graph.add("sum", ops.Add(), ["neurons", "neurons_1"])
    graph.add("pool", ops.AvgPool(size=(2, 2), strides=(2, 2)), ["sum"])
    graph.add("last", fire(), ["pool"])
    graph.set_outputs({"y": "last", "sum": "sum"})
    after = merged(graph)
    (feed,) = after.sources("last")
    assert after[feed].op.kind == "add" and len(after.sources(feed)) == 2
    assert after.sources("sum") == ("neurons", "neurons_1")


def test_a_function_between_populations_is_merged_on_both_sides(rng):
    graph = image(
        rng,
        ops.ZeroPad(padding=((1, 1), (1, 1))),
        conv(rng, (3, 3), 3, 4),
        ops.Relu(),
        ops.GlobalAvgPool(),
        dense(rng, 4, 2),
    )
    assert kinds(merged(graph)) == ["input", "neurons", "conv", "relu", "reshape", "dense", "neurons"]


def lowpass(tau=0.002):
    return neurons.Synapse(model=neurons.Lowpass(tau=tau))


def test_a_filter_goes_in_front_and_a_second_one_stays(rng):
    bias = np.zeros(4)
    first = ops.Dense(weight=rng.normal(size=(6, 4)), bias=bias)
    graph = chain(ops.Input(shape=(6,)), fire(), first, lowpass(0.005), dense(rng, 4, 3), lowpass(), fire())
    after = merged(graph)
    assert kinds(after) == ["input", "neurons", "synapse", "dense", "synapse", "neurons"]


def test_a_filter_that_a_constant_passes_stays(rng):
    graph = chain(ops.Input(shape=(6,)), fire(), dense(rng, 6, 4), lowpass(0.005), dense(rng, 4, 3), fire())
    assert kinds(merged(graph)) == kinds(graph)


def test_what_is_no_convolution_becomes_a_sparse_map_and_a_bias_a_shift(rng):
    affine = ops.Affine(scale=rng.normal(size=(8, 8, 3)), shift=rng.normal(size=(8, 8, 3)))
    graph = image(rng, affine, ops.Repeat(times=(2, 2, 1)), resample.crop((16, 16, 3), ((1, 1), (1, 1), (0, 0))))
    assert kinds(merged(graph)) == ["input", "neurons", "sparse-map", "shift", "neurons"]


def test_a_reshape_there_and_back_is_nothing(rng):
    graph = image(rng, ops.Reshape(shape=(-1,)), ops.Reshape(shape=(8, 8, 3)))
    assert kinds(merged(graph)) == ["input", "neurons", "neurons"]


def test_it_takes_over_the_factors_that_write_scales_leaves(rng):
    graph: Graph = chain(ops.Input(shape=(6,)), fire(0.25), dense(rng, 6, 4), fire(0.5), dense(rng, 4, 2))
    written = apply(WriteScales(), graph)
    assert kinds(merged(written)) == ["input", "dense", "neurons", "dense", "neurons", "dense"]


def test_the_promise_names_what_is_not_merged(rng):
    graph = image(rng, ops.AvgPool(size=(2, 2), strides=(2, 2)))
    assert list(MergeLinear().postcondition(graph)) == ["node 'avg-pool' (avg-pool) is not merged"]


def test_a_layer_that_is_too_large_to_be_found_out_is_named():
    repeat = ops.Repeat(times=(2, 2, 1))
    graph = chain(ops.Input(shape=(64, 64, 16)), fire(), repeat, fire())
    [name] = [node.name for node in graph if node.op is repeat]
    with pytest.raises(LoweringError, match=rf"layer '{name}'.*too large to be found out"):
        MergeLinear().sums(graph)
