import json

import numpy as np
import pytest

from snnc import builtin, neurons, ops
from snnc.errors import FileError, SnncError
from snnc.ir.graph import Graph
from snnc.ir.made_for import MadeFor
from snnc.ir.store import GRAPH_FILE, WEIGHTS_FILE, Kinds, dump, load
from snnc.neurons import SYNAPSES
from snnc.testing import chain
from tests.conftest import dense
from tests.ops.samples import OPS

KINDS = Kinds(
    op={op.kind: op for op in builtin.snnc_register_ops()},
    neuron={model.kind: model for model in neurons.MODELS},
    synapse={model.kind: model for model in SYNAPSES},
)


def save(folder, graph):
    for name, data in dump({GRAPH_FILE: graph}).items():
        (folder / name).write_bytes(data)


@pytest.mark.parametrize(("op", "shapes"), OPS, ids=lambda v: getattr(v, "kind", ""))
def test_every_op_comes_back_equal(tmp_path, op, shapes):
    graph = Graph("one op")
    for i, shape in enumerate(shapes):
        graph.add(f"in/{i}", ops.Input(shape=shape), layers=[f"in/{i}"])
    graph.add("it", op, list(graph.inputs), layers=["it"])
    graph.set_outputs({"out": "it"})
    save(tmp_path, graph)
    assert load(tmp_path, KINDS) == graph


def test_the_same_graph_is_the_same_bytes(residual):
    assert dump({GRAPH_FILE: residual}) == dump({GRAPH_FILE: residual.copy()})


def test_what_a_graph_was_made_for_comes_back(tmp_path, residual):
    plain = dump({GRAPH_FILE: residual})[GRAPH_FILE]
    assert b"made_for" not in plain
    residual.made_for = MadeFor(dt=0.002, steps=7, read_out="last", notes=("a", "b"))
    save(tmp_path, residual.copy())
    assert load(tmp_path, KINDS).made_for == residual.made_for
    text = (tmp_path / GRAPH_FILE).read_text()
    for wrong in ('"steps": "7"', '"steps": 7.5', '"steps": 7, "x": 1'):
        (tmp_path / GRAPH_FILE).write_text(text.replace('"steps": 7', wrong))
        with pytest.raises(FileError, match="made_for"):
            load(tmp_path, KINDS)


def test_a_shared_weight_is_stored_once(tmp_path, rng):
    shared = dense(rng, 4, 4)
    save(tmp_path, chain(ops.Input(shape=(4,)), shared, shared))
    with np.load(tmp_path / WEIGHTS_FILE, allow_pickle=False) as arrays:
        assert len(arrays.files) == 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d.update(format="other"), "not a graph that snnc saved"),
        (lambda d: d.update(version=99), "format version 99"),
        (lambda d: d["nodes"][1].update(op="warp"), "unknown op kind 'warp'"),
        (lambda d: d["nodes"][1].update(inputs=["nowhere"]), "no node 'nowhere'"),
        (lambda d: d["nodes"][1]["attrs"].update(weight={"array": "w9"}), "damaged"),
        (lambda d: d["nodes"][1]["attrs"].update(colour="red"), "damaged"),
        (lambda d: d["nodes"][1].pop("inputs"), "damaged"),
        (lambda d: d.update(outputs={"a": "b"}), "no node 'b'"),
    ],
)
def test_a_damaged_graph_is_one_error(tmp_path, rng, spoil, message):
    save(tmp_path, chain(ops.Input(shape=(4,)), dense(rng, 4, 4)))
    document = json.loads((tmp_path / GRAPH_FILE).read_text())
    spoil(document)
    (tmp_path / GRAPH_FILE).write_text(json.dumps(document))
    with pytest.raises(SnncError, match=message):
        load(tmp_path, KINDS)


def test_truncated_files_are_one_error(tmp_path, rng):
    save(tmp_path, chain(ops.Input(shape=(4,)), dense(rng, 4, 4)))
    weights = (tmp_path / WEIGHTS_FILE).read_bytes()
    (tmp_path / WEIGHTS_FILE).write_bytes(weights[: len(weights) // 2])
    with pytest.raises(FileError, match="not a readable zip"):
        load(tmp_path, KINDS)
    (tmp_path / GRAPH_FILE).write_text("{")
    with pytest.raises(FileError, match="not a readable graph file"):
        load(tmp_path, KINDS)
