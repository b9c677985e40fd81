"""What docs/nir.md says of the libraries runs, behind the commands from a Keras file on."""

import shlex

import pytest

from snnc import cli
from tests.conftest import ROOT
from tests.test_docs import blocks

torch = pytest.importorskip("torch")
PAGE = ROOT / "docs" / "nir.md"


def test_from_a_keras_file_to_snntorch(tmp_path, monkeypatch, capsys):
    pytest.importorskip("snntorch")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    commands = [line for code in blocks(PAGE, "sh") for line in code.splitlines() if line.startswith("snnc ")]
    for line in commands[:2]:
        assert cli._run(shlex.split(line)[1:]) == 0, line
    space = {"__name__": "docs"}
    for code in blocks(PAGE, "python torch"):
        exec(compile(code, str(PAGE), "exec", dont_inherit=True), space)
    printed = capsys.readouterr().out
    assert "right: 0.9" in printed or "right: 1.0" in printed
    assert "every step: (32, 30, 10)" in printed
    assert "Leaky" in printed
