"""Drawings of graphs: every node and edge is in them, lines never share a lane, names are text."""

import xml.etree.ElementTree as ElementTree
from urllib.parse import quote

import pytest

from snnc import ops
from snnc.ir.drawing import drawing, lines, rows
from snnc.ir.graph import Graph

SVG = "{http://www.w3.org/2000/svg}"


def residual(blocks=3, name="x"):
    """Return a graph of residual blocks, whose shortcuts have a dense of their own."""
    graph = Graph("resnet")
    at = graph.add(name, ops.Input(shape=(4,))).name
    for i in range(blocks):
        long = graph.add(f"long{i}", ops.Relu(), [at]).name
        longer = graph.add(f"longer{i}", ops.Relu(), [long]).name
        short = graph.add(f"short{i}", ops.Relu(), [at]).name
        at = graph.add(f"sum{i}", ops.Add(), [longer, short]).name
    graph.set_outputs({at: at})
    return graph


def boxes(svg):
    return [
        box.find(f"{SVG}title").text
        for box in ElementTree.fromstring(svg).iter(f"{SVG}g")
        if "node" in box.get("class")
    ]


def test_every_node_is_drawn_once_and_below_what_it_reads():
    graph = residual()
    place = rows(graph)
    assert sorted(place) == sorted(node.name for node in graph)
    assert sorted(place.values()) == list(range(len(graph)))
    assert all(place[source] < place[node.name] for node in graph for source in graph.sources(node.name))
    assert len(boxes(drawing(graph))) == len(graph)


def test_branches_come_one_after_another():
    assert list(rows(residual(1))) == ["x", "long0", "longer0", "short0", "sum0"]


def test_lines_are_all_edges_that_pass_rows_and_share_no_lane():
    graph = residual(5)
    place = rows(graph)
    found = lines(graph, place)
    far = {(place[s], place[n.name]) for n in graph for s in graph.sources(n.name) if place[n.name] > place[s] + 1}
    assert {(line.start, end) for line in found for end in line.ends} == far
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            apart = one.ends[-1] < other.start or other.ends[-1] < one.start
            assert apart or one.lane != other.lane
    assert max(line.lane for line in found) == 1


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'a"b', "é\x00\n" * 40, "x" * 300, "&amp;"])
def test_names_are_text(name):
    svg = drawing(residual(1, name), link=lambda node: f"#{quote(node)}", beside={name: name})
    root = ElementTree.fromstring(svg)
    assert not [element for element in root.iter() if element.tag.removeprefix(SVG) in ("script", "style")]
    assert len(list(root.iter(f"{SVG}a"))) == 5


def test_a_graph_of_one_node():
    graph = Graph("one")
    graph.add("x", ops.Input(shape=(2,)))
    graph.set_outputs({"x": "x"})
    assert len(boxes(drawing(graph))) == 1


def test_classes_and_what_stands_beside_are_shown():
    svg = drawing(residual(1), {"long0": "12 spikes"}, {"long0": "spikes"})
    assert "12 spikes" in svg and 'class="node spikes"' in svg
