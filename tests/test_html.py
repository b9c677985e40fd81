"""Templates: what is filled in is text, and nothing may be missing."""

import jinja2
import pytest

from snnc import html
from snnc.quantities import joules, number, thousands


@pytest.fixture
def templates(monkeypatch, tmp_path):
    environment = html._templates()
    monkeypatch.setattr(environment, "loader", jinja2.DictLoader({"x.html": "<p>{{ name }}, {{ value | number }}</p>"}))
    environment.cache.clear()
    yield
    environment.cache.clear()


def test_what_is_filled_in_is_text(templates):
    assert html.render("x.html", name="<b>&", value=None) == "<p>&lt;b&gt;&amp;, -</p>"


def test_what_is_missing_is_an_error(templates):
    with pytest.raises(jinja2.UndefinedError, match="name"):
        html.render("x.html", value=1.0)


def test_numbers_as_people_read_them():
    assert [number(None), number(0.12345), number(0.5, share=True)] == ["-", "0.123", "50.00%"]
    assert [thousands(1234567.8), thousands(0.5), thousands(7.0)] == ["1,234,568", "0.5", "7"]
    assert joules(1.5e-6) == "1.5 uJ"
