"""Simulators of Nengo's networks besides its own: which one runs, what it gets to see, and what it cannot."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nengo
import numpy as np
import pytest
from nengo.builder.operator import SparseDotInc
from nengo.builder.transforms import ConvInc
from snnc_nengo.backend import NengoBackend

import snnc
from snnc import cli
from snnc.api import Array, Graph, LoweringError, UsageError, ops
from snnc.compiled import Compiled
from snnc.testing import binary_inputs, chain, in_binary

STRICT = '''
import nengo
from nengo.builder import Model
from nengo.builder.operator import SimPyFunc

class OwnModel(Model):
    """What this simulator builds into."""

class Simulator:
    """Knows Nengo's operators and neurons; like NengoOCL, it extends nothing, prints, and has one reset."""

    def __init__(self, network, dt=0.001, seed=None, model=None, progress_bar=True):
        print("no context was given")
        self.model = OwnModel(dt=dt) if model is None else model
        self.model.build(network)
        for operator in self.model.operators:
            if not type(operator).__module__.startswith("nengo."):
                raise ValueError(f"no plan for {type(operator).__name__}")
            kind = getattr(operator, "neurons", nengo.LIF())
            if not type(kind).__module__.startswith("nengo."):
                raise ValueError(f"Unsupported neuron type '{type(kind).__name__}'")
            hash(getattr(operator, "fn", None))
        self._inner = nengo.Simulator(None, dt=dt, seed=seed, model=self.model, progress_bar=False)
        self.data, self.run_steps, self.reset, self.close = (
            self._inner.data, self._inner.run_steps, self._inner.reset, self._inner.close)

class SameModel(Simulator):
    """Builds into a model of Nengo's very class, as NengoOCL does."""

    def __init__(self, network, dt=0.001, **options):
        super().__init__(network, dt=dt, model=Model(dt=dt), **options)
