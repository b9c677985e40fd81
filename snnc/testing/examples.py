"""The example in a pass's docstring, executed: what is behind ``Before::`` becomes what is behind ``After::``.

Both are in the printed form of a graph, one line a node. A field that is left out has its default; an array is written
as its shape, ``f32[3,3,1,8]``, and is filled with numbers that are the same each time, or as the number that all its
elements are. Inputs may be left out behind ``After``, where ``...`` stands for anything, in a line or for any number of
lines. In ``Before`` it stands for what a node needs and the line does not say: vectors, of a number a channel of what
the node gives, and ones for each axis, such as strides.
"""

from __future__ import annotations

import inspect
import re
import textwrap
import types
import typing
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any

import numpy as np

from snnc.analysis.errors import relative_error
from snnc.engine.rate import evaluate
from snnc.ir.graph import Graph
from snnc.ir.made_for import MadeFor
from snnc.ir.op import Op, Record, show
from snnc.ir.text import line
from snnc.ir.types import AnyArray
from snnc.neurons import NeuronModel, SynapseModel
from snnc.ops.kernels.blas import reproducible
from snnc.passes.base import Context, Pass
from snnc.passes.pipeline import run
from snnc.registry import Registry
from snnc.schema import hints_of
from snnc.testing.graphs import in_binary
from snnc.text_form import build, parse

SAMPLES = 16
"""How many samples calibrate, and how many are held back."""
_BLOCK = re.compile(r"^(Before|After)(?: ``(.+)``)?::\n\n((?:    .*\n|\n)+)", re.MULTILINE)
_LINE = re.compile(
    r"%(?P<name>.+?) = (?P<kind>[\w-]+)\((?P<reads>.*?)\)"
    r"(?: \{(?P<fields>.*)\})? : (?P<type>\S+)(?: +; (?P<origin>.+))?"
)
_POSITIVE = ("scale", "variance", "gamma", "deviation")


@dataclass(frozen=True)
class Example:
    """A graph before a pass, the text form of the pass, and lines of the graph behind it."""

    before: str
    spec: str
    after: str


@dataclass(frozen=True)
class _Line:
    """A line of a printed graph."""

    name: str
    kind: str
    reads: str
    fields: Mapping[str, str]
    open: bool
    """Whether ``...`` stands for further fields."""
    type: str
    origin: str | None


def examples(cls: type[Pass]) -> list[Example]:
    """Return the examples in a pass's docstring, most often one."""
    blocks = _BLOCK.findall(f"{inspect.cleandoc(cls.__doc__ or '')}\n")
    pairs = zip(blocks[::2], blocks[1::2], strict=False)
    found = [
        Example(textwrap.dedent(before), spec or cls.name, textwrap.dedent(after))
        for (first, _, before), (second, spec, after) in pairs
        if (first, second) == ("Before", "After")
    ]
    if not found or len(found) * 2 != len(blocks):
        raise AssertionError(f"{cls.__name__}: its docstring needs Before:: and After::, each with a graph as printed")
    return found


def check_example(
    cls: type[Pass], registry: Registry | None = None, *, made_for: MadeFor | None = None, **context: Any
) -> None:
    """Assert that a pass makes of each ``Before::`` in its docstring what is behind ``After::``.

    A pass that promises to be exact has to give the same outputs, too.

    Args:
        cls: the pass; its options are behind ``After``, in double backticks.
        registry: the ops and neurons that a graph may hold; those of all installed plugins by default.
        made_for: what the graph in ``Before`` is made for, if it is a network that spikes already.
        context: fields of the ``Context`` that the pass is told. By default the samples, and those held back, are
            16 random ones between 0 and 1, and the backend is the first that the pass is for.

    Raises:
        AssertionError: it makes something else, which is shown; or an example cannot be read.

    """
    registry = Registry.discover() if registry is None else registry
    for example in examples(cls):
        before = read_graph(example.before, registry)
        before.made_for = made_for
        step = build(cls, f"pass {cls.name!r}", parse(example.spec)[1])
        with reproducible():
            after, _ = run(before, [step], _context(cls, before, registry, context), kinds=registry.ops)
        problems = list(mismatches(example.after, after))
        if problems:
            raise AssertionError(f"{cls.__name__}: {'; '.join(problems)}\nit is:\n{after}\nAfter::\n{example.after}")
        if cls.exact:
            inputs = _inputs(before, 2)
            error = relative_error(evaluate(after, inputs), evaluate(before, inputs))
            assert error <= 1e-5, f"{cls.__name__} promises to be exact, but the outputs moved by {error:.3g}"


