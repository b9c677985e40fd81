"""What the loaders of snnc.nir take a file to say, and what they refuse: numpy alone is needed for that."""

import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from snnc_nir.description import Linear, Population, describe
from snnc_nir.exporter import NirExporter
from snnc_nir.file import NirNode, read

import snnc
from snnc import nir
from snnc.errors import MissingExtraError, SnncError
from snnc.registry import Registry
from tests.fuzz import corpus, mutate
from tests.plugins.nir.files import affine, chain, fires
from tests.plugins.nir.networks import networks

REGISTRY = Registry.discover()


def described(path):
    return describe(path, REGISTRY.kinds, REGISTRY.read_out)


@pytest.fixture
def path(tmp_path):
    c = snnc.compile(networks()["residual"], neurons="soft-reset-if{gamma=2 initial=0.5}", steps=7, verify=False)
    found = tmp_path / "net.nir"
    found.write_bytes(NirExporter().to_bytes(c.exported))
    return found


def test_a_file_is_described_in_the_order_of_a_step(path):
    found = described(path)
    seen = set()
    for part in found.parts:
        assert seen.issuperset(part.sources)
        seen.add(part.name)
    assert (found.steps, found.dt, found.temporal) == (7, 0.001, False)
    populations = [part for part in found.parts if isinstance(part.does, Population)]
    assert {(part.does.model.kind, part.does.model.gamma) for part in populations} == {("soft-reset-if", 2)}
    assert all(part.start["voltage"].shape == part.own and (part.start["voltage"] == 0.5).all() for part in populations)
    assert sum(isinstance(part.does, Linear) for part in found.parts) >= 4


@pytest.mark.parametrize(
    ("kind", "change", "error"),
    [
        ("IF", {"r": np.full((4, 6, 6), 2.0)}, "r or v_threshold other than 1"),
        ("IF", {"v_threshold": np.full((4, 6, 6), 0.5)}, "r or v_threshold other than 1"),
        ("IF", {"v_reset": np.ones((4, 6, 6))}, "its v_reset is not 0"),
        ("IF", {"r": "one"}, "no array of numbers"),
        ("IF", {"r": np.array(np.nan)}, "NaN or infinite"),
        ("Conv2d", {"groups": np.array(3)}, "group"),
        ("Conv2d", {"stride": np.array([0, 1])}, "its stride is"),
        ("Conv2d", {"padding": np.array(-1)}, "its padding is"),
        ("Conv2d", {"padding": np.array(1 << 20)}, "budget"),
        ("Conv2d", {"dilation": np.array(100)}, "does not fit"),
        ("Conv2d", {"weight": np.ones((4, 2))}, "its weight has 2 axes"),
        ("Conv2d", {"bias": np.ones(1)}, "and a bias"),
    ],
)
def test_fields_that_say_otherwise_are_refused_by_name(path, kind, change, error):
    file = read(path)
    found = {name: node for name, node in file.nodes.items() if node.type == kind}
    name = max(found, key=lambda name: np.size(found[name].fields.get("weight", 0)))
    node = file.nodes[name]
    changed = replace(node, fields={**node.fields, **change})
    path.write_bytes(replace(file, nodes={**file.nodes, name: changed}).to_bytes())
    with pytest.raises(SnncError, match=error) as raised:
        described(path)
    assert repr(name) in str(raised.value)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"reset": "zero"}, "does not say that it is reset by subtraction"),
        ({"most_spikes": np.array(0)}, "most_spikes 0"),
        ({"initial_voltage": np.array(np.inf)}, "'initial_voltage' is no number"),
        ({"shape": np.array([9, 8, 5])}, "has the shape"),
        ({"layer": np.array(3)}, "'layer' is no text"),
    ],
)
def test_metadata_that_say_otherwise_are_refused(path, change, error):
    file = read(path)
    name = next(name for name, node in file.nodes.items() if node.type == "IF")
    changed = replace(file.nodes[name], metadata={**file.nodes[name].metadata, **change})
    path.write_bytes(replace(file, nodes={**file.nodes, name: changed}).to_bytes())
    with pytest.raises(SnncError, match=error):
        described(path)


def test_nodes_edges_and_ends_that_no_file_has_are_refused(path):
    file = read(path)
    between = next(edge for edge in file.edges if file.nodes[edge[1]].type == "IF")
    wrong = {
        "no file of snnc has this type": replace(
            file, nodes={**file.nodes, "x": NirNode("Delay", {"delay": np.ones(2)})}
        ),
        "recurrent": replace(file, edges=(*file.edges, tuple(reversed(between)))),
        "there twice": replace(file, edges=(*file.edges, file.edges[0])),
        "no edge leads to it": replace(file, edges=tuple(edge for edge in file.edges if edge[1] != between[1])),
        "'inputs' is damaged": replace(file, metadata={**file.metadata, "inputs": "5"}),
        "do not describe it": replace(file, metadata={**file.metadata, "outputs": "{}"}),
        "no number as 'steps'": replace(file, metadata={**file.metadata, "steps": "many"}),
        "read-out": replace(file, metadata={**file.metadata, "read_out": "most"}),
    }
    for error, other in wrong.items():
        path.write_bytes(other.to_bytes())
        with pytest.raises(SnncError, match=error):
            described(path)


def test_files_of_others_are_sent_to_the_readers_of_others(tmp_path):
    path = tmp_path / "other.nir"
    path.write_bytes(chain((2,), affine(np.ones((2, 2))), fires(2), out=(2,)).to_bytes())
    with pytest.raises(SnncError, match="no NIR file that snnc wrote"):
        described(path)
    with pytest.raises(SnncError):
        described(tmp_path / "none.nir")


def test_damaged_files_are_one_line(tmp_path):
    files, path = corpus.nir_files(), tmp_path / "net.nir"
    rng, refused = random.Random(0), 0
    for _ in range(40):
        path.write_bytes(mutate.nir(rng, files[rng.choice(sorted(files))]))
        try:
            described(path)
        except SnncError:  # and nothing else
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("library", ["snntorch", "sinabs", "norse"])
def test_a_library_that_is_missing_is_said_with_what_to_install(library, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'snnc\[{library}\]'"):
        getattr(nir, f"load_{library}")(Path("net.nir"))
