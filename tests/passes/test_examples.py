"""What the docstring of every registered pass shows, before and behind it, is what the pass does."""

import ast
import re
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from snnc import ops
from snnc.api import MadeFor
from snnc.errors import GraphError
from snnc.passes.base import Pass, Stage
from snnc.registry import Registry
from snnc.testing import check_example, read_graph
from snnc.testing.examples import examples, mismatches
from tests.conftest import ROOT

REGISTRY = Registry.discover()
PASSES = {name: cls for name, cls in REGISTRY.passes.items() if cls.stage < Stage.VERIFY}
"""All that rewrite a graph; the others compare."""
TOLD = {"as-activations": {"made_for": MadeFor()}}
"""What an example's graph or pass needs that its text does not say."""


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_does_what_its_docstring_shows(name):
    check_example(PASSES[name], REGISTRY, **TOLD.get(name, {}))


def test_every_example_in_the_code_is_that_of_a_registered_pass():
    found = []
    for path in [*(ROOT / "snnc" / "passes").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and "Before::" in (ast.get_docstring(node) or ""):
                found.append(node.name)
    registered = sorted(c.__name__ for c in PASSES.values() if not c.__module__.startswith("snnc_example"))
    assert sorted(found) == registered
    assert len(found) >= 36
    assert TOLD.keys() <= PASSES.keys()


def wrong(cls):
    """Yield docstrings that are the pass's but for one word behind After."""
    text = cls.__doc__
    head, after, block = re.split(r"(After(?: ``.+``)?::\n)", text)
    for match in re.finditer(r"%[\w.]+|\d+|(?<= = )[a-z-]+", block):
        word = match.group()
        other = str(int(word) + 1) if word.isdigit() else f"{word}x" if word[0] == "%" else "tanh"
        yield head + after + block[: match.start()] + other + block[match.end() :]


@pytest.mark.parametrize("name", PASSES)
def test_a_docstring_with_one_wrong_word_fails(name):
    """Three words of each here; all 795 were tried once, and every one fails."""
    texts = list(wrong(PASSES[name]))
    assert len(texts) >= 4
    for text in texts[:: -(-len(texts) // 3)]:
        cls = type(PASSES[name].__name__, (PASSES[name],), {"__doc__": text})
        with pytest.raises(AssertionError):
            check_example(cls, REGISTRY, **TOLD.get(name, {}))


def pass_with(before, after, change=lambda graph: None, **attributes):
    """Return the class of a pass with an example."""

    @dataclass(frozen=True)
    class Step(Pass):
        name: ClassVar[str] = "step"
        stage: ClassVar[Stage] = Stage.FUSE
        gain: float = 1.0

        def apply(self, graph, context):
            change(graph)

    Step.__doc__ = f"Do it.\n\n    Before::\n\n{before}\n    After::\n\n{after}"
    for key, value in attributes.items():
        setattr(Step, key, value)
    return Step


X = "        %x = input() {shape=(3)} : rate[3]\n"
RELU = "        %y = relu(%x) : rate[3]\n"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (X + RELU, X, "'%y = relu.*is not said"),
        (X + RELU, RELU + RELU, "is not there"),
        (X + RELU, RELU.replace("rate[3]", "rate[4]"), "type: "),
        (X + RELU, RELU.replace(" :", " {max_value=6} :"), "field 'max_value'"),
        (X + RELU, RELU.replace(" :", " {colour=6} :"), "field 'colour'"),
        (X + RELU, RELU.rstrip() + "  ; somebody\n", "origin: "),
        (X + RELU, "        graph 'a' -> z=%y\n" + RELU, "the outputs are"),
        (X + RELU.replace("rate[3]", "spikes[3]"), RELU, "its type is rate"),
        (X + "        %y = relu of x\n", RELU, "is no line of a printed graph"),
        (X + "        %y = conv(%x) {...} : rate[3]\n", RELU, "the weights of conv have other shapes"),
        (X + "        %y = dense(%x) {weight=f32[3,3]} : rate[3]\n", RELU, "dense needs bias"),
        (X + "        %y = nothing(%x) : rate[3]\n", RELU, "there is no op 'nothing'"),
        (X + "        %y = neurons(%x) {model=nothing} : spikes[3]\n", RELU, "there is no 'nothing'"),
        (X + "        %y = relu(%x) {colour=3} : rate[3]\n", RELU, "has no field 'colour'"),
    ],
)
def test_what_is_wrong_with_an_example_is_said(before, after, said):
    with pytest.raises((AssertionError, GraphError), match=said):
        check_example(pass_with(before, after), REGISTRY)


def test_an_example_is_needed_and_an_exact_pass_is_held_to_it():
    check_example(pass_with(X + RELU, RELU), REGISTRY)
    with pytest.raises(AssertionError, match="its docstring needs Before:: and After::"):
        check_example(pass_with("", ""), REGISTRY)

    def double(graph):
        graph.insert_after("y", "z", ops.Affine(scale=np.full((), 2), shift=np.zeros(())))

    after = RELU + "        %z = affine(%y) {scale=2 shift=0} : rate[3]\n"
    check_example(pass_with(X + RELU, after, double), REGISTRY)
    with pytest.raises(AssertionError, match="promises to be exact, but the outputs moved by"):
        check_example(pass_with(X + RELU, after, double, exact=True), REGISTRY)


def test_dots_stand_for_anything_in_a_line_or_for_lines():
    graph = read_graph(X + RELU + "%z = dense(%y) {weight=f32[3,2] ...} : rate[2]")
    for text in ("...", "...\n%z = dense(...) {...} : ...", "%y = relu(%x) {...} : rate[3]\n...", RELU + "...\n"):
        assert not list(mismatches(text, graph)), text
    for text in ("...\n%w = dense(...) {...} : ...", "...\n%y = relu(%x) : rate[3]", "%z = dense(%y) {...} : rate[2]"):
        assert list(mismatches(text, graph)), text


def test_the_printed_form_of_a_graph_is_read_again():
    for cls in PASSES.values():
        for example in examples(cls):
            graph = read_graph(example.before, REGISTRY)
            assert str(read_graph(str(graph), REGISTRY)) == str(graph), cls.name
    named = read_graph("graph 'g' -> a b=%y (1)\n%an x = input() {shape=(3)} : rate[3]\n%y (1) = relu(%an x) : rate[3]")
    assert named.outputs == ("a b",)
    assert read_graph(str(named)) == named
    assert replace(named["y (1)"], name="y").op == ops.Relu()
