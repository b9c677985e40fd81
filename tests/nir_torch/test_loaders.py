"""Files in snnTorch, Sinabs and Norse against numpy, spike for spike. Weights in binary make all sums exact."""

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import snnc
from snnc import nir
from snnc.testing.graphs import binary_inputs, branches, sequence_model
from tests.conftest import ROOT
from tests.nir_torch.exported import (
    NETWORKS,
    Weights,
    after_ties,
    compiled,
    inputs,
    populations,
    spikes,
    to_nir,
)

from snnc_nir.file import read  # isort: skip

torch = pytest.importorskip("torch")
LOADERS = {"snntorch": nir.load_snntorch, "sinabs": nir.load_sinabs, "norse": nir.load_norse}
STOCK = {"snntorch": "Leaky", "sinabs": "IAFSqueeze", "norse": "LIFBoxCell"}
VALUES = {"rtol": 1e-5, "atol": 1e-5}
"""Read-outs are means in another order."""


@pytest.fixture(params=LOADERS)
def library(request):
    pytest.importorskip(request.param)
    return request.param


def loaded(library, c, path, steps=8, **options):
    return LOADERS[library](to_nir(c, path / "net.nir", steps), **options)


def names_of_modules(net):
    return {type(module).__name__ for module in net.layers.values()}


@pytest.mark.parametrize("name", NETWORKS)
def test_spikes_in_every_step_are_the_same(library, name, tmp_path):
    c = compiled(NETWORKS[name](Weights(binary=True)), "soft-reset-if{initial=0.5}")
    x = inputs(c.source)
    net = loaded(library, c, tmp_path)
    wanted, got = spikes(c, x, 8), net.record(x)
    assert set(got) == set(populations(c))
    for layer in wanted:
        assert 0 < wanted[layer].mean() < 1
        np.testing.assert_array_equal(got[layer], wanted[layer])
    assert STOCK[library] in names_of_modules(net)
    assert "Rule" not in names_of_modules(net)


@pytest.mark.parametrize("name", NETWORKS)
def test_with_any_weights_only_ties_differ(library, name, tmp_path):
    c = compiled(NETWORKS[name](Weights(binary=False)), "soft-reset-if{initial=0.5}")
    x = inputs(c.source, 16, binary=False)
    net = loaded(library, c, tmp_path)
    assert not after_ties(c, x, net.record(x)).any()
    np.testing.assert_allclose(net.run(x, 8)[c.source.outputs[0]], c.run(x, 8)[c.source.outputs[0]], **VALUES)


def test_the_example_at_level_2_in_whole_spikes(library, tmp_path):
    c = snnc.compile(
        ROOT / "examples/mnist/mnist_cnn.keras",
        level=2,
        neurons="soft-reset-if",
        calibration=ROOT / "examples/mnist/samples.npz",
        calibration_limit=32,
    )
    x = np.load(ROOT / "examples/mnist/samples.npz")["x"][:16]
    net = loaded(library, c, tmp_path)
    got, wanted = net.record(x), spikes(c, x, 8)
    same = ~after_ties(c, x, got)
    assert same.sum() >= 14
    for layer in wanted:
        assert wanted[layer].sum() > 500
        assert (np.round(wanted[layer]).sum(axis=1) != got[layer].sum(axis=1)).sum() <= 1
    np.testing.assert_allclose(net.run(x)["logits"][same], c.run(x, 8)["logits"][same], rtol=1e-5, atol=1e-4)
    assert (net.predict(x).argmax(-1) == c.predict(x, 8).argmax(-1)).all()


def test_outputs_and_answers_are_those_of_the_compilation(library, tmp_path):
    c = compiled(NETWORKS["average_pool"](Weights(binary=True)), "soft-reset-if{initial=0.5}")
    x = inputs(c.source)
    net = loaded(library, c, tmp_path)
    wanted = c.run(x, 8)
    got = net.run(x)
    assert list(got) == list(wanted) == ["shares"]
    np.testing.assert_allclose(got["shares"], wanted["shares"], **VALUES)
    np.testing.assert_allclose(net.predict(x, steps=6), c.predict(x, 6), **VALUES)
    np.testing.assert_allclose(net.predict(x).sum(axis=-1), 1, rtol=1e-6)


