"""How samples are run: always from the same state, on any number of processes, as Nengo's simulator would."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from dataclasses import replace

import nengo
import numpy as np
import pytest
from snnc_nengo import parallel
from snnc_nengo.find_populations import changing_operators
from snnc_nengo.operators import Correlate, Once
from snnc_nengo.simulate import Simulation

import snnc
from snnc.api import DataError, Graph, LoweringError, Neurons, Synapse, UsageError, neurons, ops
from snnc.testing import random_inputs
from tests.conftest import calls
from tests.plugins.nengo.build import conv, dense, graph, program

SPIKING = Neurons(model=neurons.SpikingRelu(), scale=0.01)
LOWPASS = Synapse(model=neurons.Lowpass(tau=0.005))


@pytest.fixture
def cnn(rng: np.random.Generator) -> Graph:
    """Return a spiking network with a filter, pooling, a branch that skips a layer, and a node on the host."""
    return graph(
        ["probabilities", "n_1"],
        x=((6, 6, 2),),
        conv=(conv(rng, (3, 3), 2, 4, padding="same"), "x"),
        n=(SPIKING, "conv"),
        s=(LOWPASS, "n"),
        pool=(ops.AvgPool(size=(2, 2), strides=(2, 2)), "s"),
        conv_1=(conv(rng, (3, 3), 4, 4, padding="same"), "pool"),
        add=(ops.Add(), "conv_1", "pool"),
        n_1=(SPIKING, "add"),
        flat=(ops.Reshape(shape=(-1,)), "n_1"),
        dense=(dense(rng, 36, 3), "flat"),
        probabilities=(ops.Softmax(), "dense"),
    )


def test_outputs_are_those_of_nengos_simulator_bit_for_bit(cnn: Graph) -> None:
    inputs = random_inputs(cnn, 3)
    built = program(cnn)
    got = built.run(inputs, 20, jobs=1).outputs
    for i in range(3):
        again = program(cnn).network
        again.nodes[0].output = inputs["x"][i].ravel()
        before = nengo.rc.get("precision", "bits")
        nengo.rc.set("precision", "bits", "32")
        with nengo.Simulator(again, progress_bar=False, optimize=False) as sim:
            nengo.rc.set("precision", "bits", before)
            sim.run_steps(20)
            for probe in again.all_probes:
                assert np.array_equal(sim.data[probe], got[probe.label][i].reshape(20, -1))


def test_no_sample_feels_the_one_before(cnn: Graph) -> None:
    inputs = random_inputs(cnn, 3)
    together = program(cnn).run(inputs, 10, jobs=1).outputs
    swapped = program(cnn).run({"x": inputs["x"][::-1]}, 10, jobs=1).outputs
    for name, y in together.items():
        assert np.array_equal(y[::-1], swapped[name])


def test_the_seed_decides_the_spikes(cnn: Graph) -> None:
    inputs = random_inputs(cnn, 1)
    spikes = [program(cnn, seed=seed).run(inputs, 20).outputs["n_1"] for seed in (0, 0, 1)]
    assert np.array_equal(spikes[0], spikes[1])
    assert not np.array_equal(spikes[0], spikes[2])


def test_the_same_outputs_on_one_and_on_two_processes(cnn: Graph) -> None:
    inputs = random_inputs(cnn, 11)
    alone = program(cnn).run(inputs, 12, watch=["n"], jobs=1)
    shared = program(cnn).run(inputs, 12, watch=["n"], jobs=2)
    for one, two in ((alone.outputs, shared.outputs), (alone.means, shared.means), (alone.totals, shared.totals)):
        assert one.keys() == two.keys()
        assert all(np.array_equal(y, two[name]) for name, y in one.items())


def test_processes_are_started_when_a_batch_is_slow_enough(cnn: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = random_inputs(cnn, 6)
    want = program(cnn).run(inputs, 5, jobs=1).outputs
    used = []
    monkeypatch.setattr(parallel, "in_processes", lambda work, jobs: used.append(jobs) or list_of_calls(work))
    monkeypatch.setattr(parallel, "cpu_count", lambda: 3)
    program(cnn).run(inputs, 5)
    assert used == []
    monkeypatch.setattr(parallel, "START_UP", 0.0)
    got = program(cnn).run(inputs, 5).outputs
    assert used == [3]
    assert all(np.array_equal(y, got[name]) for name, y in want.items())


def list_of_calls(calls):
    """Do joblib's work in this process."""
    return [function(*args, **kwargs) for function, args, kwargs in calls]