def _context(cls: type[Pass], graph: Graph, registry: Registry, given: Mapping[str, Any]) -> Context:
    backend = cls.targets[0] if cls.targets else "nengo"
    usual = Context(
        backend=backend,
        chain=registry.chain(backend),
        neurons=registry.neurons,
        synapses=registry.synapses,
        samples=_inputs(graph, 0),
        held_back=_inputs(graph, 1),
    )
    return replace(usual, **given)


def _inputs(graph: Graph, seed: int) -> dict[str, AnyArray]:
    rng = np.random.default_rng(seed)
    return {n: rng.uniform(0, 1, size=(SAMPLES, *graph[n].type.shape)).astype(np.float32) for n in graph.inputs}


# ---------------------------------------------------------------------- reading


def read_graph(text: str, registry: Registry | None = None) -> Graph:
    """Return the graph of a printed form; without a line ``graph ...``, nodes that nothing reads are the outputs.

    Args:
        text: one line a node, each behind those that it reads.
        registry: the ops and neurons that it may hold; those of all installed plugins by default.

    Raises:
        AssertionError: a line cannot be read, lacks what is needed, or says another type than its op infers.
        GraphError: the ops do not fit together.

    """
    registry = Registry.discover() if registry is None else registry
    graph, head, read = Graph("example"), "", set()
    for row in filter(None, map(str.strip, text.splitlines())):
        if row.startswith("graph "):
            head = row
            continue
        said = _parse(row)
        if said.kind not in registry.ops:
            raise AssertionError(f"{row!r}: there is no op {said.kind!r}")
        sources = said.reads.removeprefix("%").split(", %") if said.reads else []
        layers = [
            word.removeprefix("keras:") for word in (said.origin or "").split(" <- ") if word.startswith("keras:")
        ]
        op = _record(registry.ops[said.kind], said, registry, row)
        try:
            node = graph.add(said.name, op, sources, layers=layers)
        except IndexError as error:  # of an op whose weights have too few axes
            raise AssertionError(f"{row!r}: the weights of {said.kind} have other shapes; say which") from error
        read.update(sources)
        if str(node.type) != said.type:
            raise AssertionError(f"{row!r}: its type is {node.type}")
    outputs = dict(_output(word) for word in head.partition(" -> ")[2].split(", ") if word)
    graph.set_outputs(outputs or {node.name: node.name for node in graph if node.name not in read})
    return graph


def _output(word: str) -> tuple[str, str]:
    output, _, node = word.rpartition("=")
    name = node.removeprefix("%")
    return output or name, name


def _parse(row: str) -> _Line:
    match = _LINE.fullmatch(row)
    if match is None:
        raise AssertionError(f"{row!r} is no line of a printed graph: %name = op(%a, %b) {{field=value}} : rate[3]")
    given, more = _fields(match["fields"] or "")
    return _Line(match["name"], match["kind"], match["reads"], given, more, match["type"], match["origin"])


def _fields(text: str) -> tuple[dict[str, str], bool]:
    """Return the fields of ``a=1 b=(2,3) ...``, and whether there may be more."""
    words = _split(text, " ")
    return dict(word.partition("=")[::2] for word in words if word != "..."), "..." in words


def _split(text: str, separator: str) -> list[str]:
    """Return the parts of a text between separators that are in no brackets."""
    parts, depth = [""], 0
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        if c == separator and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts if part.strip()]


def _record(cls: type[Any], said: _Line, registry: Registry, row: str) -> Any:
    """Return a record with the fields that a line says."""
    known, hints = {f.name: f for f in fields(cls)}, hints_of(cls)
    unknown = said.fields.keys() - known
    missing = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    texts = dict(said.fields)
    sizes = re.findall(r"\d+", said.type)
    for name in missing:
        if name not in texts and said.open and sizes:
            ones = typing.get_origin(hints[name]) is tuple
            texts[name] = f"({','.join('1' for _ in sizes[1:])})" if ones else f"f32[{sizes[-1]}]"
    lacking = [name for name in missing if name not in texts]
    if unknown or lacking:
        what = f"has no field {min(unknown)!r}" if unknown else f"needs {', '.join(lacking)}"
        raise AssertionError(f"{row!r}: {cls.kind} {what}")
    return cls(**{n: _value(text, hints[n], f"{said.name}.{n}", registry, row) for n, text in texts.items()})


