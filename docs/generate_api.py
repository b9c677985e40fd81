"""Write docs/api.md from snnc/api.py: ``python docs/generate_api.py``.

The tiers are the lists that make up its ``__all__``, each with a text behind it; a name's line is the first sentence of
its docstring.
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
HEAD = """# The plugin author's interface

All that a plugin may import is in `snnc.api` and, for its tests, in `snnc.testing`; [stability](stability.md) says
what is promised of it. This page is written by `python docs/generate_api.py`.
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
        yield from (f"| `{name}` | {summary(name).replace('|', chr(92) + '|')} |" for name in names)
        yield ""


def page() -> str:
    """Return the page."""
    return "\n".join(lines()).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
