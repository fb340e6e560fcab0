from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from pandas.testing import assert_frame_equal

from toolkit import analysis, plots
from toolkit.errors import InvalidOption

START = pd.Timestamp("2026-01-05 06:00", tz="UTC")


def frame(*rows: tuple[str | None, str | None, float | None]) -> pd.DataFrame:
    """Type, status and duration in seconds; the id is the type and a number."""
    records = pd.DataFrame(rows, columns=["record_type", "status", "took"]).assign(created_at=START)
    records["processed_at"] = START + pd.to_timedelta(records.pop("took").astype("float64"), unit="s")
    records["updated_at"] = records["processed_at"].fillna(START)
    records["record_id"] = [f"{kind}_{number}" for number, kind in enumerate(records["record_type"])]
    return records.astype({"record_type": "str", "status": "str"})


def variables(*pairs: tuple[str | None, str | None]) -> pd.DataFrame:
    """Category and type."""
    return pd.DataFrame(pairs, columns=["category", "type"], dtype="str")


def strips(**rows: str) -> pd.DataFrame:
    """What `analysis.history` says of records of those names, with one run per letter."""
    statuses = {"P": "complete", "F": "failed", "S": "skipped", "?": "processing"}
    runs = {
        f"run {number:03d}": pd.DataFrame(
            [(name, statuses[row[number]]) for name, row in rows.items() if row[number] != "-"],
            columns=["record_id", "status"],
        ).assign(created_at=START + pd.Timedelta(days=number))
        for number in range(len(next(iter(rows.values()))))
    }
    return analysis.history(runs)


RECORDS = frame(
    ("email", "failed", None), ("email", "complete", 2), ("email", "complete", 4), ("invoice", "complete", 9)
)
VARIABLES = variables(("custom", "string"), ("node", "object"), ("custom", "number"))
STRIPS = strips(login="PPFF", search="PF-P", upload="PPSP", hold="PPP?")
PLOTS = {
    plots.status_by_type: RECORDS,
    plots.durations: RECORDS,
    plots.failures_over_time: RECORDS,
    plots.timeline: RECORDS,
    plots.variables_by_category: VARIABLES,
    plots.history: STRIPS,
}
EACH = pytest.mark.parametrize(("plot", "table"), PLOTS.items(), ids=[plot.__name__ for plot in PLOTS])
HOSTILE = [r"$\frac{", "_hidden", "<script>alert(1)</script>", "W" * 10_000, "two\nlines\x00\x1b", None]


def new_axes() -> Axes:
    axes = Figure(figsize=(8, 4), layout="constrained").subplots()
    assert isinstance(axes, Axes)
    return axes


def labels(ax: Axes) -> list[str]:
    return [tick.get_text() for tick in ax.get_yticklabels()]


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    assert box is not None
    return [text.get_text() for text in box.get_texts()]


def draw(ax: Axes) -> bytes:
    picture = io.BytesIO()
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.savefig(picture, format="png")
    return picture.getvalue()


def test_bars_are_as_long_as_the_counts() -> None:
    ax = plots.status_by_type(RECORDS, ax=new_axes())
    assert [[bar.get_width() for bar in bars] for bars in ax.containers] == [[2, 1], [1, 0]]
    assert labels(ax) == ["email", "invoice"]
    assert legend(ax) == ["complete (3)", "failed (1)"]


def test_a_status_is_told_without_colour() -> None:
    records = frame(*(("email", status, 1) for status in ("complete", "failed", "processing", "skipped", "x", "y")))
    ax = plots.status_by_type(records, ax=new_axes())
    hatches = [bars[0].get_hatch() for bars in ax.containers]
    assert len(set(hatches)) == len(hatches) == 6


def test_each_row_runs_from_the_median_to_the_longest() -> None:
    ax = plots.durations(RECORDS, ax=new_axes())
    medians, _, longest = (np.asarray(points.get_offsets())[:, 0].tolist() for points in ax.collections[2:])
    assert (medians, longest) == ([3.0, 9.0], [4.0, 9.0])
    assert labels(ax) == ["email · complete (2)", "invoice · complete (1)"]


@pytest.mark.parametrize(
    ("longest", "label"),
    [
        (100, "seconds from created to processed"),
        (600, "minutes from created to processed"),
        (9_000, "hours from created to processed"),
        (400_000, "days from created to processed"),
    ],
)
def test_the_axis_names_a_unit_that_suits(longest: float, label: str) -> None:
    ax = plots.durations(frame(("email", "complete", longest)), ax=new_axes())
    assert ax.get_xlabel() == label