def _value(text: str, hint: Any, where: str, registry: Registry, row: str) -> Any:
    """Return the value of a field in its printed form."""
    choices = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    classes = [c for c in choices if isinstance(c, type)]
    if match := re.fullmatch(r"f32\[([\d,]*)\]", text):
        return _numbers(tuple(int(n) for n in match[1].split(",") if n), where)
    if text.startswith("(") and text.endswith(")"):
        inside = next((typing.get_args(c)[:1] for c in choices if typing.get_origin(c) is tuple), ()) or (Any,)
        return tuple(_value(part, inside[0], where, registry, row) for part in _split(text[1:-1], ","))
    if any(issubclass(c, Record) for c in classes):
        name, _, rest = text.partition("{")
        tables = ((Op, registry.ops), (NeuronModel, registry.neurons), (SynapseModel, registry.synapses))
        families = [table for base, table in tables if any(issubclass(c, base) for c in classes)]
        found = next((table[name] for table in families if name in table), None)
        if found is None:
            raise AssertionError(f"{row!r}: there is no {name!r}")
        return _record(found, _parse(f"%{where} = {name}() {{{rest[:-1] if rest else ''}}} : -"), registry, row)
    if text in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[text]
    try:
        number = int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    except ValueError:
        return text
    if not {int, float}.intersection(choices) and any("ndarray" in str(c).lower() for c in choices):
        return np.asarray(number, dtype=np.float32)
    return number


def _numbers(shape: tuple[int, ...], where: str) -> AnyArray:
    """Return an array of binary fractions, the same for the same place in a graph; positive where it has to be."""
    numbers = in_binary(np.random.default_rng(zlib.crc32(where.encode())), *(shape or (1,))).reshape(shape)
    return np.asarray(np.abs(numbers) + np.float32(0.25)) if where.rpartition(".")[2] in _POSITIVE else numbers


# ---------------------------------------------------------------------- comparing


def mismatches(text: str, graph: Graph) -> Iterator[str]:
    """Yield a line for the first place at which a graph is not as a text says, with ``...`` for anything."""
    rows = [row for row in map(str.strip, text.splitlines()) if row]
    head = rows.pop(0) if rows and rows[0].startswith("graph ") else ""
    wanted = dict(_output(word) for word in head.partition(" -> ")[2].split(", ") if word)
    if wanted and wanted != dict(graph.output_nodes):
        yield f"the outputs are {dict(graph.output_nodes)}"
    shown = {_parse(row).name for row in rows if row != "..."}
    nodes = [node for node in graph if node.op.arity != 0 or node.name in shown]
    skipping = False
    for row in rows:
        if row == "...":
            skipping = True
            continue
        said = _parse(row)
        while skipping and nodes and nodes[0].name != said.name:
            nodes.pop(0)
        skipping = False
        if not nodes:
            yield f"{row!r} is not there"
            return
        node = nodes.pop(0)
        problem = _mismatch(said, graph, node.name, row)
        if problem:
            yield f"{problem}: {line(graph, node)!r} is not {row!r}"
            return
    if nodes and not skipping:
        yield f"{line(graph, nodes[0])!r} is not said"


def _mismatch(said: _Line, graph: Graph, name: str, row: str) -> str:
    """Return in what a node is not as a line says, or nothing."""
    node = graph[name]
    reads = ", ".join(f"%{source}" for source in graph.sources(name))
    for what, wanted, is_so in (
        ("name", said.name, name),
        ("op", said.kind, node.op.kind),
        ("inputs", said.reads, reads),
        ("type", said.type, str(node.type)),
        ("origin", said.origin or "...", str(node.origin)),
    ):
        if not _fits(wanted, is_so):
            return what
    return _misfit(said.fields, said.open, node.op)


def _misfit(said: Mapping[str, str], more: bool, record: Record) -> str:
    """Return the field in which a record is not as a text says, or nothing; those that are left out have defaults."""
    attrs, defaults = record.attrs(), {f.name: f.default for f in fields(record)}
    if unknown := said.keys() - attrs:
        return f"field {min(unknown)!r}"
    for key, value in attrs.items():
        if key in said:
            fits = _is(value, said[key])
        else:
            fits = more or value is None or (defaults[key] is not MISSING and bool(np.all(value == defaults[key])))
        if not fits:
            return f"field {key!r}"
    return ""


def _is(value: Any, text: str) -> bool:
    """Return whether a value is as a text says."""
    if isinstance(value, Record):
        name, _, rest = text.partition("{")
        inside, more = _fields(rest.removesuffix("}"))
        return text == "..." or (name == value.kind and not _misfit(inside, more, value))
    return _fits(text, show(value)) or _is_everywhere(value, text)


def _is_everywhere(value: Any, text: str) -> bool:
    """Return whether an array has the number that a text says for all its elements."""
    try:
        return isinstance(value, np.ndarray) and bool(np.all(value == np.float32(float(text))))
    except ValueError:
        return False


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("..."))), text) is not None
