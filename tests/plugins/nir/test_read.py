"""Files of others mean what the specification says, and what they cannot be read for is said by name."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from snnc_nir.file import NirFile
from snnc_nir.read import graph_of

from snnc.engine.simulate import simulate
from snnc.errors import SnncError
from snnc.registry import Registry
from tests.nir_executor import execute
from tests.plugins.nir.files import affine, binary, chain, conv, fires, node

KINDS = Registry.discover().kinds
STEPS = 12


def read(file, **options):
    return graph_of(file, Path("net.nir"), KINDS, **options)


def first(values, lead):
    """Return values with channels behind the leading axes."""
    return np.moveaxis(values, -1, lead) if values.ndim > lead + 1 else values


def same(file, rng, **options):
    """Assert that a graph gives in every step what the executor does; return its outputs."""
    graph = read(file, **options)
    x = {
        name: binary(rng, 3, *np.asarray(n.fields["shape"])).astype(np.float32)
        for name, n in file.nodes.items()
        if n.type == "Input"
    }
    last = {name: np.moveaxis(v, 1, -1) if v.ndim > 2 else v for name, v in x.items()}
    got = simulate(graph, last, STEPS, window=slice(0, STEPS), dt=graph.made_for.dt).outputs
    want = execute(file, x, steps=STEPS, dt=graph.made_for.dt).outputs
    assert got.keys() == {name for name, n in file.nodes.items() if n.type == "Output"}
    for name, y in got.items():
        np.testing.assert_allclose(first(y, 2), want[name], rtol=1e-5, atol=1e-6, err_msg=name)
        assert np.ptp(y) > 0
    return got


def refused(file, match, **options):
    with pytest.raises(SnncError, match=match) as error:
        read(file, **options)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("net.nir")
    assert len(str(error.value)) < 1000


def test_a_dense_network(rng):
    same(
        chain((4,), affine(binary(rng, 6, 4)), fires(6, v_reset=np.zeros(6)), affine(binary(rng, 3, 6)), out=(3,)), rng
    )


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 2, "padding": (1, 2)},
        {"padding": "same"},
        {"padding": "valid", "dilation": (2, 1)},
        {"groups": 2, "stride": (2, 3), "padding": 1},
        {"padding": "same", "dilation": 2, "input_shape": (7, 8)},
    ],
)
def test_a_convolution(options, rng):
    kernel = binary(rng, 4, 4 // options.get("groups", 1), 3, 2)
    same(chain((4, 7, 8), conv(kernel, bias=binary(rng, 4), **options)), rng)


def test_a_convolution_along_one_axis(rng):
    same(chain((3, 9), conv(binary(rng, 5, 3, 4), stride=2, padding=1, input_shape=9), fires(5, 4)), rng)


@pytest.mark.parametrize("kind", ["SumPool2d", "AvgPool2d"])
@pytest.mark.parametrize("padding", [0, (1, 0)])
def test_pools(kind, padding, rng):
    same(chain((2, 6, 5), node(kind, kernel_size=(2, 3), stride=(2, 1), padding=padding)), rng)


@pytest.mark.parametrize("scale", [2.0, "each", "channel"])
def test_a_scale(scale, rng):
    factor = {"each": binary(rng, 2, 3, 4) + 0.25, "channel": np.full((2, 1, 1), 0.5)}.get(scale, scale)
    same(chain((2, 3, 4), node("Scale", scale=factor)), rng)


def flat(start, end=-1):
    return node("Flatten", start_dim=start, end_dim=end)


def test_axes_of_a_flatten_count_without_the_batch(rng):
    same(chain((2, 3, 4), flat(0), affine(binary(rng, 3, 24))), rng)
    same(chain((2, 3, 4), flat(1), conv(binary(rng, 3, 2, 4))), rng)
    same(chain((2, 3, 4), flat(0, 1)), rng)
    same(chain((2, 3, 4), flat(-2)), rng)
    same(chain((1, 3, 4), flat(0)), rng)


def test_axes_of_a_flatten_count_with_the_batch_where_only_that_fits(rng):
    weight = binary(rng, 3, 24)
    with_batch, without = (chain((2, 3, 4), flat(start), affine(weight)) for start in (1, 0))
    x = {"input": binary(rng, 2, 3, 4, 2).astype(np.float32)}
    one, other = (simulate(read(f), x, 1, window=slice(0, 1)).outputs["output"] for f in (with_batch, without))
    assert np.array_equal(one, other)
    same(chain((2, 3, 4), flat(0), fires(24)), rng)
    assert read(chain((2, 3, 4), flat(1), out=(24,)))["n0"].type.shape == (24,)
    assert read(chain((2, 3, 4), flat(1), out=(2, 12)))["n0"].type.shape == (12, 2)
    refused(chain((2, 3, 4), flat(5)), "its axes .* are none of the input")


def test_edges_add_up_and_outputs_may_be_several(rng):
    nodes = {
        "a": node("Input", shape=(3,)),
        "b": node("Input", shape=(2,)),
        "wa": affine(binary(rng, 4, 3)),
        "wb": affine(binary(rng, 4, 2)),
        "f": fires(4, v_reset=np.zeros(4)),
        "one": node("Output", shape=(4,)),
        "two": node("Output", shape=(4,)),
    }
    edges = (("a", "wa"), ("b", "wb"), ("wa", "f"), ("wb", "f"), ("f", "one"), ("wb", "two"), ("f", "two"))
    same(NirFile(nodes, edges), rng)


def test_an_integrator(rng):
    same(chain((3,), node("I", r=np.full(3, 0.5))), rng)


def test_a_spike_takes_the_threshold_off_where_there_is_no_v_reset():
    file = chain((1,), fires(1, threshold=2.0))
    assert read(file)["n0"].op.model.v_reset is None
    assert any("have no v_reset" in note for note in read(file).made_for.notes)
    hard = chain((1,), fires(1, threshold=2.0, v_reset=np.zeros(1)))
    assert read(hard)["n0"].op.model.v_reset == 0
    assert any("--replace IF=subtract" in note for note in read(hard).made_for.notes)
    assert read(hard, resets={"IF": "subtract"})["n0"].op.model.v_reset is None
    assert read(file, resets={"n0": "zero"})["n0"].op.model.v_reset == 0
    refused_replace = pytest.raises(SnncError, match="replace: LIF=subtract: .*types in the file: IF")
    with refused_replace:
        read(file, resets={"LIF": "subtract"})


def test_the_step_is_what_the_user_says_or_the_file_or_what_readers_take():
    lif = node("LIF", tau=[0.01], r=[1.0], v_leak=[0.0], v_threshold=[1.0], v_reset=[0.0])
    assert read(chain((1,), lif)).made_for.dt == 1e-4
    assert read(chain((1,), lif, metadata={"dt": np.array(0.002)})).made_for.dt == 0.002
    graph = read(chain((1,), lif), dt=0.001)
    assert graph.made_for.dt == graph["n0"].op.scale == graph["n0"].op.model.dt == 0.001
    assert graph.made_for.read_out == "mean{start=0.0}"
    assert any("a step is" in note for note in graph.made_for.notes)


def test_metadata_says_that_neurons_are_snncs():
    about = {"reset": "subtract", "initial_voltage": np.array(0.5), "most_spikes": np.array(3)}
    graph = read(chain((2,), fires(2, metadata=about)))
    assert str(graph["n0"].op.model) == "SoftResetIf(gamma=3, initial=0.5)"
    half = read(chain((2,), fires(2, threshold=2.0, metadata={**about, "initial_voltage": np.array(1.0)})))
    assert half["n0"].op.model.initial == 0.5
    assert half["n0.charge"].op.scale == 0.5
    same(chain((2,), fires(2, threshold=2.0, metadata=about)), np.random.default_rng(1))
    refused(chain((2,), fires(2, v_reset=np.ones(2), metadata=about)), "but its v_reset is not 0")
    refused(chain((2,), fires(2, metadata={**about, "most_spikes": np.array(1.5)})), "most_spikes 1.5")
    refused(chain((2,), fires(2, metadata={"reset": "sideways"})), "reset 'sideways'")
    varied = node("IF", r=np.ones(2), v_threshold=np.array([1.0, 2.0]), metadata=about)
    refused(chain((2,), varied), "another share of the threshold")


LIF = {"tau": [0.02] * 2, "r": [20.0] * 2, "v_leak": [0.0] * 2, "v_threshold": [1.0] * 2}
REFRACTORY = {"reset": "zero", "refractory_period": np.array(0.002), "voltage_floor": np.array(0.0)}


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"v_threshold": [1.0, 2.0]}, "v_leak, v_reset and v_threshold are 0, 0 and 1"),
        ({"r": [3.0, 3.0]}, "r is tau / dt"),
        ({"tau": [0.02, 0.03]}, "one positive number for all"),
    ],
)
def test_parameters_that_the_metadata_contradicts_are_refused(fields, match):
    own = {"written_by": "snnc 1", "dt": np.array(0.001)}
    assert read(chain((2,), node("LIF", **LIF, metadata=REFRACTORY), metadata=own))["n0"].op.model.tau_ref == 0.002
    refused(chain((2,), node("LIF", **{**LIF, **fields}, metadata=REFRACTORY), metadata=own), match)


def test_sequences_are_asked_for():
    graph = read(chain((4, 5, 6), fires(4, 5, 6)), temporal=True, dt=0.002)
    assert graph["input"].op.dt == 0.002
    assert graph["input"].type.shape == (5, 6, 4)


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("NIRGraph", "one input and one output: write its nodes into the graph"),
        ("Delay", "delays are not read"),
        ("Threshold", "use an IF or LIF node"),
        ("Wormhole", "the type is unknown; known: Affine"),
    ],
)
def test_nodes_that_cannot_be_read_are_all_named(kind, match):
    refused(chain((4,), node(kind), node("Delay")), rf"cannot read 2 node\(s\): node 'n0' \({kind}\): .*{match}")


def test_a_recurrent_network_is_refused_with_its_ring():
    file = chain((4,), affine(np.eye(4)), fires(4))
    refused(NirFile(file.nodes, (*file.edges, ("n1", "n0"))), "recurrent: '.*' -> .*remove the edge that goes back")


def changed(file, **nodes):
    return NirFile({**file.nodes, **nodes}, file.edges, file.metadata)


@pytest.mark.parametrize(
    ("file", "match"),
    [
        (NirFile({}, ()), "it has no Output node"),
        (NirFile({"output": node("Output")}, ()), "it has no Input node"),
        (NirFile(chain((2,)).nodes, ()), "'output' .Output.: no edge leads to it"),
        (NirFile(chain((2,)).nodes, (("input", "output"),) * 2), "is there twice"),
        (
            NirFile(chain((2,), fires(2)).nodes, (("n0", "input"), ("n0", "output"))),
            "into an input or out of an output",
        ),
        (chain((2,), fires(3)), "its r has shape"),
        (chain((2,), fires(2), out=(3,)), "its shape is .3,., what arrives has .2,."),
        (chain((2,), affine(np.ones((2, 3)))), "do not fit each other and the input"),
        (chain((2, 2), affine(np.ones((2, 4)))), "put a Flatten in front of it"),
        (chain((2,), node("Affine", weight=np.ones((1, 2, 2)), bias=np.ones(2))), "one matrix"),
        (chain((2,), node("Affine", weight=np.ones((2, 2)))), "it has no bias"),
        (chain((2,), affine([[np.nan, 1.0]])), "NaN or infinite"),
        (chain((2,), node("Affine", weight=np.full((2, 2), 1e300), bias=np.ones(2))), "NaN or infinite"),
        (chain((2,), node("Affine", weight="many", bias=np.ones(2))), "no array of numbers"),
        (chain((1, 5), conv(np.ones((1, 1, 3)), stride=0)), "its stride is 0; that must be from 1"),
        (chain((1, 5), conv(np.ones((1, 1, 3)), padding=-1)), "its padding is -1; that must be from 0"),
        (chain((1, 5), conv(np.ones((1, 1, 3)), padding=1 << 40)), "its padding is"),
        (chain((1, 5), conv(np.ones((1, 1, 3)), padding="full")), "may be 'same', 'valid' or numbers"),
        (chain((1, 5), conv(np.ones((1, 1, 3)), padding="same", stride=2)), "means nothing with a stride"),
        (chain((1, 5), conv(np.ones((1, 1, 3)), dilation=1.5)), "no list of whole numbers"),
        (chain((1, 5), conv(np.ones((1, 1, 9)))), "larger than the input"),
        (chain((1, 5), conv(np.ones((1, 2, 3)))), "2 channels"),
        (chain((1, 5), conv(np.ones((1, 1, 3)), input_shape=6)), "input_shape"),
        (chain((1, 5), conv(np.ones((1, 1, 3)), groups=0)), "its groups is"),
        (chain((1, 5, 5), conv(np.ones((1, 1, 3)))), "reads 1 axes behind the channels"),
        (chain((1, 5), node("AvgPool2d", kernel_size=2, stride=2, padding=0)), "reads 2 axes"),
        (chain((1, 5, 5), node("SumPool2d", kernel_size=10**6, stride=1, padding=0)), "does not fit the input"),
        (chain((1, 5, 5), node("SumPool2d", kernel_size=2, stride=1, padding=9)), "does not fit the input"),
        (chain((10**6, 10**6), node("I", r=1.0)), "elements of a tensor"),
        (chain((0,), fires(1)), "its shape is"),
        (chain((2.5,), fires(1)), "its shape is no list of whole numbers"),
        (chain((2,), node("LIF", tau=-1.0, r=1.0, v_leak=0.0, v_threshold=1.0)), "its tau must be positive"),
        (chain((2,), fires(2, threshold=0.0)), "it would fire for ever"),
        (chain((2,), fires(2), metadata={"dt": np.array(-1.0)}), "dt of -1 s"),
        (chain((2,), fires(2), metadata={"dt": "soon"}), "'dt' is no number"),
        (chain((2,), fires(2), metadata={"steps": np.array(0.5)}), "'steps' is 0.5"),
        (chain((2,), fires(2), metadata={"read_out": np.array(1)}), "'read_out' is no text"),
        (chain((2,), fires(2), metadata={"inputs": "[1]"}), "'inputs' is damaged"),
        (chain((2,), fires(2), metadata={"outputs": "{"}), "'outputs' is damaged"),
        (chain((2,), fires(2), metadata={"outputs": '{"output": {"shape": ["x"]}}'}), "says the shape"),
        (chain((2,), fires(2), metadata={"tail": np.array(1)}), "'tail' is no text"),
        (chain((2,), fires(2), metadata={"tail": "[" * 10**5}), "damaged"),
        (chain((2,), fires(2, metadata={"reset": np.array(1)})), "'reset' is no text"),
        (chain((2,), node("snnc.sigma-delta", shape=(2,))), "its metadata has no op"),
        (chain((2,), node("snnc.sigma-delta", metadata={"op": '{"op": "relu", "attrs": {}}'})), "the op 'relu'"),
        (chain((2,), node("snnc.magic", metadata={"op": '{"op": "magic", "attrs": {}}'})), "unknown op kind 'magic'"),
        (chain((2,), node("snnc.add", metadata={"op": '{"op": "add", "attrs": {}}'})), "does not read one value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_one_line_that_says_where(file, match):
    refused(file, match)


def test_arrays_of_many_axes_are_refused():
    refused(chain((1,) * 60, affine(np.ones((2, 3)))), "its shape has 60 axes")
    refused(chain((2,), node("Scale", scale=np.ones((1,) * 30))), "its scale has shape")


def test_metadata_that_lies_about_ends_is_refused():
    tail = {"format": "snnc-graph", "version": 1, "name": "t", "outputs": {"o": "r"}}
    read_2 = {"name": "r", "op": "input", "attrs": {"shape": [2]}, "inputs": [], "layers": [], "passes": []}
    good = {
        "written_by": "snnc 1",
        "tail": json.dumps({**tail, "nodes": [read_2]}),
        "outputs": json.dumps({"output": {"layer": "o", "shape": [2]}}),
    }
    assert read(chain((2,), fires(2), metadata=good)).outputs == ("o",)
    for key, value, match in (
        ("tail", json.dumps({**tail, "nodes": [{**read_2, "attrs": {"shape": [3]}}]}), "'tail' reads"),
        ("tail", json.dumps({**tail, "nodes": []}), "damaged"),
        ("outputs", json.dumps({"output": {"layer": "o", "shape": [5]}}), "says the shape"),
        ("outputs", "{}", "do not fit each other"),
        ("inputs", json.dumps({"input": {"op": "{}"}}), "damaged|unknown kind"),
        ("inputs", json.dumps({"input": {"op": json.dumps({"op": "input", "attrs": {"shape": [7]}})}}), "does not fit"),
    ):
        refused(chain((2,), fires(2), metadata={**good, key: value}), match)


def test_what_no_output_depends_on_is_left_out_and_said():
    file = chain((2,), fires(2))
    file = NirFile({**file.nodes, "dead": fires(2)}, (*file.edges, ("n0", "dead")))
    assert any(re.search("no output depends on 'dead'", note) for note in read(file).made_for.notes)
