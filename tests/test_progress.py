"""Progress: a bar on a terminal, one output that is updated in a notebook, nothing elsewhere."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from snnc import progress_in_notebook
from snnc.progress import progress_bar
from tests.conftest import ROOT


class Handle:
    """An output of a notebook, and all that it has shown."""

    def __init__(self, shown, bundle):
        self.shown = shown
        shown.append([bundle])

    def update(self, bundle, *, raw):
        assert raw
        self.shown[-1].append(bundle)


@pytest.fixture
def outputs(monkeypatch):
    """Return the outputs of what seems to be a notebook, each a list of what it showed."""
    shown: list[list[dict[str, str]]] = []

    def display(bundle, *, raw, display_id):
        assert raw and display_id
        return Handle(shown, bundle)

    package, inner = ModuleType("IPython"), ModuleType("IPython.display")
    package.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    inner.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", inner)
    monkeypatch.setattr(progress_in_notebook, "PERIOD", 0.0)
    return shown


def test_a_notebook_has_one_output_that_is_updated_and_ends_as_a_line(outputs):
    with progress_bar(shown=True) as bar:
        assert list(bar.track(range(4), description="<b>run")) == [0, 1, 2, 3]
    (one,) = outputs
    assert 4 <= len(one) <= 12
    assert '<progress max="4.0" value="2"></progress> &lt;b&gt;run 50 %' in "".join(page["text/html"] for page in one)
    assert one[-1]["text/plain"].startswith("<b>run 100 %, ") and one[-1]["text/plain"].endswith(" s")
    assert "<progress" not in one[-1]["text/html"]


def test_what_has_no_end_shows_what_it_does_and_ends_as_it_began(outputs):
    with progress_bar(shown=True) as bar:
        row = bar.add_task("compile", total=None)
        bar.update(row, description="fold\x1b[31m")
    (one,) = outputs
    assert [page["text/plain"].split(",")[0] for page in one] == ["compile", r"fold\x1b[31m", "compile"]
    assert "<progress></progress>" in one[0]["text/html"]


def test_what_breaks_off_says_how_far_it_came(outputs):
    with pytest.raises(ValueError, match="no"), progress_bar(shown=True) as bar:
        row = bar.add_task("run", total=4)
        bar.advance(row)
        raise ValueError("no")
    assert outputs[0][-1]["text/plain"].startswith("run 25 %, ")


def test_many_steps_are_few_updates(outputs, monkeypatch):
    monkeypatch.setattr(progress_in_notebook, "PERIOD", 1e9)
    with progress_bar(shown=True) as bar:
        for _ in bar.track(range(1000)):
            pass
    assert len(outputs[0]) == 2


def test_nothing_is_shown_that_nobody_asked_for(outputs, capsys):
    with progress_bar(shown=False) as bar:
        for _ in bar.track(range(3)):
            pass
    with progress_bar(shown=True):
        pass
    assert outputs == []
    assert capsys.readouterr() == ("", "")


def test_a_pipe_has_no_bar_and_ipython_on_a_terminal_is_no_notebook(monkeypatch, capsys):
    package = ModuleType("IPython")
    package.get_ipython = lambda: object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", package)
    with progress_bar(shown=True) as bar:
        for _ in bar.track(range(3)):
            pass
    assert not progress_in_notebook.in_notebook()
    assert capsys.readouterr() == ("", "")


def test_an_executed_notebook_holds_one_line_a_bar_and_a_page_a_thing():
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    cells = [
        "import numpy as np, snnc\n"
        "samples = np.load('examples/mnist/samples.npz')\n"
        "x, y = samples['x'][:8], samples['y'][:8]",
        "c = snnc.compile('examples/mnist/mnist_cnn.keras', scale=100, steps=3, progress=True)",
        "predicted = c.predict(x, progress=True)",
        "c",
        "c.evaluate(x, y)",
        "c.verify(x)",
        "c.graph",
        "import sys; print('ipywidgets' in sys.modules)",
    ]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    nbclient.NotebookClient(made, timeout=120, resources={"metadata": {"path": str(ROOT)}}).execute()
    shown = [cell.outputs for cell in made.cells]
    assert [len(outputs) for outputs in shown] == [0, 1, 1, 1, 1, 1, 1, 1]
    lines = [outputs[0].data["text/plain"].split(",")[0] for outputs in shown[1:3]]
    assert lines == ["compile", "Nengo 100 %"]
    for (output,), kind in zip(shown[3:7], ("Compiled", "Evaluation", "VerifyReport", "Graph"), strict=True):
        assert output.data["text/plain"].startswith(f"<{kind}")
        assert output.data["text/html"].startswith('<div class="snnc">')
    assert shown[7][0].text == "False\n"