def test_values_far_apart_are_drawn_on_a_logarithmic_axis_that_says_so() -> None:
    ax = plots.durations(frame(("email", "complete", 1), ("invoice", "complete", 5_000)), ax=new_axes())
    assert ax.get_xscale() == "log"
    assert "seconds" in ax.get_xlabel()
    assert "(logarithmic)" in ax.get_xlabel()


@EACH
def test_a_plot_draws_into_the_axes_given_and_leaves_the_frame_alone(plot: Any, table: pd.DataFrame) -> None:
    before, settings, ax = table.copy(deep=True), dict(mpl.rcParams), new_axes()
    assert plot(table, ax=ax) is ax
    assert draw(ax)
    assert_frame_equal(table, before)
    assert dict(mpl.rcParams) == settings


@EACH
def test_without_axes_a_new_figure_is_made(plot: Any, table: pd.DataFrame) -> None:
    mpl.use("agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    first, second = plot(table), plot(table)
    assert first.figure is not second.figure
    plt.close("all")


@EACH
def test_an_empty_frame_says_so_in_the_picture(plot: Any, table: pd.DataFrame) -> None:
    ax = plot(table.iloc[:0], ax=new_axes())
    assert ax.texts[0].get_text().startswith("no ")
    assert draw(ax)


@EACH
def test_one_row_is_enough(plot: Any, table: pd.DataFrame) -> None:
    ax = plot(table.iloc[[-1]], ax=new_axes())
    assert not ax.texts or not ax.texts[0].get_text().startswith("no ")
    assert draw(ax)


@EACH
def test_an_index_that_holds_a_label_twice_changes_nothing(plot: Any, table: pd.DataFrame) -> None:
    again, ax = plot(table.set_axis([0] * len(table)), ax=new_axes()), plot(table, ax=new_axes())
    assert (labels(again), legend(again)) == (labels(ax), legend(ax))


@EACH
def test_a_column_that_is_missing_is_named(plot: Any, table: pd.DataFrame) -> None:
    with pytest.raises(InvalidOption, match=r"has no column '\w+'"):
        plot(table[[]], ax=new_axes())


@EACH
def test_texts_never_become_formulas_or_leave_the_legend(plot: Any, table: pd.DataFrame) -> None:
    ax = plot(table, ax=new_axes())
    named = [*ax.get_yticklabels(), *ax.get_legend().get_texts()]
    assert plot is plots.failures_over_time or not any(text.get_parse_math() for text in named)


@pytest.mark.parametrize("plot", [plots.status_by_type, plots.durations, plots.timeline])
@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_drawn_as_it_is(plot: Any, text: str | None) -> None:
    records = frame((text, text, 1), ("email", "complete", 1)).assign(
        record_id=pd.Series([text, "email_1"], dtype="str")
    )
    ax = plot(records, ax=new_axes())
    assert draw(ax)
    shown = "two lines" if text and text.startswith("two") else (text or "(no ")[:10]
    assert any(shown in label for label in labels(ax))
    assert plot is plots.durations or any(shown in label for label in legend(ax))
    assert max(map(len, labels(ax) + legend(ax))) < 60


@pytest.mark.parametrize("text", HOSTILE)
def test_any_name_of_a_test_or_a_category_is_drawn_as_it_is(text: str | None) -> None:
    ax = plots.variables_by_category(variables((text, text), ("custom", "string")), ax=new_axes())
    shown = "two lines" if text and text.startswith("two") else (text or "(none)")[:6]
    assert any(shown in label for label in labels(ax))
    table = plots.history(STRIPS.assign(record_id=text), ax=new_axes())
    assert draw(ax)
    assert draw(table)


def test_of_many_types_the_largest_are_drawn_and_the_title_says_so() -> None:
    rows = [(f"type{number:03d}", "complete", 1.0) for number in range(50)] + [("type049", "failed", 1.0)]
    ax = plots.status_by_type(frame(*rows), ax=new_axes())
    assert ax.get_title() == "Records by type and status (the 30 largest of 50 types)"
    assert "type049" in labels(ax)
    assert len(labels(ax)) == 30


def test_importing_the_module_loads_no_pyplot() -> None:
    code = "import sys, toolkit.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_of_many_statuses_the_rest_are_taken_together() -> None:
    rows = [("email", f"status {number:02d}", 1.0) for number in range(40)] + [("email", "failed", 1.0)] * 3
    for plot in (plots.status_by_type, plots.timeline):
        ax = plot(frame(*rows), ax=new_axes())
        assert len(legend(ax)) == 12
        assert legend(ax)[-1] == "(30 others) (30)"
        assert "failed (3)" in legend(ax)


def test_variables_are_stacked_by_type() -> None:
    ax = plots.variables_by_category(VARIABLES, ax=new_axes())
    assert labels(ax) == ["custom", "node"]
    assert legend(ax) == ["string (1)", "number (1)", "object (1)"]
    assert [[bar.get_width() for bar in bars] for bars in ax.containers] == [[1, 0], [1, 0], [0, 1]]
    assert [text.get_text() for text in ax.texts] == ["2", "1"]


def test_a_type_is_told_without_colour() -> None:
    kinds = ["string", "number", "boolean", "array", "object", "null"]
    ax = plots.variables_by_category(variables(*(("custom", kind) for kind in kinds)), ax=new_axes())
    assert len({bars[0].get_hatch() for bars in ax.containers}) == len(kinds)


def written(*minutes: float, status: str = "failed") -> pd.DataFrame:
    return frame(*[("email", status, 60 * minute) for minute in minutes])


def test_failures_stand_below_what_is_complete_in_the_interval_in_which_they_were_written() -> None:
    records = pd.concat([written(0, 10, 130), written(1, 2, status="complete"), written(5, status="skipped")])
    ax = plots.failures_over_time(records, ax=new_axes())
    failed, complete = ax.containers
    heights = [(bar.get_height(), top.get_height()) for bar, top in zip(failed, complete, strict=True)]
    assert [pair for pair in heights if sum(pair)] == [(1, 2), (1, 0), (1, 0)]
    assert sum(map(sum, heights)) == 5
    assert legend(ax) == ["failed (3)", "complete (2)"]
    assert {bar.get_hatch() for bar in failed} != {bar.get_hatch() for bar in complete}
    assert ax.get_title() == "Failures over time (5 of 6 records; the others are not decided)"
    assert (ax.get_ylabel(), ax.get_xlabel()) == (
        "records per 5 minutes",
        "last written, 2026-01-05 06:00 to 08:15 UTC",
    )


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "minute"), (60, "minute"), (61, "5 minutes"), (24 * 60, "hour"), (60 * 24 * 60, "day"), (3.6e6, "42 days")],
)
def test_the_interval_suits_the_time_covered(minutes: float, words: str) -> None:
    ax = plots.failures_over_time(written(0, minutes), ax=new_axes())
    assert ax.get_ylabel() == f"records per {words}"
    assert len(ax.containers[0]) <= 62


