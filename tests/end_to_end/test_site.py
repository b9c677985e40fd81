"""The site builds without warnings, its tutorials run, its links lead somewhere, and nothing comes from elsewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.conftest import ROOT

LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("object", "data")}
"""What a browser loads by itself."""


class Page(HTMLParser):
    """The anchors of one page, where its links lead, and what it loads."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("id", "name") and tag != "meta":
                self.anchors.add(value)
            elif (tag, name) in LOADED:
                self.loads.add(value)
            elif (tag, name) == ("a", "href"):
                self.links.add(value)
            elif name == "style":
                self.loads.update(in_css(value))

    def target(self, link):
        """Return (the file that a link leads to, its anchor)."""
        parts = urlsplit(link)
        path = (self.path.parent / unquote(parts.path)).resolve() if parts.path else self.path
        return path, unquote(parts.fragment)


def in_css(text):
    """Return the addresses that a style sheet names."""
    return re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""", text)


def is_elsewhere(address):
    return urlsplit(address).scheme not in ("", "data") or address.startswith("//")


def dead_links(pages):
    """Return (page, link) of every link to a file or an anchor of the site that is not there."""
    return [
        (str(page.path), link)
        for page in pages.values()
        for link in sorted(page.links | page.loads)
        if not urlsplit(link).scheme
        for path, anchor in [page.target(link)]
        if not path.is_file() or (anchor and path in pages and anchor not in pages[path].anchors)
    ]


def loaded_from_elsewhere(site, pages):
    """Return (file, address) of all that a browser would load from another place."""
    sheets = [(path, address) for path in site.rglob("*.css") for address in in_css(path.read_text())]
    found = [*sheets, *((page.path, address) for page in pages.values() for address in page.loads)]
    return [(str(path), address) for path, address in found if is_elsewhere(address)]


def pages_of(site):
    return {path: Page(path) for path in site.resolve().rglob("*.html")}


def test_the_site_builds_and_all_of_it_is_there(tmp_path):
    pytest.importorskip("myst_nb", reason="the extra docs is not installed")
    pytest.importorskip("nengo_dl", reason="tutorials train with NengoDL")
    site = tmp_path / "site"
    options = ["-W", "--keep-going", "-q", "-c", "docs", "-d", str(tmp_path / "doctrees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, ".", str(site)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = pages_of(site)
    assert len(pages) > 60
    assert dead_links(pages) == []
    assert loaded_from_elsewhere(site, pages) == []


@pytest.fixture
def site(tmp_path):
    """Return a function that writes a site of one page and two other files."""

    def write(body, css=""):
        (tmp_path / "index.html").write_text(f"<h1 id='top'>x</h1>{body}")
        (tmp_path / "other.html").write_text("<h2 id='there'>y</h2>")
        (tmp_path / "x.css").write_text(css)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("body", "dead"),
    [
        ("<a href='other.html#there'>", False),
        ("<a href='#top'>", False),
        ("<a href='https://example.org/x'>", False),
        ("<a href='other.html#gone'>", True),
        ("<a href='#gone'>", True),
        ("<a href='gone.html'>", True),
        ("<img src='gone.png'>", True),
    ],
)
def test_a_dead_link_is_found(site, body, dead):
    assert bool(dead_links(pages_of(site(body)))) is dead


@pytest.mark.parametrize(
    ("body", "css", "found"),
    [
        ("<script src='x.js'></script><img src='data:image/png;base64,AA'>", "a {background: url(data:x)}", False),
        ("<a href='https://example.org'>", "", False),
        ("<script src='https://example.org/x.js'></script>", "", True),
        ("<link href='//example.org/x.css'>", "", True),
        ("<p style='background: url(http://example.org/x)'>", "", True),
        ("", "@import 'https://example.org/x.css';", True),
        ("", "@font-face {src: url('https://example.org/x.woff')}", True),
    ],
)
def test_what_is_loaded_from_elsewhere_is_found(site, body, css, found):
    folder = site(body, css)
    assert bool(loaded_from_elsewhere(folder, pages_of(folder))) is found
