"""The documentation is complete, and its code runs."""

import inspect
import itertools
import re
import shlex

import numpy as np
import pytest
import typer
from markdown_it import MarkdownIt

from snnc import cli, hooks
from snnc.cli import options
from snnc.discovery import HOOKS
from snnc.passes import BUILTIN
from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("README.md")])


def blocks(page, language):
    """Return the fenced code blocks of a page in one language."""
    tokens = MarkdownIt().parse(page.read_text())
    return [t.content for t in tokens if t.type == "fence" and t.info.strip() == language]


def with_blocks(language):
    return [p for p in PAGES if blocks(p, language)]


@pytest.mark.parametrize("page", with_blocks("python"), ids=lambda p: p.name)
def test_python_blocks_run_from_top_to_bottom(page, tmp_path, monkeypatch, capsys):
    # a copy of what they read, so that what they write does not land in the checkout
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {"__name__": "docs"}
    for code in blocks(page, "python"):
        exec(compile(code, str(page), "exec", dont_inherit=True), space)
    assert space


def snnc_commands():
    lines = [
        line
        for page in PAGES
        for code in blocks(page, "console")
        for line in code.splitlines()
        if line.startswith("snnc ")
    ]
    assert len(lines) >= 3
    return lines


def test_command_lines_run_in_order(tmp_path, monkeypatch, capsys):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "x.npz", x=np.zeros((2, 28, 28, 1)))
    for line in dict.fromkeys(snnc_commands()):
        arguments = shlex.split(line)[1:]
        if arguments[0] in ("evaluate", "verify") and "--limit" not in arguments:
            arguments += ["--limit", "20"]
        assert cli._run(arguments) == 0, line


def test_every_hook_has_a_heading_with_its_signature():
    text = (ROOT / "docs" / "hooks.md").read_text()
    assert len(HOOKS) == 10
    for _, _, name, _ in HOOKS:
        signature = f"{name}{inspect.signature(getattr(hooks, name))}".replace("'", "")
        assert f"## `{signature}`" in text, signature


def test_every_command_and_option_is_documented():
    text = (ROOT / "docs" / "cli.md").read_text()
    for command in cli.app.registered_commands:
        callback = command.callback
        assert callback is not None
        name = command.name or callback.__name__
        assert f"## `snnc {name}" in text, name
        for option in re.findall(r'"(--[a-z-]+)[/"]', inspect.getsource(callback)):
            assert option in text, f"{name} {option}"
    for option in re.findall(r'"(--[a-z-]+)[/"]', inspect.getsource(options)):
        assert option in text, option


def test_a_section_names_no_option_that_its_command_lacks():
    sections = re.split(r"^## `snnc ", (ROOT / "docs" / "cli.md").read_text(), flags=re.MULTILINE)[1:]
    commands = typer.main.get_group(cli.app).commands
    for section in sections:
        name = re.match(r"[a-z]+", section)
        if name is None:  # options of snnc itself
            continue
        of_command = commands[name.group()].params
        own = {option for p in of_command for option in (*p.opts, *p.secondary_opts)}
        for option in re.findall(r"`(--[a-z-]+)", re.sub(r"(?s)```.*?```|`snnc [^`]*`", "", section)):
            assert option in own, f"{name.group()} {option}"


def test_every_pass_is_documented():
    """What its docstring shows before and after it, tests/passes/test_examples.py executes."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    for cls in BUILTIN:
        assert cls.name in text, cls.name


def test_everything_that_the_code_cites_is_on_the_page_of_references():
    text = (ROOT / "docs" / "references.md").read_text()
    listed = set(re.findall(r"\*\*(.+?) (\d{4}[ab]?)\.\*\*", text))
    cited = {
        (names, year)
        for folder in ("snnc", "plugins")
        for path in (ROOT / folder).rglob("*.py")
        for names, year in re.findall(
            r"([A-Z][a-z]+(?: et\s+al\.| & [A-Z][a-z]+)?),? \(?((?:19|20)\d{2}[ab]?)\b", path.read_text()
        )
    }
    assert len(cited) > 10
    assert cited - listed == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def anchors(page):
    """Return the anchors that a code host gives the headings of a page: equal ones are numbered."""
    tokens = MarkdownIt().parse(re.sub(r"(?s)\A---\n.*?\n---\n", "", page.read_text()))
    texts = [after.content for t, after in itertools.pairwise(tokens) if t.type == "heading_open"]
    slugs = [re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", text).lower()).replace(" ", "-") for text in texts]
    before = [slugs[:i].count(slug) for i, slug in enumerate(slugs)]
    return {f"{slug}-{count}" if count else slug for slug, count in zip(slugs, before, strict=True)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_anchors_of_links_are_headings(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        other = page.parent / target if target else page
        assert other.suffix != ".md" or anchor in anchors(other), f"{target}#{anchor}"


def test_every_page_is_in_the_navigation_of_the_site_once():
    docs = ROOT / "docs"
    named = [line for block in blocks(docs / "index.md", "{toctree}") for line in block.splitlines() if line[:1] != ":"]
    pages = [str(page.relative_to(docs).with_suffix("")) for page in docs.rglob("*.md")]
    wanted = [page for page in pages if page != "index" and not page.startswith("decisions/")]
    assert sorted(name for name in named if name and not re.search(r"\.\./|decisions/", name)) == sorted(wanted)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_files_that_a_page_names_exist(page):
    for name in re.findall(r"`((?:snnc|plugins|tests|docs|benchmarks|examples)/[\w./-]+\.\w+)`", page.read_text()):
        assert (ROOT / name).exists(), name


def test_nothing_names_a_machine_or_a_registry():
    forbidden = re.compile("|".join(["/" + "work/", "/" + "root/", "pypi" + r"\.org", "python" + "hosted"]))
    import subprocess

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    for name in listed:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".txt", ".yml", "") and path.is_file():
            assert not forbidden.search(path.read_text(errors="ignore")), name
