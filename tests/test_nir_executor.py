"""The executor of NIR files against cases computed by hand, and against scipy."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from scipy.signal import correlate
from snnc_nir.file import NirFile, NirNode

from tests.nir_executor import Run, execute


def _chain(shape, *nodes, metadata=None):
    """Return a file with nodes in a row between an input and an output."""
    named = {"input": NirNode("Input", {"shape": np.array(shape)})}
    named.update({f"n{k}": node for k, node in enumerate(nodes)})
    named["output"] = NirNode("Output", {"shape": np.array(shape)})
    names = list(named)
    return NirFile(named, tuple(itertools.pairwise(names)), metadata or {})


def _run(node, x, steps=1, metadata=None, **options) -> Run:
    x = np.asarray(x, dtype=np.float64)
    return execute(_chain(x.shape[1:], node, metadata=metadata), {"input": x}, steps=steps, **options)


def _ones(*names, shape=(1,)):
    return {name: np.ones(shape) for name in names}


def _over_time(node, values, metadata=None, dt=1.0):
    """Return a node's output in every step for one number a step."""
    x = np.asarray(values, dtype=np.float64)[None, :, None]
    file = _chain((1,), node, metadata={"temporal": np.array(1), **(metadata or {})})
    return execute(file, {"input": x}, dt=dt).outputs["n0"][0, :, 0].tolist()


def test_an_affine_map():
    node = NirNode("Affine", {"weight": np.array([[1.0, 2.0], [3.0, 4.0]]), "bias": np.array([10.0, 20.0])})
    assert _run(node, [[1.0, -1.0]]).outputs["n0"].tolist() == [[[9.0, 19.0]]]


def test_edges_into_one_node_add_up():
    file = NirFile(
        {
            "input": NirNode("Input", {"shape": np.array([1])}),
            "a": NirNode("Scale", {"scale": np.array([2.0])}),
            "b": NirNode("Linear", {"weight": np.array([[5.0]])}),
            "output": NirNode("Output", {"shape": np.array([1])}),
        },
        (("input", "a"), ("input", "b"), ("a", "output"), ("b", "output")),
    )
    assert execute(file, {"input": np.array([[3.0]])}, steps=2).outputs["output"].tolist() == [[[21.0], [21.0]]]


@pytest.mark.parametrize("padding", [np.array([1, 2]), "same", "valid"])
def test_a_convolution_is_a_correlation(padding):
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(1, 2, 6, 7)), rng.normal(size=(3, 2, 3, 3))
    fields = {"stride": 1, "padding": padding, "dilation": 1, "groups": 1, "bias": np.arange(3.0)}
    got = _run(NirNode("Conv2d", {"weight": weight, **fields}), x).outputs["n0"][0, 0]
    high, wide = {"same": (1, 1), "valid": (0, 0)}.get(padding if isinstance(padding, str) else "", (1, 2))
    padded = np.pad(x[0], [(0, 0), (high, high), (wide, wide)])
    for channel in range(3):
        wanted = sum(correlate(padded[c], weight[channel, c], mode="valid") for c in range(2)) + channel
        np.testing.assert_allclose(got[channel], wanted, atol=1e-12)


def test_stride_dilation_and_groups():
    x = np.arange(7.0)[None, None] * np.array([1.0, 10.0])[None, :, None]
    node = NirNode(
        "Conv1d",
        {
            "weight": np.array([[[1.0, -1.0]], [[1.0, 1.0]]]),
            "stride": 2,
            "padding": 0,
            "dilation": 3,
            "groups": 2,
            "bias": np.zeros(2),
        },
    )
    got = _run(node, x).outputs["n0"][0, 0]
    assert got.tolist() == [[-3.0, -3.0], [10 * (0.0 + 3), 10 * (2.0 + 5)]]


