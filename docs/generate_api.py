"""Write docs/api.md and what it leads to in docs/reference/ from snnc/api.py: ``python docs/generate_api.py``.

The tiers are the lists that make up its ``__all__``, each with a text behind it; a name's line is the first sentence of
its docstring, and the site shows the whole of it.
"""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path

from snnc import api

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "api.md"
REFERENCE = ROOT / "docs" / "reference"
DETAILED = ("Graph", "Passes", "Frontend", "Backend")
"""Tiers that have a page of their own, because they are promised."""
MODULES = ("neurons", "ops")
"""Names that have a page of their own, because they are many."""
HEAD = """# The plugin author's interface

All that a plugin may import is in `snnc.api` and, for [its tests](reference/testing.md), in `snnc.testing`;
[stability](stability.md) says what is promised of it. What a program calls is [elsewhere](reference/programs.md). This
page is written by `python docs/generate_api.py`.
"""


def tiers() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return (what it is, its names) by tier."""
    body = ast.parse(Path(api.__file__).read_text()).body
    found = {}
    for index, node in enumerate(body):
        if isinstance(node, (ast.Assign, ast.AugAssign)) and isinstance(node.value, ast.List):
            title, _, text = _text(body[index + 1]).partition(". ")
            found[title] = (text, tuple(ast.literal_eval(node.value)))
    return found


def _text(node: ast.stmt) -> str:
    """Return the string that a statement is, or nothing."""
    return ast.literal_eval(node.value) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else ""


def origins() -> dict[str, str]:
    """Return the module that each name comes from."""
    imports = [n for n in ast.parse(Path(api.__file__).read_text()).body if isinstance(n, ast.ImportFrom)]
    return {alias.asname or alias.name: node.module or "" for node in imports for alias in node.names}


def summary(name: str) -> str:
    """Return the first sentence on a name: of its docstring, or of the text behind an alias or a constant."""
    thing = getattr(api, name)
    documented = inspect.ismodule(thing) or getattr(thing, "__module__", "").startswith("snnc.")
    text = (inspect.getdoc(thing) or "") if documented else _behind(name)
    return " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")


def _behind(name: str) -> str:
    body = ast.parse((ROOT / f"{origins()[name].replace('.', '/')}.py").read_text()).body
    for node, after in itertools.pairwise(body):
        if isinstance(node, (ast.AnnAssign, ast.Assign)) and ast.unparse(node).startswith((f"{name} = ", f"{name}: ")):
            return _text(after)
    return ""


def lines() -> Iterator[str]:
    """Yield the lines of the page."""
    yield HEAD
    for title, (text, names) in tiers().items():
        yield f"## {title}\n"
        yield f"{text}\n"
        yield "| name | what it is |\n| --- | --- |"
        yield from (f"| {_linked(name, title)} | {summary(name).replace('|', chr(92) + '|')} |" for name in names)
        yield ""


def _linked(name: str, title: str) -> str:
    if name in MODULES:
        return f"[`{name}`](reference/{name}.md)"
    return f"[`{name}`](reference/{title.lower()}.md#{_anchor(name, title)})" if title in DETAILED else f"`{name}`"


def _anchor(name: str, title: str) -> str:
    """Return the anchor of a name's heading: names that differ in their case alone are numbered."""
    alike = [other for other in headings(title) if other.lower() == name.lower()]
    return f"{name.lower()}-{alike.index(name)}" if alike.index(name) else name.lower()


def headings(title: str) -> list[str]:
    """Return the names that the page of a tier tells of."""
    return [name for name in tiers()[title][1] if name not in MODULES]


def page() -> str:
    """Return the page."""
    return "\n".join(lines()).rstrip() + "\n"


def details(title: str) -> str:
    """Return the page of one tier, which the site fills from the docstrings."""
    entries = [f"## {name}\n\n```{{eval-rst}}\n{entry(name)}\n```\n" for name in headings(title)]
    return "\n".join([f"# Interface: {title}\n\n{tiers()[title][0]}\n", *entries])


def entry(name: str) -> str:
    """Return what makes Sphinx tell all of a name."""
    thing = getattr(api, name)
    if inspect.ismodule(thing):
        return f".. automodule:: {thing.__name__}"
    if inspect.isclass(thing) and thing.__module__.startswith("snnc."):
        kind = "autoexception" if issubclass(thing, Exception) else "autoclass"
    elif inspect.isroutine(thing):
        kind = "autofunction"
    else:  # an alias or a constant, which has its text behind it
        return f".. py:data:: snnc.api.{name}\n\n   {summary(name)}."
    return f".. {kind}:: snnc.api.{name}"


def pages() -> dict[Path, str]:
    """Return all that is written, by file."""
    return {PAGE: page()} | {REFERENCE / f"{title.lower()}.md": details(title) for title in DETAILED}


if __name__ == "__main__":
    for path, content in pages().items():
        path.write_text(content)
