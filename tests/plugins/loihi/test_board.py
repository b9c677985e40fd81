import json
import re

import nengo
import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

from snnc_loihi.board import fit
from snnc_loihi.core_map import draw, text_map
from snnc_loihi.layer_costs import Limits
from snnc_loihi.planner import plan
from snnc_loihi.utilisation import utilisation

import snnc
from snnc.api import LoweringError, ops
from tests.plugins.loihi.graphs import conv, dense, row
from tests.plugins.loihi.networks import IGNORED, Handmade, built, loihi_lif, signed

pytestmark = pytest.mark.filterwarnings(*IGNORED)


def two_layers():
    made = Handmade((6, 6, 2))
    first = made.layer("first", [(made.encoder, made.conv(made.encoder, 8))], 0.002, signed(), block=(3, 6, 4))
    made.read_out(made.layer("second", [(first, made.dense(first, 20))], 0.002, block=(7,)))
    return made


def test_a_model_on_one_chip_and_dealt_out_to_three():
    made = two_layers()
    with built(made) as sim:
        one = fit(sim.model)
        three = fit(sim.model, chips=3, allocation="round-robin")
    assert [len(chip) for chip in one.chips] == [7]
    assert one.between_chips == 0
    assert [len(chip) for chip in three.chips] == [3, 2, 2]
    # of twelve ways from a block of the first layer to one of the second, four stay on their chip
    assert three.between_chips == pytest.approx(8 / 12)
    assert not one.warnings


def test_traffic_is_of_spikes_where_rates_are_known():
    made = two_layers()
    with built(made) as sim:
        first, second = made.network.ensembles[1:]
        rates = {first: np.zeros(first.n_neurons), second: np.ones(second.n_neurons)}
        channel = np.arange(first.n_neurons) % 8
        row = np.arange(first.n_neurons) // (6 * 8)
        rates[first][(channel < 4) & (row < 3)] = 100  # its first block, which is on the first chip with one of three
        found = fit(sim.model, chips=3, allocation="round-robin", rates=rates)
    assert found.between_chips == pytest.approx(2 / 3)


def test_more_cores_than_the_chips_have():
    made = Handmade((4,))
    made.layer("wide", [(made.encoder, made.dense(made.encoder, 130, gain=1.0))], 0.002, block=(1,))
    with built(made) as sim:
        assert [len(chip) for chip in fit(sim.model).chips] == [128, 2]
        with pytest.raises(LoweringError, match=r"takes 130 cores, and 1 chip\(s\) have 128; give it 2 chips"):
            fit(sim.model, chips=1)


def test_a_refractory_period_that_only_the_emulator_has():
    made = Handmade((4,))
    neurons = loihi_lif(tau_ref=0.08)
    made.layer("slow", [(made.encoder, made.dense(made.encoder, 5, gain=1.0))], 0.002, neurons, bias=1.0)
    with built(made) as sim, pytest.raises(LoweringError, match="layer 'slow': the hardware refuses this core"):
        fit(sim.model)


def test_warnings_of_what_only_the_emulator_does():
    made = Handmade((5, 5, 2))
    first = made.layer("first", [(made.encoder, made.conv(made.encoder, 36))], 0.002)
    made.layer("conv", [(first, made.conv(first, 4))], 0.002)
    made.layer("dense", [(first, made.dense(first, 4))], 0.002)
    narrow = made.network.connections[2]
    made.network.config[narrow].pop_type = 16
    with pytest.warns(UserWarning, match="emulator-only"), built(made) as sim:
        found = fit(sim.model)
    assert [w.split(":")[0] for w in found.warnings] == ["conv", "first"]
    assert "more than 32 channels" in found.warnings[0]
    assert "issue 242" in found.warnings[1]


def test_what_a_model_takes_of_each_core_and_layer():
    made = two_layers()
    planned = plan(made.network)
    with built(made) as sim:
        found = utilisation(sim.model, fit(sim.model, allocation="greedy"))
    taken = [(c.compartments, c.in_axons, c.out_axons, c.synapse_bits) for c in found.cores]
    expected = [(b.compartments, b.in_axons, b.out_axons, b.synapse_bits) for p in planned.layers for b in p.blocks]
    assert taken == expected
    first, second = found.layers
    assert (first.layer, first.cores, first.neurons) == ("first", 4, 288)
    assert (second.layer, second.cores, second.neurons) == ("second", 3, 20)
    assert second.in_axons == 3 * 288
    assert first.fullest == max(max(c.shares(found.limits).values()) for c in found.cores[:4])
    assert first.scarcest == "compartments"
    # the floor of -1 threshold is rounded to a power of two
    assert -2 < first.floor < -0.5
    assert second.floor == 0
    data = found.as_dict()
    assert (data["chips"], data["cores"], len(data["blocks"])) == (1, 7, 7)
    assert data["limits"]["compartments"] == Limits.of_loihi().compartments == 1024


def test_bits_that_are_left_for_small_weights():
    made = Handmade((64,))
    even = nengo.Dense((16, 64), init=np.where(made.rng.uniform(size=(16, 64)) < 0.5, 0.2, -0.2))
    weights = np.full((16, 64), 0.2 / 16)
    weights[0, 0] = 0.2
    first = made.layer("even", [(made.encoder, even)], 0.002)
    made.layer("outlier", [(first, nengo.Dense((16, 16), init=weights[:, :16]))], 0.002)
    with built(made) as sim:
        found = {layer.layer: layer for layer in utilisation(sim.model, fit(sim.model)).layers}
    assert found["even"].weight_bits == pytest.approx(8)
    assert found["even"].weight_range == pytest.approx(1)
    assert found["outlier"].weight_bits == pytest.approx(4.2, abs=0.1)  # 127 / 16 levels and the sign
    assert found["outlier"].weight_range == pytest.approx(16, rel=0.02)


