"""HTML from the templates of snnc/templates: everything that is filled in is escaped, and nothing may be missing."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from snnc.quantities import joules, number, thousands

if TYPE_CHECKING:
    import jinja2


def render(template: str, **values: Any) -> str:
    """Return a template of ``snnc/templates`` filled in; names of layers and files are text, never markup."""
    return _templates().get_template(template).render(**values)


@cache
def _templates() -> jinja2.Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("snnc", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"number": number, "joules": joules, "thousands": thousands}
    return found