@pytest.mark.parametrize("x", ["numpy", "torch", "by name"])
def test_a_step_is_a_step_of_a_run(library, x, tmp_path):
    c = compiled(NETWORKS["residual"](Weights(binary=True)), "soft-reset-if")
    array = inputs(c.source)
    given = {"numpy": array, "torch": torch.tensor(array), "by name": {"x": array}}[x]
    net = loaded(library, c, tmp_path)
    run = net.run(given)["logits"]
    for _ in range(2):
        with torch.no_grad():
            steps = [net(given).numpy() for _ in range(8)]
        np.testing.assert_array_equal(np.stack(steps, axis=1), run)
        net.reset()


@pytest.mark.parametrize(
    ("neurons", "own"),
    [
        ("soft-reset-if{gamma=3 initial=0.25}", {"snntorch", "norse"}),
        ("signed-if{gamma=2}", {*LOADERS}),
        ("spiking-relu", {*LOADERS}),
        ("sigma-delta", {*LOADERS}),
    ],
)
def test_several_signed_and_graded_spikes_run_by_snncs_own_rule(library, neurons, own, tmp_path):
    c = compiled(NETWORKS["residual"](Weights(binary=True)), neurons, scale=64)
    x = inputs(c.source)
    net = loaded(library, c, tmp_path)
    wanted, got = spikes(c, x, 8), net.record(x)
    assert sum(np.abs(y).sum() for y in wanted.values()) > 100
    for layer in wanted:
        np.testing.assert_allclose(got[layer], wanted[layer], atol=2e-6)
    assert ("Rule" in names_of_modules(net)) == (library in own)
    assert any("snnc's own rule" in note for note in net.notes) == (library in own)
    np.testing.assert_allclose(net.predict(x), c.predict(x, 8), rtol=1e-4, atol=1e-4)


def test_the_default_of_level_2_loads_and_agrees(library, tmp_path):
    graph = NETWORKS["average_pool"](Weights(binary=False))
    x = inputs(graph, 64, binary=False)
    c = snnc.compile(graph, level=2, calibration={"x": x})
    net = loaded(library, c, tmp_path, steps=c.default_steps)
    wanted, got = spikes(c, x, c.default_steps), net.record(x)
    assert wanted
    assert any((y < 0).any() for y in wanted.values())
    for layer in wanted:
        assert (np.abs(got[layer].sum(axis=1) - wanted[layer].sum(axis=1)) > 1e-4).mean() < 1e-3
    np.testing.assert_allclose(net.predict(x), c.predict(x), atol=2e-3)


def test_leaky_neurons_and_filters_run_by_snncs_own_rule(library, tmp_path):
    c = snnc.compile(NETWORKS["dense"](Weights(binary=False)), neurons="lif", synapse=0.005, scale=200, seed=3)
    x = inputs(c.source, binary=False)
    net = loaded(library, c, tmp_path, steps=60)
    wanted, got = spikes(c, x, 60), net.record(x)
    assert wanted["r1"].sum() > 50
    assert (wanted["r1"].sum(axis=1) != got["r1"].sum(axis=1)).sum() <= 1
    np.testing.assert_allclose(net.run(x)["logits"], c.run(x, 60)["logits"], rtol=1e-3, atol=1e-3)


def test_sequences_are_shown_one_slice_a_step(library, tmp_path):
    c = compiled(sequence_model(2.0**-10), "soft-reset-if")
    x = binary_inputs(c.source, 3, steps=7)["x"]
    net = loaded(library, c, tmp_path)
    np.testing.assert_array_equal(net.run(x)["y"], c.run(x)["y"])
    with pytest.raises(snnc.SnncError, match="7 slices, not 3"):
        net.run(x, 3)


def test_several_inputs_and_outputs_go_by_name(library, tmp_path):
    c = compiled(branches(), "soft-reset-if")
    x = binary_inputs(c.source)
    net = loaded(library, c, tmp_path)
    assert net.inputs == {"x": (4, 4, 2), "z": (3,)}
    wanted, got = c.run(x, 8), net.run(x)
    assert set(got) == set(wanted) == set(net(x)) == set(net.predict(x))
    for name in wanted:
        np.testing.assert_allclose(got[name], wanted[name], **VALUES)
    with pytest.raises(snnc.SnncError, match=r"inputs 'x', 'z', got \['x'\]"):
        net.run({"x": x["x"]})


def test_channels_may_come_first(library, tmp_path):
    graph = NETWORKS["average_pool"](Weights(binary=True))
    graph.set_outputs({"r2": "r2"})
    graph.prune()
    c = compiled(graph, "soft-reset-if")
    x = inputs(c.source)
    last, first = loaded(library, c, tmp_path), loaded(library, c, tmp_path, channels_first=True)
    moved = np.moveaxis(x, -1, 1)
    assert first.inputs == {"x": (1, 8, 8)}
    np.testing.assert_array_equal(first.run(moved)["r2"], np.moveaxis(last.run(x)["r2"], -1, 2))
    np.testing.assert_array_equal(first.predict(moved), np.moveaxis(last.predict(x), -1, 1))
    np.testing.assert_array_equal(first.record(moved)["r1"], np.moveaxis(last.record(x)["r1"], -1, 2))
    assert first(moved).shape == (4, 8, 4, 4)


