"""What is compiled depends neither on the cores, nor on the BLAS, nor on what the processor can do."""

import os
import subprocess
import sys

import numpy as np
import pytest

NUMPY_2 = np.lib.NumpyVersion(np.__version__) >= "2.0.0"
MACHINES = {
    "one core": {"CORES": "1"},
    "one thread": {"OPENBLAS_NUM_THREADS": "1"},
    "a processor without AVX512": {"NPY_DISABLE_CPU_FEATURES": "X86_V4" if NUMPY_2 else "AVX512F"},
    "an old BLAS": {"OPENBLAS_CORETYPE": "Prescott"},
    "another BLAS": {"OPENBLAS_CORETYPE": "Haswell"},
}
"""Environment variables that make OpenBLAS and numpy compute as on other machines; CORES is read below."""
COMPILE = """
import os, sys
if "CORES" in os.environ and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[: int(os.environ["CORES"])])
import numpy as np
import snnc
from snnc import ops
from snnc.ir.graph import Graph

rng = np.random.default_rng(0)
normal = lambda *shape: rng.normal(size=shape).astype(np.float32) / np.float32(np.sqrt(np.prod(shape[:-1])))
graph = Graph("small")
graph.add("x", ops.Input(shape=(12, 12, 3)))

def conv(name, source, inputs, outputs, activation, groups=1):
    op = ops.Conv(kernel=normal(3, 3, inputs // groups, outputs), bias=normal(outputs), activation=activation,
                  strides=(1, 1), dilation=(1, 1), padding="same", groups=groups)
    graph.add(name, op, [source], layers=[name])

conv("a", "x", 3, 24, ops.Swish())
conv("b", "a", 24, 24, ops.Relu(), groups=4)
conv("c", "b", 24, 24, ops.Relu(), groups=24)
graph.add("sum", ops.Add(), ["b", "c"], layers=["sum"])
graph.add("norm", ops.Standardize(axes=(2,)), ["sum"], layers=["norm"])
graph.add("flat", ops.Reshape(shape=(144, 24)), ["norm"], layers=["flat"])
graph.add("scores", ops.Einsum(equation="id,jd->ij"), ["flat", "flat"], layers=["scores"])
graph.add("attention", ops.Softmax(), ["scores"], layers=["attention"])
graph.add("mixed", ops.Einsum(equation="ij,jd->id"), ["attention", "flat"], layers=["mixed"])
graph.add("pool", ops.Mean(axes=(0,)), ["mixed"], layers=["pool"])
hidden = ops.Dense(weight=normal(24, 40), bias=normal(40), activation=ops.Relu())
graph.add("hidden", hidden, ["pool"], layers=["hidden"])
graph.add("logits", ops.Dense(weight=normal(40, 5), bias=normal(5)), ["hidden"], layers=["logits"])
graph.set_outputs({"y": "logits"})
x = rng.uniform(size=(96, 12, 12, 3)).astype(np.float32)
for code in ("graded", "counted"):
    snnc.compile(graph, code=code, calibration=x).save(os.path.join(sys.argv[1], code))
"""


def compiled(folder, **environment):
    """Return the files of both artifacts, compiled in a process of its own."""
    folder.mkdir()
    subprocess.run([sys.executable, "-c", COMPILE, str(folder)], env={**os.environ, **environment}, check=True)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("here") / "out")


@pytest.mark.parametrize("machine", MACHINES)
def test_any_machine_writes_the_same_bytes(here, tmp_path, machine):
    if NUMPY_2 and "OPENBLAS_CORETYPE" in MACHINES[machine]:
        pytest.skip("numpy.linalg.solve alone crashes in numpy 2.5's OpenBLAS when it is told of another processor")
    there = compiled(tmp_path / "out", **MACHINES[machine])
    assert len(here) == 8 and there.keys() == here.keys()
    assert [name for name in here if here[name] != there[name]] == []