@pytest.mark.parametrize("plot", [plots.failures_over_time, plots.timeline])
def test_times_of_any_zone_are_told_in_utc(plot: Any) -> None:
    here = RECORDS.assign(
        **{name: RECORDS[name].dt.tz_convert("Asia/Kolkata") for name in ("created_at", "updated_at", "processed_at")}
    )
    one, other = plot(RECORDS, ax=new_axes()), plot(here, ax=new_axes())
    assert one.get_xlabel() == other.get_xlabel()
    assert one.get_xlabel().endswith("UTC")
    assert one.get_xlim() == other.get_xlim()
    with mpl.rc_context({"timezone": "Asia/Kolkata"}):
        ticks = [tick.get_text() for tick in plot(RECORDS, ax=new_axes()).get_xticklabels()]
    assert ticks == [tick.get_text() for tick in one.get_xticklabels()]


@pytest.mark.parametrize("plot", [plots.failures_over_time, plots.timeline])
def test_times_that_cannot_be_drawn_are_left_out_and_counted(plot: Any) -> None:
    far = pd.Series(["0001-01-01", "9999-12-31", None, "2026-01-05"]).astype("datetime64[us]").dt.tz_localize("UTC")
    ax = plot(RECORDS.assign(created_at=far, updated_at=far, status="failed"), ax=new_axes())
    assert draw(ax)
    assert "(1 of 4 records" in ax.get_title()


def test_of_few_records_each_has_a_bar_from_creation_to_its_end() -> None:
    records = frame(("email", "complete", 10), ("email", "failed", None), ("invoice", "complete", -5))
    ax = plots.timeline(records.assign(created_at=START + pd.to_timedelta([1, 0, 2], unit="h")), ax=new_axes())
    assert labels(ax) == ["email_1 · failed", "email_0 · complete", "invoice_2 · complete"]
    assert ax.get_title() == "When records were in work"

    records = frame(("email", "complete", 10), ("email", "failed", None), ("invoice", "complete", -5))
    ax = plots.timeline(records, ax=new_axes())
    widths = [round(bar.get_width() * 86_400, 3) for bars in ax.containers for bar in bars]
    assert widths == [10]
    assert legend(ax) == ["complete (2)", "failed (1)", "created, no end known"]


