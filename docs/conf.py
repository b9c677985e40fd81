"""How Sphinx makes the site: ``make docs``. Why Sphinx: docs/decisions/documentation-site.md.

The sources are the repository's root, so that links between pages, and from pages to code, are the ones of a code host.
"""

from __future__ import annotations

import logging
import os
import runpy
import sys
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]  # another checkout's pages may be made with this environment

project = "snnc"
author = "the snnc authors"
version = release = runpy.run_path(str(ROOT / "snnc" / "_version.py"))["__version__"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

root_doc = "docs/index"
include_patterns = ["docs/**", "CHANGELOG.md", "CONTRIBUTING.md", "examples/*/README.md"]
exclude_patterns = [".*", "out", "shared", "**/__pycache__"]

myst_enable_extensions = ["colon_fence"]
smartquotes = False  # options have two hyphens
myst_heading_anchors = 4
"""Headings have the anchors that a code host gives them."""

nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_show_tb = True  # a cell that fails is a warning, which -W makes an error at the end
nb_execution_timeout = 300
nb_merge_streams = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
"""Nothing is loaded from elsewhere, neither here nor by the reader."""

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 88
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"snnc {release}"
html_extra_path = ["site"]
html_copy_source = False
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["site.css"]


def _kernels_see_the_examples(settings: Path) -> None:
    """Give notebooks, which run in an empty folder each, the folder ``examples``; no settings of the user's count."""
    startup = settings / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "examples.py").write_text(f"import os\nos.symlink({str(ROOT / 'examples')!r}, 'examples')\n")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["IPYTHONDIR"] = str(settings)
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2] + os.environ.get("PYTHONPATH", "").split(os.pathsep))


def setup(app: Sphinx) -> None:
    """Prepare for the notebooks, and clear up behind them."""
    logging.getLogger("traitlets").setLevel(logging.WARNING)  # warnings are all that a build should say
    settings = tempfile.TemporaryDirectory(prefix="snnc-docs-")
    _kernels_see_the_examples(Path(settings.name))
    app.connect("build-finished", lambda *_: settings.cleanup())
