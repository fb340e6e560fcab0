"""Runs that other people recorded: histories, comparisons and formats, held against the notes beside the data."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from toolkit.analysis import cause, causes, compare, history, pass_rates
from toolkit.importers import ImportedRecord, gather, importer_named, read_junit

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
REPORTS = DATA / "01_test_runs"
DEMO = REPORTS / "allure-framework_allure2" / "allure-generator" / "test-data" / "demo"
TRENDS = REPORTS / "jenkinsci_junit-plugin" / "pipeline"
DBT = DATA / "02_workflow_runs" / "yu-iskw_dbt-artifacts-parser" / "run_results"

STATUSES = {"passed": "complete", "success": "complete", "pass": "complete", "error": "failed", "fail": "failed"}
DBT_RUNS = {
    **{f"v{number}": DBT / f"v{number}" / "jaffle_shop" / "run_results.json" for number in range(1, 7)},
    **{f"v6 {minor}": DBT / "v6" / "jaffle_shop" / f"run_results_{minor}.json" for minor in ("1.11", "1.12")},
}
FILES = sorted(path for path in REPORTS.rglob("*") if path.is_file())


def frame(records: list[ImportedRecord]) -> pd.DataFrame:
    columns = ("record_id", "record_type", "status", "error_message", "retry_count", "created_at", "processed_at")
    return pd.DataFrame([{name: getattr(record, name) for name in columns} for record in records])


# --- the history of Allure --------------------------------------------------------------------------


def allure_history() -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Nine tests in twenty runs, and the strip of each as it stands in the file, the oldest run first."""
    recorded = json.loads((DEMO / "history" / "history.json").read_text(encoding="utf-8"))
    rows, strips = [], {}
    for name, test in recorded.items():
        items = test["items"][::-1]
        strips[name] = "".join({"passed": "P", "failed": "F"}[item["status"]] for item in items)
        rows += [(number, name, item["status"], item["time"]["start"]) for number, item in enumerate(items)]
    table = pd.DataFrame(rows, columns=["run", "record_id", "status", "start"])
    table["status"] = table["status"].replace({"passed": "complete"})
    table["created_at"] = pd.to_datetime(table.pop("start"), unit="ms", utc=True)
    return {f"{number:02}": part for number, part in table.groupby("run")}, strips


def test_the_history_of_allure_is_that_of_its_file() -> None:
    runs, strips = allure_history()
    starts = {name: part["created_at"].min().to_pydatetime() for name, part in runs.items()}
    table = history(runs, starts=starts).set_index("record_id")
    assert (len(table), len(runs)) == (9, 20)
    assert table["strip"].to_dict() == strips
    assert (table["passed"].sum(), table["failed"].sum()) == (138, 42)
    for name, strip in strips.items():
        switches = sum(one != other for one, other in pairwise(strip[-10:]))
        row = table.loc[name]
        assert bool(row["flaky"]) == (switches >= 2)
        assert bool(row["broken"]) == strip.endswith("FFF")
        assert bool(row["new"]) == strip.endswith("PF")
        assert bool(row["fixed"]) == strip.endswith("FP")
        age = len(strip) - len(strip.rstrip("F"))
        assert (0 if pd.isna(row["age_runs"]) else row["age_runs"]) == age
    assert Counter(table["flaky"]) == {True: 5, False: 4}
    rates = pass_rates(runs, starts)
    assert rates["complete"].sum() / rates["records"].sum() == pytest.approx(138 / 180)


# --- the trends of Jenkins --------------------------------------------------------------------------


def trend(name: str) -> dict[str, pd.DataFrame]:
    files = {f"{name} {number}": TRENDS / f"junit-report-testTrends-{name}-{number}.xml" for number in (1, 2, 3)}
    return {run: frame(list(read_junit(path).records)) for run, path in files.items()}


def days(runs: dict[str, pd.DataFrame]) -> dict[str, Any]:
    return {name: pd.Timestamp("2026-01-01") + pd.Timedelta(number, "D") for number, name in enumerate(runs)}


def test_the_first_trend_of_jenkins_changes_as_the_notes_say() -> None:
    runs = trend("first")
    table = history(runs, starts=days(runs))
    # Three tests change from the first to the second run, two from the second to the third.
    assert Counter(table["strip"]) == {"PPP": 4, "PFF": 2, "PFP": 1, "PPF": 1}
    assert table[["new", "fixed", "flaky"]].sum().tolist() == [1, 1, 0]
    first, second, third = runs.values()
    assert len(compare(first, second).newly_failed) == 3
    diff = compare(second, third)
    assert (len(diff.newly_failed), len(diff.fixed), len(diff.still_failing)) == (1, 1, 2)
    assert pass_rates(runs, days(runs))["complete"].tolist() == [8, 5, 5]


def test_the_second_trend_of_jenkins_always_passed() -> None:
    runs = trend("second")
    assert history(runs, starts=days(runs))["strip"].tolist() == ["PPP"]


# --- the runs of dbt --------------------------------------------------------------------------------


