"""What a fresh machine needs: a Python that is found or one clear line, pins that fit, a Makefile that uses them."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def pins():
    lines = [line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    return [Requirement(line) for line in lines if line]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(version):
    """Return the pinned version of every package, by its canonical name, for one version of Python."""
    applicable = [r for r in pins() if r.marker is None or r.marker.evaluate({"python_version": version})]
    names = [canonical(r.name) for r in applicable]
    assert len(set(names)) == len(names), "a package is pinned twice"
    return {canonical(r.name): str(r.specifier).removeprefix("==") for r in applicable}


def declared(version, extras):
    """Return what the metadata of snnc asks for on one version of Python."""
    requirements = [Requirement(text) for text in importlib.metadata.requires("snnc")]
    environments = [{"python_version": version, "extra": extra} for extra in extras]
    return [r for r in requirements if r.marker is None or any(r.marker.evaluate(e) for e in environments)]


def test_every_pin_is_one_exact_version_and_no_address():
    for pin in pins():
        assert pin.url is None
        assert re.fullmatch(r"==[0-9][^,*]*", str(pin.specifier)), pin


UNPINNED = ("snntorch", "sinabs", "norse")
"""Extras whose packages want others than TensorFlow 2.12 does: ``make test-nir`` takes today's."""


@pytest.mark.parametrize("version", PYTHONS)
def test_pins_cover_and_satisfy_what_the_project_asks_for(version):
    # TensorFlow 2.12, and so everything beyond the light set, exists for Python 3.10 and 3.11 only
    extras = importlib.metadata.metadata("snnc").get_all("Provides-Extra") if version in ("3.10", "3.11") else []
    extras = [extra for extra in extras if extra not in UNPINNED]
    have = pinned(version)
    wanted = [r for r in declared(version, ["", *extras]) if canonical(r.name) != "snnc"]
    assert len(wanted) >= 9
    for requirement in wanted:
        assert requirement.specifier.contains(have[canonical(requirement.name)]), requirement


def test_the_test_environment_holds_what_is_pinned():
    if os.path.realpath(sys.prefix) != os.path.realpath(ROOT / ".venv-test"):
        pytest.skip("these tests do not run in the environment that `make test` made")
    have = pinned(".".join(map(str, sys.version_info[:2])))
    ours = {"pip", "snnc", "snnc-example"}
    installed = {canonical(d.metadata["Name"]): d.version for d in importlib.metadata.distributions()}
    assert {n: v for n, v in installed.items() if n not in ours and have.get(n) != v} == {}


@pytest.fixture
def path(tmp_path):
    """Return a function that puts a stand-in for a Python on an otherwise empty PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(name, body):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)

    put.folder = folder
    return put


def find_python(path, *versions, **environment):
    """Return (exit code, standard output, standard error) of the script, with nothing else on the PATH."""
    command = ["/bin/sh", str(ROOT / "scripts" / "find-python"), "make demo", *versions]
    done = subprocess.run(command, env={"PATH": str(path.folder), **environment}, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_the_first_wanted_python_is_taken(path):
    path("python3.11", "echo 3.11")
    path("python3.12", "echo 3.12")
    assert find_python(path, "3.12", "3.11") == (0, f"{path.folder}/python3.12\n", "")


def test_a_python_that_does_not_run_is_passed_over(path):
    path("python3.11", "echo 'not enabled' >&2; exit 127")
    path("python3", "echo 3.10")
    assert find_python(path, "3.11", "3.10") == (0, f"{path.folder}/python3\n", "")


def test_a_named_python_is_taken_before_the_others(path):
    path("python3.11", "echo 3.11")
    path("my python", "echo 3.10")
    named = f"{path.folder}/my python"
    assert find_python(path, "3.11", "3.10", PYTHON=named) == (0, f"{named}\n", "")


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("python3", "echo 3.14", "python3 is 3.14"),
        ("python3", "echo 3.9", "python3 is 3.9"),
        ("python3.11", "exit 127", "found none"),
        ("unrelated", "", "found none"),
    ],
)
def test_a_missing_or_too_new_python_gets_one_line(path, name, body, says):
    path(name, body)
    code, out, err = find_python(path, "3.11", "3.10")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "make demo needs Python 3.11 or 3.10" in err
    assert says in err


def make(folder, *arguments):
    """Run make as a user would, not as part of the make that may have started the tests."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTHON")}
    return subprocess.run(["make", *arguments], cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_stops_before_it_creates_anything(path, tmp_path, target):
    path("python9", "echo 9.0")
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "scripts", "tests/example_plugin/pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    done = make(tmp_path, target, f"PYTHON={path.folder}/python9")
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert line.startswith(f"make {target} needs Python 3.11 or ")
    assert "is 9.0" in line
    assert sorted(tmp_path.rglob("*")) == before


def test_make_demo_chooses_nothing_and_ends_with_the_table():
    lines = make(ROOT, "-n", "demo").stdout.splitlines()
    compiled, reported, shown = [line.split() for line in lines if "examples/" in line]
    assert compiled[1:] == ["compile", "examples/mnist/mnist_cnn.keras", "-o", "out/mnist"]
    assert reported[1:3] == ["report", "out/mnist"]
    assert shown[1:] == ["examples/mnist/demo.py", "out/mnist", "examples/mnist/samples.npz", reported[-1]]
    for file in (compiled[2], *shown[1:4:2]):
        assert (ROOT / file).is_file()
