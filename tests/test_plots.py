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
from pandas.testing import assert_frame_equal

from toolkit import plots

START = pd.Timestamp("2026-01-05 06:00", tz="UTC")


def frame(*rows: tuple[str | None, str | None, float | None]) -> pd.DataFrame:
    """Type, status and duration in seconds."""
    records = pd.DataFrame(rows, columns=["record_type", "status", "took"]).assign(created_at=START)
    records["processed_at"] = START + pd.to_timedelta(records.pop("took").astype("float64"), unit="s")
    return records.astype({"record_type": "str", "status": "str"})


RECORDS = frame(
    ("email", "failed", None), ("email", "complete", 2), ("email", "complete", 4), ("invoice", "complete", 9)
)
PLOTS = [plots.status_by_type, plots.durations]


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


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_draws_into_the_axes_given_and_leaves_the_frame_alone(plot: Any) -> None:
    before, ax = RECORDS.copy(deep=True), new_axes()
    assert plot(RECORDS, ax=ax) is ax
    assert_frame_equal(RECORDS, before)


@pytest.mark.parametrize("plot", PLOTS)
def test_without_axes_a_new_figure_is_made(plot: Any) -> None:
    mpl.use("agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    first, second = plot(RECORDS), plot(RECORDS)
    assert first.figure is not second.figure
    plt.close("all")


@pytest.mark.parametrize("plot", PLOTS)
def test_an_empty_frame_says_so_in_the_picture(plot: Any) -> None:
    ax = plot(RECORDS.iloc[:0], ax=new_axes())
    assert ax.texts[0].get_text().startswith("no record")
    assert draw(ax)


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("text", [r"$\frac{", "_hidden", "<script>alert(1)</script>", "W" * 10_000, None])
def test_any_text_is_drawn_as_it_is(plot: Any, text: str | None) -> None:
    ax = plot(frame((text, text, 1), ("email", "complete", 1)), ax=new_axes())
    assert draw(ax)
    shown = (text or "(no ")[:10]
    assert any(shown in label for label in labels(ax))
    assert plot is plots.durations or any(shown in label for label in legend(ax))


def test_of_many_types_the_largest_are_drawn_and_the_title_says_so() -> None:
    rows = [(f"type{number:03d}", "complete", 1.0) for number in range(50)] + [("type049", "failed", 1.0)]
    ax = plots.status_by_type(frame(*rows), ax=new_axes())
    assert ax.get_title() == "Records by type and status (the 30 largest of 50 types)"
    assert "type049" in labels(ax)
    assert len(labels(ax)) == 30


def test_importing_the_module_loads_no_pyplot() -> None:
    code = "import sys, toolkit.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