def dbt_run(path: Path) -> pd.DataFrame:
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    rows = [
        {
            "record_id": result["unique_id"],
            "record_type": result["unique_id"].partition(".")[0],
            "status": STATUSES.get(result["status"], result["status"]),
            "error_message": result["message"] if result["status"] in ("error", "fail") else None,
            "created_at": result["timing"][0]["started_at"] if result["timing"] else None,
        }
        for result in results
    ]
    return pd.DataFrame(rows).astype("str")


def test_the_runs_of_dbt_hold_what_the_notes_say() -> None:
    runs = {name: dbt_run(path) for name, path in DBT_RUNS.items()}
    rates = pass_rates(runs)
    assert rates.set_index("run")["records"].to_dict() == {
        "v1": 8, "v2": 32, "v3": 31, "v4": 29, "v5": 58, "v6": 61, "v6 1.11": 40, "v6 1.12": 46,
    }  # fmt: skip
    assert rates["started_at"].is_monotonic_increasing
    assert rates["failed"].sum() == 1
    assert len(causes(runs["v4"].assign(updated_at=None))) == 1


@pytest.mark.parametrize(("one", "other", "common"), [("v5", "v6", 56), ("v6 1.11", "v6 1.12", 40), ("v4", "v5", 28)])
def test_what_is_common_to_two_runs_of_dbt_is_neither_added_nor_missing(one: str, other: str, common: int) -> None:
    before, after = dbt_run(DBT_RUNS[one]), dbt_run(DBT_RUNS[other])
    diff = compare(before, after)
    assert (len(diff.missing), len(diff.added)) == (len(before) - common, len(after) - common)
    assert diff.transitions.to_numpy().sum() == len(before) + len(after) - common


# --- formats ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(REPORTS).as_posix())
def test_every_file_loads_or_fails_with_one_line_that_names_it(path: Path) -> None:
    (run,) = gather(path, run="run", importer=importer_named(None))
    (file,) = run.files
    if file.error is None:
        assert len({record.record_id for record in file.records}) == len(file.records)
    else:
        assert file.records == ()
        assert "\n" not in file.error
        assert file.error.startswith(str(path))


def test_most_reports_of_each_format_load() -> None:
    runs = {path: gather(path, run="run", importer=importer_named(None))[0] for path in FILES}
    loaded = Counter(path.suffix for path, run in runs.items() if run.files[0].error is None)
    assert loaded == {".xml": 121, ".json": 36, ".trx": 7}


def test_the_results_of_allure_are_the_tests_of_its_own_report() -> None:
    (run,) = gather(DEMO, run="demo", importer=importer_named("allure"))
    records = [record for file in run.files for record in file.records]
    trends = json.loads((DEMO / "history" / "history-trend.json").read_text(encoding="utf-8"))
    # Thirty results; nine of them are former attempts of the others.
    assert len(run.files) == 30
    assert len(records) == trends[0]["statistic"]["total"] == 21
    assert Counter(record.status for record in records) == {"complete": 13, "failed": 6, "skipped": 1, "unknown": 1}


def test_the_attempts_of_allure_are_those_of_the_notes() -> None:
    single = [
        gather(path, run="r", importer=importer_named("allure"))[0] for path in sorted(DEMO.glob("*-result.json"))
    ]
    results = Counter(record.data["fields"]["result"] for run in single for record in run.files[0].records)
    assert results == {"passed": 19, "failed": 8, "broken": 1, "skipped": 1, "unknown": 1}


def test_one_suite_on_two_platforms_has_the_same_tests_and_failures() -> None:
    folder = REPORTS / "launchableinc_cli" / "nunit"
    linux, windows = (frame(list(read_junit(folder / f"output-{name}.xml").records)) for name in ("linux", "windows"))
    diff = compare(linux, windows)
    assert (len(diff.added), len(diff.missing), len(diff.still_failing)) == (0, 0, 1)
    assert diff.still_failing["cause_before"].tolist() == diff.still_failing["cause_after"].tolist()


def test_a_log_of_pytest_and_its_junit_report_tell_of_the_same_outcomes() -> None:
    folder = REPORTS / "launchableinc_cli" / "pytest"
    (run,) = gather(folder / "report.json", run="run", importer=importer_named("reportlog"))
    log = {record.record_id.rpartition(".data.pytest.")[2]: record.status for record in run.files[0].records}
    report = {record.record_id: record.status for record in read_junit(folder / "report.xml").records}
    assert {name: report[name] for name in log if name in report} == {name: log[name] for name in log if name in report}
    assert len(set(log) & set(report)) >= 4


def test_failures_of_real_reports_have_stable_causes() -> None:
    records = [record for path in sorted(REPORTS.rglob("*.xml")) for record in read_if_possible(path)]
    failed = frame([record for record in records if record.status == "failed"])
    named = cause(failed)
    assert named.notna().all()
    shuffled = failed.sample(frac=1, random_state=1)
    assert cause(shuffled).reindex(failed.index).equals(named)


def read_if_possible(path: Path) -> list[ImportedRecord]:
    (run,) = gather(path, run="run", importer=importer_named("junit"))
    return list(run.files[0].records)
