"""What an earlier snnc has saved is loaded by every later one, and gives what it gave: docs/stability.md."""

import json

import numpy as np
import pytest

import snnc
from snnc.engine.presentation import is_temporal
from snnc.ir.store import VERSION
from tests.conftest import ROOT

GOLDEN = ROOT / "tests" / "golden"
KINDS = {"v1": 82}
"""How many kinds of ops, neurons and synapses the graphs of a version hold, at least."""


def values(folder):
    with np.load(folder / "values.npz") as file:
        return dict(file)


def kinds_in(text):
    """Return the kinds of all records in a graph file."""
    found = set()

    def collect(record):
        words = {family: record.get(family) for family in ("op", "neuron", "synapse")}
        found.update((family, kind) for family, kind in words.items() if isinstance(kind, str))
        return record

    json.loads(text, object_hook=collect)
    return found


def test_the_format_of_today_is_kept_as_are_all_before():
    assert sorted(KINDS) == sorted(p.name for p in GOLDEN.iterdir() if p.name.startswith("v"))
    assert f"v{VERSION}" in KINDS, "a new version: run tests/golden/write.py once, and keep reading the old ones"


@pytest.mark.parametrize("version", KINDS)
def test_every_kind_that_it_knew_is_there(version):
    kinds = set().union(*(kinds_in(path.read_text()) for path in (GOLDEN / version).rglob("graph.json")))
    assert len(kinds) >= KINDS[version]


@pytest.mark.parametrize("name", ["ops", "temporal"])
@pytest.mark.parametrize("version", KINDS)
def test_every_op_loads_and_computes_what_it_did(version, name):
    folder = GOLDEN / version / name
    graph, stored = snnc.import_model(folder, temporal=name == "temporal"), values(folder)
    assert is_temporal(graph) == (name == "temporal")
    got = graph.evaluate({name: stored[name] for name in graph.inputs})
    assert set(got) == set(graph.outputs)
    for output, y in got.items():
        np.testing.assert_allclose(y, stored[output], rtol=1e-4, atol=1e-6, err_msg=str(graph[output].op))


@pytest.mark.parametrize("version", KINDS)
def test_an_artifact_loads_and_spikes_as_it_did(version):
    folder = GOLDEN / version / "artifact"
    compiled, stored = snnc.load(folder), values(folder)
    np.testing.assert_allclose(compiled.graph.evaluate(stored["image"])["logits"], stored["rate"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(compiled.run(stored["image"])["logits"], stored["logits"], rtol=1e-4, atol=1e-6)
    assert compiled.source.evaluate(stored["image"])["logits"] == pytest.approx(stored["rate"], rel=1e-4, abs=1e-5)