def test_pools():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    fields = {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2]), "padding": np.array([0, 0])}
    assert _run(NirNode("SumPool2d", fields), x).outputs["n0"][0, 0, 0].tolist() == [[10.0, 18.0], [42.0, 50.0]]
    assert _run(NirNode("AvgPool2d", fields), x).outputs["n0"][0, 0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_flatten_counts_axes_of_a_sample():
    x = np.arange(8.0).reshape(1, 2, 2, 2)
    whole = NirNode("Flatten", {"start_dim": np.array(0), "end_dim": np.array(-1)})
    assert _run(whole, x).outputs["n0"].shape == (1, 1, 8)
    part = NirNode("Flatten", {"start_dim": np.array(1), "end_dim": np.array(2)})
    assert _run(part, x).outputs["n0"].shape == (1, 1, 2, 4)


def test_an_if_neuron_of_the_specification_fires_above_its_threshold_and_is_set_to_v_reset():
    node = NirNode("IF", {**_ones("r", "v_threshold"), "v_reset": np.array([-0.5])})
    assert _over_time(node, [1.0, 0.5, 1.0, 1.0]) == [0.0, 1.0, 0.0, 1.0]  # 1, 1.5 -> -0.5, 0.5, 1.5


def test_an_if_neuron_without_v_reset_loses_its_threshold_as_the_specification_said_then():
    node = NirNode("IF", {"r": np.array([2.0]), "v_threshold": np.array([2.0])})
    assert _over_time(node, [1.5, 0.0, 1.0, 0.5]) == [1.0, 0.0, 1.0, 0.0]  # 3 -> 1, 1, 3 -> 1, 2


def test_an_if_neuron_of_snnc_sends_several_spikes_and_starts_somewhere():
    metadata = {"reset": "subtract", "initial_voltage": np.array(0.5), "most_spikes": np.array(2)}
    node = NirNode("IF", _ones("r", "v_threshold"), metadata)
    assert _over_time(node, [0.5, 3.5, 0.0, -2.0]) == [1.0, 2.0, 1.0, 0.0]  # 1, 3.5 -> 1.5 -> 0.5, -1.5


def test_how_near_a_neuron_came_to_its_threshold():
    metadata = {"reset": "subtract", "most_spikes": np.array(1)}
    node = NirNode("IF", _ones("r", "v_threshold"), metadata)
    assert _run(node, [[0.75]], steps=2).margins["n0"].tolist() == [[0.25]]


def test_a_leaky_neuron_tends_to_leak_and_current_and_is_reset():
    tau = 1 / np.log(2)  # so that half of the way is left after a step
    fields = {"tau": np.array([tau]), "r": np.array([2.0]), "v_leak": np.array([1.0]), "v_threshold": np.array([3.0])}
    node = NirNode("LIF", {**fields, "v_reset": np.array([1.0])})
    # towards 5: 2.5, 3.75 fires, from 1 on: 3 is not above 3, 4 fires
    assert _over_time(node, [2.0, 2.0, 2.0, 2.0]) == [0.0, 1.0, 0.0, 1.0]


def test_an_integrator_that_leaks_is_a_step_late_where_snnc_wrote_it():
    fields = {"tau": np.array([1 / np.log(2)]), "r": np.array([1.0]), "v_leak": np.array([0.0])}
    assert _over_time(NirNode("LI", fields), [4.0, 0.0, 0.0]) == pytest.approx([2.0, 1.0, 0.5])
    late = _over_time(NirNode("LI", fields), [4.0, 0.0, 0.0], metadata={"written_by": "snnc 1"})
    assert late == pytest.approx([0.0, 2.0, 1.0])


def test_a_current_based_neuron_filters_first():
    tau = np.array([1 / np.log(2)])
    fields = {"tau_syn": tau, "tau_mem": tau, "r": np.array([1.0]), "v_leak": np.array([0.0])}
    got = _over_time(NirNode("CubaLI", {**fields, "w_in": np.array([2.0])}), [4.0, 0.0, 0.0])
    assert got == pytest.approx([2.0, 2.0, 1.5])  # currents 4, 2, 1


def test_an_integrator_and_a_threshold():
    assert _over_time(NirNode("I", {"r": np.array([0.5])}), [1.0, 1.0, -4.0]) == [0.5, 1.0, -1.0]
    assert _over_time(NirNode("Threshold", {"threshold": np.array([1.0])}), [1.0, 1.5, -4.0]) == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(("period", "wanted"), [(0.0, [1, 1, 1, 1]), (2.0, [1, 0, 1, 0]), (3.0, [1, 0, 0, 1])])
def test_a_refractory_neuron_rests_from_its_crossing_on(period, wanted):
    fields = {"tau": np.array([1 / np.log(2)]), **_ones("r", "v_threshold"), "v_leak": np.array([0.0])}
    metadata = {"refractory_period": period, "voltage_floor": 0.0, "layer": "x", "shape": np.array([1])}
    # towards 4, from anywhere below 1 it crosses 1 in the first half of a step: what is left of it charges it enough
    assert _over_time(NirNode("LIF", fields, metadata), [4.0, 4.0, 4.0, 4.0]) == wanted


def _own(kind, attrs, shape=(1,), dt=1.0, **arrays):
    op = {"op": "neurons", "attrs": {"model": {"neuron": kind, "attrs": attrs}, "scale": dt}}
    return NirNode(
        f"snnc.{kind}", {"shape": np.array(shape)}, {"op": json.dumps(op), "shape": np.array(shape), **arrays}
    )


def test_signed_spikes_are_taken_back_but_never_more_than_were_sent():
    node = _own("signed-if", {"gamma": 2})
    assert _over_time(node, [3.0, 0.0, -2.0, -5.0]) == [2.0, 1.0, -2.0, -1.0]


def test_signed_spikes_of_another_activation():
    node = _own("signed-if", {"gamma": 4, "of": {"op": "relu", "attrs": {"max_value": 1.0}}, "unit": 1.0})
    assert _over_time(node, [3.0, 3.0]) == [1.0, 1.0]  # the mean is clipped at 1


def test_a_sigma_delta_neuron_sends_the_nearest_power_of_two():
    node = _own("sigma-delta", {"levels": 3, "spikes": 1})
    # targets 3, 3, 2.75, 0: 3 lies between 2 and 4, the tie goes up; -1; -0.25; what is left
    assert _over_time(node, [3.0, 0.0, -0.25, -2.75]) == [4.0, -1.0, -0.25, -2.0]


def test_a_sigma_delta_neuron_starts_with_what_constants_bring_in_channels_last():
    attrs = {"levels": 6, "spikes": 1, "initial": {"array": "w0"}, "of": {"op": "linear", "attrs": {}}}
    initial = np.array([[[1.0, 8.0], [2.0, 4.0]]], dtype=np.float32)  # (1, 2, 2): height, width, channels
    node = _own("sigma-delta", attrs, shape=(1, 2, 2), w0=initial)
    got = _run(node, np.zeros((1, 2, 1, 2)), dt=1.0).outputs["n0"][0, 0]
    assert got.tolist() == [[[1.0, 2.0]], [[8.0, 4.0]]]


def test_changes_and_their_sums():
    empty = {"op": json.dumps({"op": "difference", "attrs": {}}), "shape": np.array([1])}
    assert _over_time(NirNode("snnc.difference", {}, empty), [2.0, 3.0, 3.0]) == [2.0, 1.0, 0.0]
    sums = {"op": json.dumps({"op": "accumulate", "attrs": {"initial": 0.5}}), "shape": np.array([1])}
    assert _over_time(NirNode("snnc.accumulate", {}, sums), [2.0, 3.0]) == [2.5, 5.5]


def test_counts_are_sums_over_the_steps():
    node = NirNode("IF", _ones("r", "v_threshold"), {"reset": "subtract"})
    assert _run(node, [[0.5]], steps=5, counts=True).outputs["n0"].tolist() == [[2.0]]


def test_a_recurrent_file_is_refused():
    node = NirNode("Scale", {"scale": np.array([1.0])})
    file = _chain((1,), node, node)
    file = NirFile(file.nodes, (*file.edges, ("n1", "n0")), {})
    with pytest.raises(ValueError, match="recurrent"):
        execute(file, {"input": np.zeros((1, 1))}, steps=1)


def test_what_cannot_be_run_is_refused():
    with pytest.raises(ValueError, match="Delay"):
        _run(NirNode("Delay", {"delay": np.array([1.0])}), [[1.0]])