def test_gradients_pass_the_spikes(library, tmp_path):
    c = compiled(NETWORKS["dense"](Weights(binary=False)), "soft-reset-if")
    net = loaded(library, c, tmp_path)
    x = inputs(c.source, binary=False)
    sum(net(x) for _ in range(4)).square().sum().backward()
    weights = [module.weight for module in net.layers.values() if hasattr(module, "weight")]
    assert len(weights) == 2
    assert all(weight.grad.abs().sum() > 0 for weight in weights)


def test_names_that_modules_cannot_have_and_the_state_dict(library, tmp_path):
    graph = NETWORKS["dense"](Weights(binary=True))
    c = compiled(graph, "soft-reset-if")
    path = to_nir(c, tmp_path / "net.nir")
    file = read(path)
    other = {"r1": "keys"}
    nodes = {other.get(name, name): node for name, node in file.nodes.items()}
    edges = tuple((other.get(a, a), other.get(b, b)) for a, b in file.edges)
    path.write_bytes(replace(file, nodes=nodes, edges=edges).to_bytes())
    net = LOADERS[library](path)
    x = inputs(c.source)
    assert "keys_" in net.layers
    np.testing.assert_array_equal(net.record(x)["r1"], spikes(c, x, 8)["r1"])
    net.load_state_dict(net.state_dict())
    assert pickle.loads(pickle.dumps(net.state_dict()))


@pytest.mark.parametrize(
    ("x", "error"),
    [
        (np.zeros((2, 8)), r"input 'x': expected \(batch, 10\), got \(2, 8\)"),
        (np.zeros((0, 10)), "expected"),
        (np.full((2, 10), np.nan), "NaN"),
        ("nothing", "no numbers"),
        ({"y": np.zeros((2, 10))}, r"inputs 'x', got \['y'\]"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(library, x, error, tmp_path):
    net = loaded(library, compiled(NETWORKS["dense"](Weights(binary=True)), "soft-reset-if"), tmp_path)
    for use in (net, net.run, net.predict, net.record):
        with pytest.raises(snnc.SnncError, match=error):
            use(x)


def test_a_batch_of_another_size_asks_for_a_reset(library, tmp_path):
    net = loaded(library, compiled(NETWORKS["dense"](Weights(binary=True)), "soft-reset-if"), tmp_path)
    net(np.zeros((2, 10)))
    with pytest.raises(snnc.SnncError, match=r"call reset\(\)"):
        net(np.zeros((3, 10)))
    net.reset()
    assert net(np.zeros((3, 10))).shape == (3, 4)
    with pytest.raises(snnc.SnncError, match="steps must be"):
        net.run(np.zeros((3, 10)), 0)


def test_plain_readers_refuse_what_nir_cannot_say(tmp_path):
    package = pytest.importorskip("nir")
    c = compiled(NETWORKS["dense"](Weights(binary=True)), "signed-if")
    path = to_nir(compiled(NETWORKS["dense"](Weights(binary=True)), "soft-reset-if"), tmp_path / "plain.nir")
    assert len(package.read(path).nodes) == 5
    with pytest.raises((AssertionError, ValueError)):
        package.read(to_nir(c, tmp_path / "net.nir"))


def test_a_library_that_is_not_there_is_said_in_one_line():
    code = (
        "import sys; sys.modules['snntorch'] = None\n"
        "from snnc import SnncError, nir\n"
        "try: nir.load_snntorch('no.nir')\n"
        "except SnncError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'snnc[snntorch]'" in ran.stdout
    assert ran.stdout.count("\n") == 1


def test_importing_loaders_imports_no_torch():
    code = "import sys, snnc.nir; print({'torch', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_snntorch_itself_reads_the_nodes_in_their_order(tmp_path):
    package, reader = pytest.importorskip("nir"), pytest.importorskip("snntorch.import_nir")
    c = compiled(NETWORKS["average_pool"](Weights(binary=True)), "soft-reset-if")
    net = reader.import_from_nir(package.read(to_nir(c, tmp_path / "net.nir")))  # else a RecursionError
    assert [name for name, _ in net.named_children()][:2] == ["c1_weights", "r1"]