'''
POINTS = """[nengo.backends]
strict = strict_sim:Simulator
same = strict_sim:SameModel
broken = broken_sim:Simulator
function = strict_sim:OwnModel.__init__
"""


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a distribution with simulators, and put a module beside it that nobody announces."""
    info = tmp_path / "site" / "strict_sim-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strict-sim\nVersion: 1\n")
    (info / "entry_points.txt").write_text(POINTS)
    (info.parent / "strict_sim.py").write_text(STRICT)
    (info.parent / "broken_sim.py").write_text("raise OSError('no\\ndevice')")
    (info.parent / "evil_sim.py").write_text("raise SystemExit('it was imported')")
    monkeypatch.syspath_prepend(info.parent)
    monkeypatch.delitem(sys.modules, "strict_sim", raising=False)
    return info.parent


def net() -> Graph:
    """Return convolutions with groups, and with a row of padding behind only, and a pool between neurons."""
    rng, zeros = np.random.default_rng(0), {"bias": np.zeros(8, dtype=np.float32), "dilation": (1, 1)}
    return chain(
        ops.Input(shape=(8, 8, 4)),
        ops.Conv(kernel=in_binary(rng, 3, 3, 4, 8), padding="same", strides=(2, 2), **zeros),
        ops.Relu(),
        ops.Conv(kernel=in_binary(rng, 3, 3, 1, 8), padding="same", strides=(1, 1), groups=8, **zeros),
        ops.Relu(),
        ops.Conv(kernel=in_binary(rng, 3, 3, 8, 8), padding="same", strides=(1, 1), **zeros),
        ops.Relu(),
        ops.AvgPool(size=(2, 2), strides=(2, 2)),
        ops.Reshape(shape=(-1,)),
        ops.Dense(weight=in_binary(rng, 32, 5), bias=in_binary(rng, 5)),
        names=["x", "first", "n1", "depthwise", "n2", "last", "n3", "pool", "flat", "out"],
    )


def compiled(graph: Graph, simulator: str = "strict", **options: Any) -> Compiled:
    given = {"level": 1, "scale": 125, "steps": 20, "verify": False, **options}
    return snnc.compile(graph, backend=f"nengo{{simulator={simulator}}}", **given)


def same_as_numpy(c: Compiled, inputs: dict[str, Array], steps: int = 20) -> None:
    watch = [node.name for node in c.graph if node.op.kind == "neurons"]
    got, want = (c.engine(name).run(inputs, steps, watch=watch) for name in ("program", "numpy"))
    for ours, numpys in zip(got._tables, want._tables, strict=True):
        for name, y in numpys.items():
            assert np.abs(y).max() > 0
            np.testing.assert_allclose(ours[name], y, rtol=1e-6, atol=1e-6 * np.abs(y).max())


@pytest.mark.parametrize("simulator", ["strict", "strict_sim.SameModel", "nengo.Simulator"])
@pytest.mark.parametrize("neurons", ["spiking-relu", "relu", "lif"])
def test_it_gives_what_the_engine_in_numpy_gives(simulator: str, neurons: str) -> None:
    c = compiled(net(), simulator, neurons=neurons, synapse=0.01 if neurons == "lif" else None)
    same_as_numpy(c, binary_inputs(c.graph), 60)


@pytest.mark.parametrize("name", ["strict", "strict_sim", "strict_sim.Simulator"])
def test_its_name_is_that_of_its_entry_point_module_or_class(name: str) -> None:
    compiled(net(), name).run(binary_inputs(net(), 1))
    assert "strict_sim" in sys.modules


def test_every_sample_starts_from_the_fresh_state_also_of_what_runs_in_python() -> None:
    pool = ops.MaxPool(size=(2, 2), strides=(2, 2))
    graph = chain(*(pool if node.op.kind == "avg-pool" else node.op for node in net()), names=[n.name for n in net()])
    c = compiled(graph, passes=["spiking-max-pool"])
    x = binary_inputs(graph)
    turned = {name: v[::-1] for name, v in x.items()}
    (forth,), (back,) = c.run(x).values(), c.run(turned).values()
    assert np.array_equal(forth, back[::-1])
    same_as_numpy(c, x)


def test_sequences_are_shown_slice_by_slice() -> None:
    rng = np.random.default_rng(1)
    graph = Graph("temporal")
    graph.add("x", ops.Input(shape=(6,), dt=0.001))
    graph.add("hidden", ops.Dense(weight=in_binary(rng, 6, 8), bias=in_binary(rng, 8)), ["x"], layers=["hidden"])
    graph.add("relu", ops.Relu(), ["hidden"], layers=["relu"])
    graph.set_outputs({"relu": "relu"})
    c = compiled(graph, steps=None)
    same_as_numpy(c, binary_inputs(c.graph, 2, steps=12), 12)


@pytest.mark.parametrize("simulator", ["Simulator", "SameModel"])
def test_the_network_of_the_backend_runs_in_other_simulators_of_ones_own(simulator: str, installed: Path) -> None:
    import strict_sim  # type: ignore[import-not-found]

    c = snnc.compile(net(), level=1, scale=125, steps=20, verify=False, neurons="spiking-relu")
    x = binary_inputs(c.graph, 1)
    c.program.built.inputs["x"].output = x["x"].ravel()
    sim = getattr(strict_sim, simulator)(c.network)
    sim.run_steps(20)
    got = sim.data[c.program.built.probes["out"]]
    sim.close()
    np.testing.assert_allclose(got, c.run(x)["out"][0], rtol=1e-5, atol=1e-5)


def test_an_extension_of_nengos_simulator_gets_nengos_operators_and_few_forms_of_convolutions() -> None:
    class Extended(nengo.Simulator):
        pass

    network = snnc.compile(net(), level=1, scale=125, verify=False, neurons="spiking-relu").network
    with Extended(network, progress_bar=False, optimize=False) as sim:
        kinds = [type(operator) for operator in sim.model.operators]
        weights = [sim.model.sig[connection].get("weights") for connection in network.all_connections]
    assert {kind.__module__.partition(".")[0] for kind in kinds} == {"nengo"}
    assert (kinds.count(ConvInc), kinds.count(SparseDotInc)) == (1, 3)
    assert sum(w is not None and w.sparse for w in weights) == 3


def test_neurons_that_it_lacks_are_refused_by_layer_with_the_remedy() -> None:
    c = compiled(net(), neurons={"n2": "soft-reset-if", "*": "spiking-relu"})
    with pytest.raises(LoweringError) as refused:
        c.run(binary_inputs(c.graph, 1))
    text = str(refused.value)
    assert text.startswith("strict_sim.Simulator lacks the neurons of layer 'n2': ValueError: Unsupported")
    assert text.endswith("use --neurons spiking-relu, or simulator=nengo.Simulator")


@pytest.mark.parametrize("level", [1, 2])
def test_its_neurons_are_nengos_where_nobody_chooses(level: int) -> None:
    backend = NengoBackend(simulator="strict")
    assert backend.defaults(level).neurons == "spiking-relu"
    assert NengoBackend().defaults(level).neurons != "spiking-relu"


@pytest.mark.parametrize(
    "name", ["os.system", "evil_sim", "evil_sim.Simulator", "nowhere", "../evil_sim", "strict_sim."]
)
def test_what_is_not_installed_as_a_simulator_is_never_imported(name: str) -> None:
    before = set(sys.modules)
    with pytest.raises(
        UsageError, match="no simulator .* is installed: there is .*strict_sim.Simulator.*nengo.backends"
    ):
        compiled(net(), name)
    assert "evil_sim" not in sys.modules
    assert "strict_sim" not in set(sys.modules) - before


def test_an_artifact_cannot_name_a_module_to_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, x = tmp_path / "out", binary_inputs(net(), 1)
    np.savez(tmp_path / "x.npz", x=x["x"])
    compiled(net()).save(folder)
    assert "strict_sim" not in sys.modules
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("simulator=strict", "simulator=evil_sim.Simulator"))
    assert snnc.load(folder).backend.options() == {"simulator": "evil_sim.Simulator"}
    with pytest.raises(SystemExit) as exit:
        cli.main(["run", str(folder), "--inputs", str(tmp_path / "x.npz")])
    assert exit.value.code == 2
    assert "no simulator 'evil_sim.Simulator' is installed" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("name", "said"), [("broken", "OSError: no device"), ("function", "TypeError")])
def test_one_that_fails_is_one_line(name: str, said: str) -> None:
    with pytest.raises(LoweringError, match=f"cannot run 'chain': {said}") as refused:
        compiled(net(), name).run(binary_inputs(net(), 1))
    assert "\n" not in str(refused.value)


def test_what_it_prints_is_no_output_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    compiled(net()).run(binary_inputs(net(), 1))
    out, err = capsys.readouterr()
    assert (out, err) == ("", "no context was given\n")


def test_an_artifact_remembers_it_and_verify_runs_it(tmp_path: Path) -> None:
    compiled(net(), neurons="relu", steps=1).save(tmp_path / "out")
    report = snnc.load(tmp_path / "out").verify()
    assert report.passed
    assert "strict_sim" in sys.modules


@pytest.mark.filterwarnings("ignore")  # of NengoOCL's own
@pytest.mark.parametrize("neurons", ["spiking-relu", "relu", "lif"])
def test_nengo_ocl_gives_what_the_engine_in_numpy_gives(neurons: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opencl = pytest.importorskip("pyopencl")
    pytest.importorskip("nengo_ocl")
    try:
        opencl.get_platforms()
    except opencl.Error:
        pytest.skip("no OpenCL device: install pocl-opencl-icd")
    monkeypatch.setenv("PYOPENCL_CTX", "0")
    c = compiled(net(), "nengo_ocl", neurons=neurons, synapse=0.01 if neurons == "lif" else None)
    same_as_numpy(c, binary_inputs(c.graph), 60)
