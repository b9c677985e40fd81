"""A case by its seed: what is mutated, the files that come of it, and what snnc is asked to do with them."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import snnc
from snnc import reproducer
from snnc.engine.presentation import is_temporal
from snnc.errors import SnncError
from snnc.ir.graph import Graph
from snnc.registry import HOOKS, Registry
from snnc.rewriting import passes_of, rewrite
from snnc.samples import samples
from tests.fuzz import corpus, mutate

SMALL = 100_000
"""Elements of all tensors of a graph that is run, too."""
KINDS = (
    *3 * ("keras", "h5", "artifact"),
    *("npz", "reproducer", "plugin", "nir", "nir"),
)


def run(seed: int, folder: Path, kind: str | None = None) -> str:
    """Write the files of a case into an empty folder and use them; return what came of it: fine, or refused.

    Anything else is a Defect.
    """
    rng = random.Random(seed)
    kind = rng.choice(KINDS) if kind is None else kind
    use = CASES[kind](rng, folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            use()
    except SnncError as error:
        line = str(error)
        inside = error.__cause__
        if isinstance(inside, MemoryError):
            raise Defect(f"{kind}: took all memory: {line}") from error
        if "\n" in line:
            raise Defect(f"{kind}: more than one line: {line[:200]!r}") from error
        return f"{kind} refused: {type(error).__name__}"
    except Exception as error:
        raise Defect(f"{kind}: {type(error).__name__}: {error}") from error
    return f"{kind} fine"


class Defect(Exception):
    """What snnc must not do."""


def _keras(rng: random.Random, folder: Path) -> Callable[[], None]:
    name = rng.choice([name for name in corpus.models() if name.endswith(".keras")])
    parts = {"config.json": mutate.text, "metadata.json": mutate.text, "model.weights.h5": mutate.hdf5}
    if rng.random() < 0.7:
        parts = {"config.json": mutate.text}
    path = folder / "model.keras"
    path.write_bytes(mutate.archive(rng, corpus.models()[name], parts))
    return _shown(rng, path)


def _h5(rng: random.Random, folder: Path) -> Callable[[], None]:
    name = rng.choice([name for name in corpus.models() if name.endswith(".h5")])
    path = folder / "model.h5"
    path.write_bytes(mutate.hdf5(rng, corpus.models()[name]))
    return _shown(rng, path)


def _shown(rng: random.Random, path: Path) -> Callable[[], None]:
    temporal = rng.random() < 0.1

    def use() -> None:
        graph = snnc.import_model(path, temporal=temporal, registry=registry())
        assert str(graph).isprintable() or "\n" in str(graph)
        _used(graph, rng)

    return use


def _used(graph: Graph, rng: random.Random) -> None:
    """Run a graph that is small, and compile some."""
    if is_temporal(graph) or sum(node.type.size for node in graph) > SMALL:
        return  # of a temporal one, length and delays make the work, too
    warnings.simplefilter("ignore")  # numbers may run over
    x = {name: np.zeros((1, *graph[name].type.shape), np.float32) for name in graph.inputs}
    if rng.random() < 0.9:
        graph.evaluate(x)
    if len(graph) < 25 and rng.random() < 0.2:
        snnc.compile(graph, level=1, neurons="spiking-relu", verify=False, build=False, registry=registry())


def _artifact(rng: random.Random, folder: Path) -> Callable[[], None]:
    files = dict(corpus.artifacts()[rng.choice(sorted(corpus.artifacts()))])
    name = rng.choice(sorted(files))
    if rng.random() < 0.05:
        del files[name]
    else:
        change = mutate.npz if name.endswith(".npz") else mutate.text
        files[name] = change(rng, files[name])
    for name, data in files.items():
        (folder / name).write_bytes(data)

    def use() -> None:
        if "manifest.json" not in files:
            _used(snnc.import_model(folder, registry=registry()), rng)
            return
        compiled = snnc.load(folder, registry=registry())
        str(compiled.graph), compiled.census, compiled.temporal
        graph = compiled.source
        warnings.simplefilter("ignore")
        if sum(node.type.size for node in (*graph, *compiled.graph)) < SMALL and not compiled.temporal:
            compiled.run({n: np.zeros((1, *graph[n].type.shape), np.float32) for n in graph.inputs}, 2, jobs=1)

    return use


def _reproducer(rng: random.Random, folder: Path) -> Callable[[], None]:
    files = dict(corpus.reproducer())
    name = rng.choice(["context.json", "context.json", *(name for name in files if name.endswith((".json", ".npz")))])
    files[name] = (mutate.npz if name.endswith(".npz") else mutate.text)(rng, files[name])
    for name, data in files.items():
        (folder / name).write_bytes(data)

    def use() -> None:
        kept = reproducer.read(folder, registry())
        if sum(node.type.size for node in kept.graph) < SMALL and kept.context.steps <= 100:
            warnings.simplefilter("ignore")
            passes = passes_of([rng.choice(["calibrate-scales", "calibrate-biases"])], registry())
            rewrite(kept.graph, passes, kept.context, registry(), kept.shown, finished=kept.finished)

    return use


def _nir(rng: random.Random, folder: Path) -> Callable[[], None]:
    path = folder / "net.nir"
    files = corpus.nir_files()
    path.write_bytes(mutate.nir(rng, files[rng.choice(sorted(files))]))
    return _shown(rng, path)


def _npz(rng: random.Random, folder: Path) -> Callable[[], None]:
    path = folder / "x.npz"
    path.write_bytes(mutate.npz(rng, corpus.samples()))
    graph = _golden().source

    def use() -> None:
        found = samples(graph, path)
        if rng.random() < 0.2:
            warnings.simplefilter("ignore")
            _golden().evaluate(found, steps=2, jobs=1)

    return use


def _plugin(rng: random.Random, folder: Path) -> Callable[[], None]:
    values: Sequence[Any] = (
        *(None, 5, "x", b"x", [], [None], [5], ["x"], [object], [int], {}, {"a": 1}, object(), [object()], True),
        *([snnc], [snnc.ops.Relu], [snnc.ops.Relu, snnc.ops.Relu], [type("Op", (), {"kind": 5})], iter([1])),
        *([[snnc.ops.Relu]], (snnc.ops.Relu,), lambda: [], [lambda: []]),
    )
    hooks = rng.sample([hook for _, _, hook, _ in HOOKS], rng.choice((1, 1, 2, 3)))
    chosen = {hook: rng.choice((*values, ValueError("x"), SystemExit(1), RuntimeError("a\nb"))) for hook in hooks}

    def implementation(value: Any) -> Callable[[], Any]:
        def hook() -> Any:
            if isinstance(value, BaseException):
                raise value
            return value

        return hook

    from snnc.hooks import hookimpl

    body = {name: staticmethod(hookimpl(implementation(value))) for name, value in chosen.items()}
    plugin = type("Plugin", (), body)()
    (folder / "plugin.txt").write_text(repr(chosen))

    def use() -> None:
        found = Registry.discover([("fuzzed", plugin)], installed=False)
        assert not any(problem.plugin == "fuzzed" for problem in found.problems)

    return use


CASES: dict[str, Callable[[random.Random, Path], Callable[[], None]]] = {
    "keras": _keras,
    "h5": _h5,
    "artifact": _artifact,
    "reproducer": _reproducer,
    "npz": _npz,
    "nir": _nir,
    "plugin": _plugin,
}

_made: dict[str, Any] = {}


def registry() -> Registry:
    """Return the installed plugins, found once."""
    if "registry" not in _made:
        _made["registry"] = Registry.discover()
    return _made["registry"]


def _golden() -> Any:
    if "golden" not in _made:
        from tests.conftest import ROOT

        _made["golden"] = snnc.load(ROOT / "tests" / "golden" / "v1" / "artifact", registry=registry())
    return _made["golden"]


@contextmanager
def forked_readers() -> Iterator[None]:
    """Let the processes that read HDF5 be forks of this one, which has its libraries: a start costs 5 ms, not 200."""
    from snnc.frontend import hdf5
    from tests.fuzz.forked import start

    before, hdf5.start = hdf5.start, start
    try:
        yield
    finally:
        hdf5.start = before
