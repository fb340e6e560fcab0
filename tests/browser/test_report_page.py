"""The page of a report, opened from a file in a real browser without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import toolkit
from tests.browser.visiting import SCRIPT, WORD, Visitor
from toolkit import demo

pytestmark = pytest.mark.browser

HOSTILE = "hostile"
REPORTED = (demo.WORKFLOW, demo.RUNS[-1], HOSTILE, "empty")
EACH = pytest.mark.parametrize("name", REPORTED)
WINDOWS = pytest.mark.parametrize("scheme", ["light", "dark"])
WIDTHS = pytest.mark.parametrize("width", [1280, 400])


def hostile_rows() -> list[dict[str, object]]:
    times = {"created_at": "2026-11-15T02:00:00Z", "updated_at": "2026-11-15T02:01:00Z"}
    rows: list[dict[str, object]] = [
        {"record_id": text[:255], "record_type": text[:50], "status": status[:50], "error_message": f"{text} {turn}"}
        for turn, (text, status) in enumerate([(SCRIPT, "failed"), (WORD, "failed"), (f"b{WORD}", SCRIPT), ("a", WORD)])
    ]
    return [row | times | {"processed_at": "2026-11-15T02:01:00Z"} for row in rows]


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    with toolkit.connect(":memory:", create=True) as service:
        demo.fill(service)
        service.create_records(HOSTILE, hostile_rows())
        service.set_variables(HOSTILE, {SCRIPT: WORD, WORD[:255]: SCRIPT})
        return {name: service.report(name).save(folder / f"{name}.html") for name in REPORTED}


@EACH
def test_a_page_opens_without_a_network_and_says_nothing_on_the_console(
    name: str, pages: Mapping[str, Path], visitor: Visitor
) -> None:
    visit = visitor.open(pages[name])
    visit.unfold()
    visit.page.wait_for_load_state("networkidle")
    assert visit.said == []
    assert visit.asked_for == [pages[name].as_uri()]
    assert visit.page.title()


@EACH
def test_a_page_reads_the_same_without_javascript(name: str, pages: Mapping[str, Path], visitor: Visitor) -> None:
    one, other = (visitor.open(pages[name], java_script_enabled=allowed) for allowed in (True, False))
    assert one.page.locator("body").inner_text() == other.page.locator("body").inner_text()


@WIDTHS
@EACH
def test_the_tab_key_reaches_every_link_and_fold_in_order_and_shows_where_it_is(
    name: str, width: int, pages: Mapping[str, Path], visitor: Visitor
) -> None:
    count, places, without_ring = visitor.open(pages[name], width).tabbed()
    assert places == list(range(count))
    assert without_ring == []


@WIDTHS
@WINDOWS
@EACH
def test_axe_has_no_serious_finding(
    name: str, scheme: str, width: int, pages: Mapping[str, Path], visitor: Visitor
) -> None:
    visit = visitor.open(pages[name], width, scheme)
    visit.unfold()
    assert visit.findings() == []


@WIDTHS
@EACH
def test_a_page_never_scrolls_sideways(name: str, width: int, pages: Mapping[str, Path], visitor: Visitor) -> None:
    visit = visitor.open(pages[name], width)
    assert visit.overhang() <= 0
    visit.unfold()
    assert visit.overhang() <= 0


def test_a_page_is_dark_where_that_is_wanted(pages: Mapping[str, Path], visitor: Visitor) -> None:
    light, dark = (visitor.open(pages[demo.WORKFLOW], scheme=scheme) for scheme in ("light", "dark"))
    assert light.brightness("color") < 0.3
    assert dark.brightness("color") > 0.7


@EACH
def test_a_page_can_be_printed(name: str, pages: Mapping[str, Path], visitor: Visitor) -> None:
    # What is wider than the sheet is cut off: A4 without its margins.
    visit = visitor.open(pages[name], width=720)
    visit.page.emulate_media(media="print")
    assert visit.overhang() <= 0
    assert visit.findings() == []
    assert visit.page.pdf(format="A4").startswith(b"%PDF")


def test_what_a_database_holds_is_text_and_never_runs(pages: Mapping[str, Path], visitor: Visitor) -> None:
    visit = visitor.open(pages[HOSTILE])
    visit.unfold()
    assert "<script>window.hacked" in visit.page.locator("body").inner_text()
    assert visit.page.evaluate("window.hacked === undefined")
    assert visit.page.locator("img").count() == 0
    assert visit.said == []