def test_a_map_in_letters():
    with built(two_layers()) as sim:
        found = utilisation(sim.model, fit(sim.model, allocation="greedy"))
    lines = text_map(found).splitlines()
    assert lines[0] == "chip 0: 7 of 128 cores"
    assert lines[1] == "A0 A0 A0 A0 B0 B0 B0"
    assert lines[2].startswith("A first: 4 cores, ")
    assert lines[3].startswith("B second: 3 cores, ")


def test_the_cores_of_a_compiled_model():
    pytest.importorskip("matplotlib")
    graph = row((6, 6, 1), conv(3, 1, 4), ops.Relu(), conv(2, 4, 6), ops.Relu(), conv(3, 6, 2))
    program = snnc.compile(graph, backend="loihi", verify=False).program
    found = program.utilisation()
    assert len(found.cores) == program.resources["cores"]
    assert [layer.neurons for layer in found.layers] == [64, 54, 2]  # the clock's, one for each layer
    files = program.pictures()
    assert list(files) == ["cores.txt", "cores.json", "cores.png", "cores.svg"]
    assert files["cores.txt"].startswith(b"chip 0: 3 of 128 cores")
    assert len(json.loads(files["cores.json"])["layers"]) == 3
    assert files["cores.png"][:4] == b"\x89PNG"
    assert b"<svg" in files["cores.svg"]


def test_a_map_as_a_picture():
    figure_module = pytest.importorskip("matplotlib.figure")
    with built(two_layers()) as sim:
        found = utilisation(sim.model, fit(sim.model, chips=2, allocation="round-robin"))
    figure = draw(figure_module.Figure(), found)
    assert [len(axes.patches) for axes in figure.axes] == [4, 3]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["first (4)", "second (3)"]


def test_what_a_program_tells_of_its_cores_and_of_each_step(rng):
    graph = row((6, 6, 1), conv(3, 1, 4), ops.Relu(), conv(2, 4, 6), ops.Relu(), conv(3, 6, 2))
    compiled = snnc.compile(graph, backend="loihi", verify=False)
    program = compiled.program
    cores = program.core_map
    assert len(cores) == program.resources["cores"]
    assert {core.layer for core in cores} <= {*compiled.census.populations, "clock"}
    assert all(0 < max(core.shares.values()) <= 1 for core in cores)
    x = {name: rng.random((1, 6, 6, 1)).astype(np.float32) for name in graph.inputs}
    ran = program.run(x, 12, watch=compiled.census.populations)
    recording, steps = program.trace(x, 12, compiled.census.populations)
    for name, values in steps.items():
        np.testing.assert_array_equal(values.sum(axis=0), ran.totals[name][0])
    assert all((recording.outputs[name] == y).all() for name, y in ran.outputs.items())


def test_a_report_shows_the_cores(rng):
    pytest.importorskip("vl_convert")
    graph = row((6, 6, 1), conv(3, 1, 4), ops.Relu(), conv(2, 4, 6), ops.Relu(), conv(3, 6, 2))
    compiled = snnc.compile(graph, backend="loihi", verify=False)
    page = compiled.report_html(rng.random((9, 6, 6, 1)).astype(np.float32), steps=12)
    assert 'data-chart="cores-0"' in page
    assert re.search("chip 0, core [012]", page)
    assert f"{len(compiled.program.core_map)} cores." in page


def test_compile_tells_what_boards_refuse():
    graph = row((6, 6, 1), conv(3, 1, 4), ops.Relu(), conv(2, 4, 6), ops.Relu(), conv(3, 6, 2))
    assert not any(note.startswith("hardware: ") for note in snnc.compile(graph, backend="loihi", verify=False).notes)
    first, _ = (node.name for node in graph.nodes(ops.Relu))
    graph.add("flat", ops.Reshape(shape=(-1,)), [first])
    graph.add("beside", dense(64, 12), ["flat"])
    graph.add("beside.relu", ops.Relu(), ["beside"])
    graph.set_outputs({**graph.output_nodes, "beside.relu": "beside.relu"})
    compiled = snnc.compile(graph, backend="loihi", verify=False)
    (warning,) = (note for note in compiled.notes if note.startswith("hardware: "))
    assert warning.startswith(f"hardware: {first}: feeds a convolution and a dense or sparse connection")
    assert snnc.compile(graph, backend="loihi", verify=False, build=False).notes == compiled.notes[:-1]


def test_what_a_board_refuses_is_told_and_the_emulator_runs(monkeypatch):
    graph = row((6, 6, 1), conv(3, 1, 4), ops.Relu(), conv(2, 4, 6), ops.Relu(), conv(3, 6, 2))

    def refused(*_):
        raise LoweringError("layer 'a': the hardware refuses this core")

    monkeypatch.setattr("snnc_loihi.program.fit", refused)
    compiled = snnc.compile(graph, backend="loihi", verify=False)
    assert compiled.notes[-1] == "hardware: layer 'a': the hardware refuses this core"
    assert compiled.program.core_map == ()
    assert compiled.run(np.ones((1, 6, 6, 1), np.float32), 3)