def test_of_many_records_each_type_has_a_lane_as_high_as_its_records_in_work() -> None:
    emails = frame(*[("email", "failed" if turn % 4 == 0 else "complete", 100) for turn in range(40)])
    invoices = frame(*[("invoice", "complete", 1)] * 5)
    later = invoices.assign(**{name: invoices[name] + pd.Timedelta("2h") for name in ("created_at", "processed_at")})
    ax = plots.timeline(pd.concat([emails, invoices, later]), ax=new_axes())
    assert labels(ax) == ["email · up to 40", "invoice · up to 5"]
    assert legend(ax) == ["complete (40)", "failed (10)"]
    assert ax.get_ylabel() == "records per minute"
    lanes = [steps.get_data() for steps in ax.patches if isinstance(steps, StepPatch)]
    (complete, edges, ground), (both, _, _), *_ = lanes
    assert np.ptp(edges) * 24 == pytest.approx(2 + 1 / 60)
    heights = [(np.asarray(ground)[0] - layer[:3]) / 0.8 * 40 for layer in (complete, both)]
    assert heights[0] == pytest.approx([30, 30, 0])
    assert heights[1] == pytest.approx([40, 40, 0])
    assert ax.patches[0].get_hatch() != ax.patches[1].get_hatch()


def test_of_many_types_the_timeline_has_those_with_most_records_and_the_title_counts() -> None:
    rows = [(f"type{number:03d}", "complete", 1.0) for number in range(40)] + [("type039", "complete", 1.0)]
    ax = plots.timeline(frame(*rows), ax=new_axes())
    assert len(labels(ax)) == 30
    assert labels(ax)[-1] == "type039 · up to 2"
    assert ax.get_title() == "When records were in work (31 of 41 records)"


def cells(ax: Axes) -> dict[str, list[tuple[int, int]]]:
    """Run and row of each cell, by what it says."""
    found: dict[str, list[tuple[int, int]]] = {}
    for each in ax.collections:
        corners = [np.asarray(path.vertices)[:4] for path in each.get_paths()]
        found[str(each.get_label())] = [
            (round(middle[0]), round(middle[1])) for middle in (c.mean(axis=0) for c in corners)
        ]
    return found


def test_a_strip_has_a_cell_per_run() -> None:
    ax = plots.history(STRIPS, ax=new_axes())
    assert labels(ax) == ["hold", "login", "search", "upload"]
    found = cells(ax)
    assert found["failed"] == [(3, 1), (4, 1), (2, 2)]
    assert found["missing"] == [(3, 2)]
    assert found["skipped"] == [(3, 3)]
    assert found["open"] == [(4, 0)]
    assert legend(ax) == ["complete (10)", "failed (3)", "skipped (1)", "open (1)", "missing (1)"]
    assert len({each.get_hatch() for each in ax.collections if each.get_label() != "missing"}) == 4
    assert [text.get_text() for text in ax.texts] == ["fixed"]


def test_a_row_says_what_is_to_be_known_of_it() -> None:
    ax = plots.history(strips(a="PPPPF", b="PFFFF", c="PFPFP"), ax=new_axes())
    assert [text.get_text() for text in ax.texts] == ["new", "broken", "flaky, fixed"]


def test_of_many_records_those_that_failed_are_drawn_the_failing_first() -> None:
    many = {f"passes_{number:02d}": "PPPPP" for number in range(40)}
    ax = plots.history(strips(**many, a_fixed="PPPFP", b_flaky="PFPFP", c_fails="PPPPF"), ax=new_axes())
    assert labels(ax) == ["c_fails", "b_flaky", "a_fixed"]
    assert ax.get_title() == "Outcomes over runs (3 of 43 records)"
    assert len(labels(plots.history(strips(**many), ax=new_axes()))) == 30


def test_of_many_runs_the_latest_are_drawn_and_keep_their_numbers() -> None:
    ax = plots.history(strips(a="F" + "P" * 69), ax=new_axes())
    assert ax.get_xlabel() == "the latest 60 of 70 runs, the oldest first"
    assert [tick.get_text() for tick in ax.get_xticklabels()][-1] == "70"
    assert legend(ax) == ["complete (60)"]


def test_a_label_keeps_both_its_ends() -> None:
    name = "tests.test_login::test_an_account_that_is_locked[postgresql]"
    ax = plots.timeline(frame(("test", "complete", 1)).assign(record_id=name), ax=new_axes())
    assert labels(ax) == ["tests.test_lo…ostgresql] · complete"]


def test_the_number_of_shapes_does_not_grow_with_the_number_of_records() -> None:
    rows = 5_000
    records = frame(*[("email", "complete", 1.0), ("invoice", "failed", 9.0)] * (rows // 2))
    records["created_at"] += pd.to_timedelta(np.arange(rows), unit="s")
    records["processed_at"] += pd.to_timedelta(np.arange(rows), unit="s")
    records["updated_at"] = records["processed_at"]
    for plot, table in PLOTS.items():
        many = records if table is RECORDS else pd.concat([table] * rows, ignore_index=True)
        assert len(plot(many, ax=new_axes()).get_children()) < 300