def test_what_cannot_change_is_computed_once_a_sample(cnn: Graph) -> None:
    with nengo.Simulator(program(cnn).network, progress_bar=False, optimize=False) as sim:
        order = [op.operator if isinstance(op, Once) else op for op in sim.step_order]
        changing = changing_operators(order)
        assert [op in changing for op in order] == [not isinstance(op, Once) for op in sim.step_order]
        assert sorted(op in changing for op in order if isinstance(op, Correlate)) == [False, True]


def test_a_process_with_a_memory_of_its_own_starts_afresh() -> None:
    with nengo.Network(seed=0) as network:
        probe = nengo.Probe(nengo.Node(nengo.processes.WhiteNoise(seed=3), size_out=2))
    job = program(graph(["y"], x=((2,),), y=(ops.Identity(), "x")))._job([])
    simulation = Simulation(replace(job, network=network, inputs={}, probes={"y": probe}))
    first, second = (simulation.show({}, 4, {}).outputs["y"] for _ in range(2))
    assert len(np.unique(first)) == 8
    assert np.array_equal(first, second)


def test_precision_is_put_back_and_nothing_is_printed(cnn: Graph, capfd: pytest.CaptureFixture[str]) -> None:
    bits = nengo.rc.get("precision", "bits")
    program(cnn).run(random_inputs(cnn, 2), 3, progress=True)
    assert nengo.rc.get("precision", "bits") == bits
    assert capfd.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(cnn: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for progress in (True, False):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        program(cnn).run(random_inputs(cnn, 2), 3, progress=progress)
        assert ("100%" in terminal.getvalue()) is progress


@pytest.mark.parametrize("jobs", [0, -1])
def test_jobs_must_be_a_number_of_processes(cnn: Graph, jobs: int) -> None:
    with pytest.raises(UsageError, match=f"jobs must be at least 1, not {jobs}"):
        program(cnn).run(random_inputs(cnn, 1), 1, jobs=jobs)


def test_what_cannot_be_watched_is_named(cnn: Graph) -> None:
    with pytest.raises(UsageError, match="cannot watch 'conv': it is part of a connection; watch .*n_1"):
        program(cnn).run(random_inputs(cnn, 1), 1, watch=["conv"])
    with pytest.raises(UsageError, match="cannot watch 'conf': the graph has no such node"):
        program(cnn).run(random_inputs(cnn, 1), 1, watch=["conf"])


def test_inputs_that_do_not_fit_are_an_error(cnn: Graph) -> None:
    with pytest.raises(DataError, match=r"input 'x' needs shape \(batch, 6, 6, 2\)"):
        snnc.compile(cnn, level=0, verify=False).run({"x": np.zeros((1, 6, 6), np.float32)}, 1)


def test_values_beyond_all_bounds_are_an_error_of_one_line() -> None:
    big = ops.Affine(scale=np.float32([3e38]), shift=np.float32([0]))
    g = graph(["e"], x=((2,),), a=(big, "x"), b=(big, "a"), e=(ops.Exponential(), "b"))
    with pytest.raises(LoweringError, match="Nengo cannot run 'test': .*non-finite value"):
        program(g).run({"x": np.ones((1, 2), np.float32)}, 1)


def test_a_network_can_be_pickled(cnn: Graph) -> None:
    with pytest.warns(UserWarning, match="size_out"):  # Nengo's, about every passthrough node
        network = pickle.loads(pickle.dumps(program(cnn).network))
    assert [c.label for c in network.all_connections] == [c.label for c in program(cnn).network.all_connections]


def test_four_times_the_layers_build_in_four_times_the_work(rng: np.random.Generator) -> None:
    def build(layers: int) -> None:
        g = Graph("deep")
        g.add("x", ops.Input(shape=(64,)))
        last = "x"
        for i in range(layers):
            g.add(f"d{i}", dense(rng, 64, 64), [last])
            g.add(f"n{i}", SPIKING, [f"d{i}"])
            g.add(f"s{i}", LOWPASS, [f"n{i}"])
            last = f"s{i}"
        g.set_outputs({last: last})
        program(g).run(random_inputs(g, 1), 1)

    build(1)
    assert calls(build, 100) < 4.6 * calls(build, 25)


def test_nothing_imports_nengo_before_a_graph_is_lowered() -> None:
    code = "import sys; from snnc.registry import Registry; Registry.discover(); assert 'nengo' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
