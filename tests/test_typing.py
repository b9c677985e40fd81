"""What a plugin's type checker sees: every package that we ship carries its types, and mypy reads the example."""

import re

from tests.conftest import ROOT

TOML = (ROOT / "pyproject.toml").read_text()


def listed(key):
    """Return the strings of a list in pyproject.toml."""
    [line] = re.findall(rf"^{key} = \[(.*)\]$", TOML, flags=re.MULTILINE)
    return re.findall(r'"(.*?)"', line)


def test_every_package_of_the_wheel_is_marked_as_typed():
    packages = [*listed("packages"), "tests/example_plugin/snnc_example"]
    assert len(packages) == 8
    for package in packages:
        assert (ROOT / package / "py.typed").is_file(), package


def test_mypy_checks_the_example_plugin_as_strictly_as_ours():
    assert "tests/example_plugin" in listed("files")
    assert "snnc_example" not in TOML, "no exception is made for it"
    assert "strict = true" in TOML


def test_the_example_plugin_says_any_nowhere():
    sources = sorted((ROOT / "tests" / "example_plugin" / "snnc_example").glob("*.py"))
    assert len(sources) > 4
    assert [path.name for path in sources if "Any" in path.read_text()] == []
