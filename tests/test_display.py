"""Notebook forms: a database's text is hostile, and shown as text."""

from __future__ import annotations

import html
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit
from toolkit import display

HOSTILE = "<script>alert('x')</script>\"&<img src=x onerror=alert(1)>"


@pytest.fixture
def hostile() -> toolkit.UnifiedDataService:
    """A service on a database in which every name is an attack."""
    service = toolkit.connect(":memory:", create=True)
    service.set_variable(HOSTILE, HOSTILE, HOSTILE)
    service.create_records(HOSTILE, [{"record_id": HOSTILE, "record_type": HOSTILE[:50], "status": HOSTILE[:50]}])
    return service


def is_harmless(page: str) -> bool:
    """Tell whether a page holds no element that a database's text made."""
    return "<script" not in page and "<img" not in page and html.escape("<script>") in page


def test_names_of_a_database_are_shown_as_text(hostile: toolkit.UnifiedDataService) -> None:
    workflow = hostile.workflow(HOSTILE)
    assert is_harmless(workflow._repr_html_())
    assert is_harmless(hostile.get_stats(HOSTILE)._repr_html_())
    assert is_harmless(hostile.plan_clear(HOSTILE, "*")._repr_html_())


def test_a_workflow_without_anything_has_a_notebook_form() -> None:
    with toolkit.connect(":memory:", create=True) as service:
        page = service.get_stats("nightly")._repr_html_()
        assert "0 records, 0 variables" in page
        service.create_record("nightly", "email_001")
        assert "1 record, 0 variables" in service.get_stats("nightly")._repr_html_()


def test_a_plan_shows_what_to_type_and_that_nothing_has_changed(hostile: toolkit.UnifiedDataService) -> None:
    plan = hostile.plan_clear(HOSTILE, "*")
    page = plan._repr_html_()
    assert "Nothing has changed yet" in page
    assert "plan.apply(reason=" in page
    assert f"expect={plan.total}" in page
    assert len(hostile.query_records(HOSTILE)) == 1


@given(text=st.text())
def test_any_text_is_escaped(text: str) -> None:
    template = display._environment().from_string("<b>{{ text }}</b>")
    assert html.unescape(template.render(text=text)) == f"<b>{text}</b>"
    assert template.render(text=text).count("<") == 2


def test_a_template_that_is_given_too_little_says_so() -> None:
    with pytest.raises(jinja2.UndefinedError):
        display.render("plan.html.j2")


@pytest.mark.parametrize("template", sorted((Path(display.__file__).parent / "templates").iterdir()))
def test_no_template_lifts_the_escaping(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    for lifted in ("|safe", "| safe", "autoescape", "<script", "http://", "https://"):
        assert lifted not in text
