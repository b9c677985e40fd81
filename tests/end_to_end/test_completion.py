"""Shells complete commands, options and names, quickly and without a word of anything else."""

import logging
import os
import shutil
import subprocess
import sys

import pytest

from snnc import cli
from tests.conftest import ROOT


@pytest.fixture
def environment(tmp_path):
    """Return an environment with a command ``snnc`` and a home of its own."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "snnc"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m snnc "$@"\n')
    command.chmod(0o755)
    (tmp_path / "model.keras").touch()
    return {
        "PATH": os.pathsep.join([str(command.parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), *sys.path])),
        "HOME": str(tmp_path),
    }


def ran(command, environment):
    """Return what a command prints that has to end well and silently."""
    done = subprocess.run(
        command, env=environment, cwd=environment["HOME"], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("snnc pl", ["plan", "plugins"]),
        ("snnc compile model.keras --no-", ["--no-pass", "--no-verify"]),
        ("snnc compile model.keras --backend nengo-", ["nengo-dl"]),
        ("snnc compile model.keras --neurons spiking", ["spiking-relu"]),
        ("snnc plan --no-pass fold", ["fold-batch-norm"]),
        ("snnc export out --format ni", ["nir"]),
        ("snnc evaluate out --task r", ["reconstruction", "regression"]),
        ("snnc tune model.keras --minimise s", ["spikes", "steps"]),
        ("snnc compile mod", []),  # for the shell to complete, as a file
        ("snnc verify out --inputs ./s", []),
    ],
)
def test_words_are_completed(line, found, monkeypatch, capsys):
    monkeypatch.setenv("_SNNC_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    assert cli._run([]) == 0
    assert not logging.root.manager.disable
    out, err = capsys.readouterr()
    assert out.split() == found
    assert err == ""


def test_a_plugin_that_fails_says_nothing_into_the_line_that_is_typed(environment, tmp_path):
    (tmp_path / "broken-1.0.dist-info").mkdir()
    (tmp_path / "broken-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (tmp_path / "broken-1.0.dist-info" / "entry_points.txt").write_text("[snnc]\nmine = no_such_module\n")
    path = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    asked = {"_SNNC_COMPLETE": "complete_bash", "COMP_WORDS": "snnc plan --backend ne", "COMP_CWORD": "3"}
    assert ran(["snnc"], {**environment, "PYTHONPATH": path, **asked}) == ["nengo", "nengo-dl"]


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_completes_with_the_script_that_is_installed(environment, tmp_path):
    ran(["bash", "--norc", "-c", "snnc --install-completion; true"], environment)
    script = "COMP_WORDS=(snnc compile model.keras --backend nengo-); COMP_CWORD=4; _snnc_completion snnc"
    assert ran(["bash", "--norc", "-c", f'. ~/.bashrc; {script}; echo "${{COMPREPLY[@]}}"'], environment) == [
        "nengo-dl"
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == [".bash_completions", ".bashrc", "bin", "model.keras"]
    shown = ran(["bash", "--norc", "-c", "snnc --show-completion; true"], environment)
    assert shown == (tmp_path / ".bash_completions" / "snnc.sh").read_text().split()


@pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish")
@pytest.mark.parametrize(("typed", "found"), [("snnc pl", "plan"), ("snnc show mod", "model.keras")])
def test_fish_completes_words_and_files(environment, typed, found):
    script = f"_SNNC_COMPLETE=source_fish snnc | source; complete -C '{typed}'"
    assert found in ran(["fish", "--no-config", "-c", script], environment)


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh")
def test_zsh_takes_the_script(environment):
    script = 'autoload -Uz compinit; compinit -u; eval "$(_SNNC_COMPLETE=source_zsh snnc)"; echo $_comps[snnc]'
    assert ran(["zsh", "-f", "-c", script], environment) == ["_snnc_completion"]
