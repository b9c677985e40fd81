"""Imports point downwards, plugins use the front door, and nothing heavy is loaded before it is needed."""

import ast
import subprocess
import sys

import networkx as nx
import pytest

from tests.conftest import ROOT

LAYERS = [
    {"errors", "_version", "schema", "terminal"},
    {"limits", "checked", "quantities"},
    {"html"},
    {"notebook"},
    {"files", "replacing", "outputs", "processes", "progress", "progress_in_notebook"},
    {"ir"},
    {"ops"},
    {"neurons"},
    {"engine"},
    {"analysis"},
    {"samples", "text_form", "lowering", "export"},
    {"program"},
    {"backend"},
    {"made_inputs"},
    {"frontend", "passes"},
    {"evaluation", "artifact", "hooks"},
    {"api", "builtin"},
    {"discovery", "manifest"},
    {"registry"},
    {"lowered"},
    {"runnable"},
    {"compiled", "in_notebook"},
    {"arguments", "on_host", "called"},
    {"rewriting", "reproducer"},
    {"dump", "rehearsal"},
    {"compiler"},
    {"keras", "nir", "tune", "comparison", "portable", "testing"},
    {"report"},
    {"cli"},
    {"__init__", "__main__"},
]
LAZY = {
    ("snnc/ir/graph.py", "snnc.engine.rate"),
    ("snnc/ir/graph.py", "snnc.ir.text"),
    ("snnc/compiled.py", "snnc.report"),
    ("snnc/ir/graph.py", "snnc.ir.in_notebook"),
    ("snnc/evaluation/evaluate.py", "snnc.evaluation.verdict"),
    ("snnc/evaluation/evaluate.py", "snnc.evaluation.in_notebook"),
    ("snnc/evaluation/exported.py", "snnc.evaluation.in_notebook"),
    ("snnc/evaluation/verify.py", "snnc.evaluation.in_notebook"),
    ("snnc/compiled.py", "snnc.in_notebook"),
}
"""``graph.evaluate(x)``, ``str(graph)``, reports and what notebooks show: what is handed on to what stands above."""
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
HEAVY = (
    *("tensorflow", "keras", "tf_keras", "nengo", "nengo_dl", "nengo_loihi", "jax", "optuna", "matplotlib"),
    *("torch", "snntorch", "sinabs", "norse", "nir", "jinja2", "vl_convert", "PIL", "IPython", "ipywidgets"),
)


def imports(path):
    """Yield (line, module) of every import in a file, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "snnc" else [node.module]
            yield from ((node.lineno, name) for name in names)


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[parts[0] == "plugins" :]).removesuffix(".__init__")


def part(path):
    return path.relative_to(ROOT / "snnc").parts[0].removesuffix(".py")


def test_every_module_has_a_layer():
    parts = {part(p) for p in (ROOT / "snnc").rglob("*.py")}
    assert parts == set(LEVEL)


def test_imports_point_downwards():
    wrong, seen = [], 0
    for path in sorted((ROOT / "snnc").rglob("*.py")):
        for line, module in imports(path):
            if not module.startswith("snnc.") or part(path) in ("__init__", "__main__"):
                continue
            seen += 1
            target = module.split(".")[1]
            known = (path.relative_to(ROOT).as_posix(), module) in LAZY
            if target in LEVEL and LEVEL[target] > LEVEL[part(path)] and not known:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}, which is above it")
    assert seen > 100
    assert not wrong, "\n".join(wrong)


def test_there_are_no_circles():
    modules = {module_name(p): p for folder in ("snnc", "plugins") for p in sorted((ROOT / folder).rglob("*.py"))}
    graph = nx.DiGraph(
        (name, module)
        for name, path in modules.items()
        for _, module in imports(path)
        if module in modules and module != name and (path.relative_to(ROOT).as_posix(), module) not in LAZY
    )
    assert graph.number_of_edges() > 500
    assert not [sorted(ring) for ring in nx.strongly_connected_components(graph) if len(ring) > 1]


def test_plugins_import_the_api_only():
    allowed = {"snnc.api", "snnc.testing"}
    files = sorted([*(ROOT / "plugins").rglob("*.py"), *(ROOT / "tests" / "example_plugin").rglob("*.py")])
    assert len(files) > 8
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in files
        for line, module in imports(path)
        if (module == "snnc" or module.startswith("snnc.")) and module not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def modules_after(code):
    """Return the names of all modules that are loaded after some code ran in a new interpreter."""
    script = f"{code}\nimport sys; print('MODULES', ' '.join(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(ran.stdout.rsplit("MODULES", 1)[1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import snnc",
        "import snnc.cli; snnc.cli._run(['--help'])",
        "from snnc.registry import Registry; r = Registry.discover(); assert 'nengo' in r.backends",
        "from snnc import cli; assert cli._run(['plan']) == 0",
        "import os; os.environ.update(_SNNC_COMPLETE='complete_bash', COMP_WORDS='snnc plan --pass ', COMP_CWORD='3');"
        "from snnc import cli; assert cli._run([]) == 0",
    ],
)
def test_nothing_heavy_is_loaded_early(code):
    assert modules_after(code).isdisjoint(HEAVY)


def test_importing_snnc_loads_not_even_numpy():
    assert "numpy" not in modules_after("import snnc")
