"""The example workflow is what its script makes, and holds everything the documentation promises of it."""

from __future__ import annotations

import doctest
import json
import re
import runpy
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from toolkit import columns

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]

EXAMPLES = Path(__file__).parent.parent / "examples"
SCRIPT = EXAMPLES / "make_data.py"
COMMITTED = EXAMPLES / "data" / "email_triage.json"

MESSAGE = "error_message"
FIRST_NIGHT, LAST_NIGHT = datetime(2026, 11, 15, tzinfo=UTC), datetime(2026, 11, 16, tzinfo=UTC)
COUNTS = {
    "email": {"complete": 27, "failed": 4, "skipped": 3, "processing": 2, "discovered": 4},
    "attachment": {"complete": 7, "failed": 2, "skipped": 1, "processing": 1, "discovered": 1},
    "invoice": {"complete": 6, "failed": 2},
}
ITERATION = re.compile(r"(?P<base>.+)@iter:(?P<steps>\d+:\d+(?::\d+:\d+)*)")
NODE = re.compile(r"node\d+(\.|$)")
PROVIDER_KEY = re.compile(
    r"AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|[sr]k_(live|test)|\bsk-|AIza|eyJ|-----BEGIN|hooks\.slack"
)


def refuse_constant(name: str) -> float:
    raise AssertionError(name)


@pytest.fixture(scope="module")
def workflow() -> Row:
    document = json.loads(COMMITTED.read_text(encoding="utf-8"), parse_constant=refuse_constant)
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="module")
def records(workflow: Row) -> dict[str, Row]:
    return {record["record_id"]: record for record in workflow["records"]}


@pytest.fixture(scope="module")
def variables(workflow: Row) -> Row:
    return {variable["key"]: variable["value"] for variable in workflow["variables"]}


def time_of(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def last_night(record: Row) -> bool:
    return time_of(record["updated_at"]) >= LAST_NIGHT


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar and every empty container, with the name it stands under."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, key)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from leaves(inner, name)
    else:
        yield name, value


def category(key: str) -> str:
    if ITERATION.fullmatch(key):
        return "iteration"
    return "node" if NODE.match(key) else "custom"


def json_type(value: Any) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def test_the_committed_file_is_what_the_script_writes_beside_itself(tmp_path: Path) -> None:
    script = str(shutil.copy(SCRIPT, tmp_path))
    runpy.run_path(script, run_name="__main__")
    assert (tmp_path / "data" / COMMITTED.name).read_bytes() == COMMITTED.read_bytes()


def test_the_script_can_be_loaded_without_writing_anything(tmp_path: Path) -> None:
    script = str(shutil.copy(SCRIPT, tmp_path))
    made = runpy.run_path(script)
    assert not (tmp_path / "data").exists()
    assert len(made["make_workflow"]()["records"]) == 60


def test_the_examples_in_the_script_s_docstrings_hold() -> None:
    made = runpy.run_path(str(SCRIPT))
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    for name in ("make_workflow", "layout"):
        (examples,) = finder.find(made[name], name, module=False, globs=dict(made))
        result = runner.run(examples)
        assert result.attempted
        assert not result.failed


def test_the_file_is_small_and_holds_one_row_per_line(workflow: Row) -> None:
    text = COMMITTED.read_bytes()
    assert len(text) < 120_000
    assert b"\r" not in text
    rows = [line for line in text.decode().splitlines() if line.startswith("  ")]
    tables = ("variables", "records", "nodes")
    assert [json.loads(line.rstrip(",")) for line in rows] == [row for name in tables for row in workflow[name]]


def test_rows_have_the_columns_of_their_tables(workflow: Row) -> None:
    assert list(workflow) == [columns.WORKFLOW_ID, "variables", "records", "nodes"]
    for record in workflow["records"]:
        assert tuple(record) == (*columns.RECORD_COLUMNS, columns.DATA)
        assert tuple(record[columns.DATA]) == columns.PARTS
    for variable in workflow["variables"]:
        assert tuple(variable) == ("key", "value", "created_at", "updated_at")
    for node in workflow["nodes"]:
        assert tuple(node) == ("position", "type", "alias", "config")


def test_no_record_id_and_no_key_occurs_twice(workflow: Row, records: dict[str, Row], variables: Row) -> None:
    assert len(records) == len(workflow["records"]) == 60
    assert len(variables) == len(workflow["variables"]) == 35
    assert len({node["position"] for node in workflow["nodes"]}) == len(workflow["nodes"]) == 6


def test_records_of_three_types_are_in_all_states(records: dict[str, Row]) -> None:
    counts = Counter((record["record_type"], record["status"]) for record in records.values())
    expected = {(kind, status): n for kind, by_status in COUNTS.items() for status, n in by_status.items()}
    assert counts == expected
    assert {status for _, status in counts} == set(columns.STATUSES)
    assert all(record["record_type"] == record_id.split("_")[0] for record_id, record in records.items())


def test_eight_failed_for_three_causes_and_one_says_nothing(records: dict[str, Row]) -> None:
    messages = [record[MESSAGE] for record in records.values() if record["status"] == columns.FAILED]
    causes = Counter(re.sub(r"\d+(\.\d+)?", "#", message or "") for message in messages)
    assert causes == {
        "Timeout after # s while waiting for archive-#.example.org": 3,
        "invoice total # does not match net # and tax #": 2,
        "Login to crm.example.com failed: # Unauthorized": 2,
        "": 1,
    }
    timeouts = {message for message in messages if message and message.startswith("Timeout")}
    assert len(timeouts) == 3


def test_a_wrong_total_is_named_by_the_amounts_of_its_own_invoice(records: dict[str, Row]) -> None:
    for record_id in ("invoice_003", "invoice_006"):
        fields = records[record_id]["data"]["fields"]
        named = [float(amount) for amount in re.findall(r"\d+\.\d\d", records[record_id][MESSAGE])]
        assert named == [fields["total"], fields["net"], fields["tax"]]
        assert fields["total"] != pytest.approx(fields["net"] + fields["tax"])


def test_other_invoices_add_up(records: dict[str, Row]) -> None:
    invoices = [record for record in records.values() if record["record_type"] == "invoice"]
    for fields in (record["data"]["fields"] for record in invoices if record["status"] == columns.COMPLETE):
        assert fields["total"] == pytest.approx(fields["net"] + fields["tax"])
        assert fields["net"] == pytest.approx(sum(line["quantity"] * line["price"] for line in fields["lines"]))


def test_complete_records_carry_what_the_former_night_left(records: dict[str, Row]) -> None:
    leftovers = {
        record_id
        for record_id, record in records.items()
        if record[MESSAGE] is not None and record["status"] == columns.COMPLETE
    }
    assert leftovers == {"email_003", "email_008", "email_015", "attachment_008", "invoice_002"}
    assert all(records[record_id]["retry_count"] > 0 for record_id in leftovers)
    assert all(last_night(records[record_id]) for record_id in leftovers)


def test_leftovers_are_found_on_a_waiting_record_and_without_a_message(records: dict[str, Row]) -> None:
    assert records["email_037"]["status"] == columns.DISCOVERED
    assert records["email_037"][MESSAGE].startswith("Timeout")
    silent = records["attachment_007"]
    assert (silent["status"], silent[MESSAGE], silent["retry_count"]) == (columns.COMPLETE, None, 1)


def test_failed_records_have_no_processed_at_but_for_one_that_kept_the_former_mail_s(
    records: dict[str, Row],
) -> None:
    failed = [record for record in records.values() if record["status"] == columns.FAILED]
    kept = [record for record in failed if record["processed_at"] is not None]
    assert [record["record_id"] for record in kept] == ["email_007"]
    assert all(record["retry_count"] > 0 for record in failed)
    assert time_of(kept[0]["processed_at"]) < LAST_NIGHT


def test_only_updated_at_says_what_happened_last_night(records: dict[str, Row]) -> None:
    reused = [
        record
        for record in records.values()
        if last_night(record) and record["processed_at"] and record["processed_at"] < record["updated_at"]
    ]
    assert len(reused) > 30
    assert all(time_of(record["created_at"]) < LAST_NIGHT for record in reused)
    # The document is last night's even where the columns are not.
    assert all(time_of(step["time"]) > LAST_NIGHT for record in reused for step in record["data"]["history"])


def test_one_record_is_stuck_since_the_first_night(records: dict[str, Row]) -> None:
    stuck = [
        record_id
        for record_id, record in records.items()
        if record["status"] == columns.PROCESSING and not last_night(record)
    ]
    assert stuck == ["email_040"]


def test_times_are_utc_and_in_order(workflow: Row, records: dict[str, Row]) -> None:
    for row in (*workflow["variables"], *workflow["records"]):
        assert time_of(row["created_at"]) <= time_of(row["updated_at"])
        assert time_of(row["created_at"]) >= FIRST_NIGHT
        assert time_of(row["updated_at"]) < LAST_NIGHT + timedelta(hours=3)
    for record in records.values():
        if record["processed_at"] is not None:
            took = time_of(record["processed_at"]) - time_of(record["created_at"])
            assert timedelta() < took
            assert record["processed_at"] <= record["updated_at"]


def test_history_runs_forward_and_ends_with_the_last_update(records: dict[str, Row]) -> None:
    for record in records.values():
        steps = record["data"]["history"]
        times = [time_of(step["time"]) for step in steps]
        assert times == sorted(times)
        assert all({"time", "node", "action"} <= set(step) for step in steps)
        assert bool(steps) == (record["status"] != columns.DISCOVERED)
        if steps:
            assert steps[-1]["time"] == record["updated_at"]


def test_references_between_records_resolve(records: dict[str, Row]) -> None:
    for record_id, record in records.items():
        fields = record["data"]["fields"]
        for child in fields.get("attachments", ()):
            assert records[child]["data"]["fields"]["email"] == record_id
        for child in record["data"]["vars"].get("invoices", ()):
            assert records[child]["data"]["fields"]["attachment"] == record_id


def test_node_aliases_name_iterate_nodes(workflow: Row, records: dict[str, Row]) -> None:
    iterate = {node["alias"]: node["position"] for node in workflow["nodes"] if node["type"] == "iterate"}
    assert iterate == {"each_email": 28, "each_attachment": 35}
    assert {record["iteration_node_alias"] for record in records.values()} == {*iterate, None}


def test_one_iterate_node_loops_over_an_array_and_the_other_within_it(workflow: Row, variables: Row) -> None:
    over = {node["position"]: node["config"]["over"] for node in workflow["nodes"] if node["type"] == "iterate"}
    assert over == {28: "emails", 35: "email.attachments"}
    assert isinstance(variables["emails"], list)
    assert isinstance(variables["email"]["attachments"], list)


def test_variables_of_every_category_and_json_type_occur(variables: Row) -> None:
    assert {category(key) for key in variables} == {"iteration", "node", "custom"}
    custom = [value for key, value in variables.items() if category(key) == "custom"]
    assert {json_type(value) for value in custom} == {
        "string",
        "number",
        "boolean",
        "array",
        "object",
        "null",
    }
    assert {"node4", "node4.result", "node12.items"} <= set(variables)


def test_values_that_count_as_false_occur(variables: Row) -> None:
    found = [repr(value) for value in variables.values() if not value]
    assert {"0", "False", "''", "None", "[]", "{}"} <= set(found)


def test_names_that_look_like_another_thing_occur(variables: Row) -> None:
    assert category("nodejs_version") == "custom"
    assert category("node40") == "node"
    assert {"nodejs_version", "node40", "token_count", "monkey"} <= set(variables)


def test_awkward_keys_occur(variables: Row) -> None:
    for character in ("%", "_", "[", "]", "\\", ",", " ", "к"):
        assert any(character in key for key in variables), character


def test_iteration_variables_nest_and_one_is_stale(variables: Row) -> None:
    suffixes = [match["steps"].split(":") for key in variables if (match := ITERATION.fullmatch(key))]
    assert {len(suffix) // 2 for suffix in suffixes} == {1, 2}
    assert {suffix[0] for suffix in suffixes} == {"28"}
    assert {suffix[2] for suffix in suffixes if len(suffix) > 2} == {"35"}
    indexes = {int(suffix[1]) for suffix in suffixes}
    assert {index for index in indexes if index >= len(variables["emails"])} == {39}


def test_awkward_values_occur_in_documents(records: dict[str, Row]) -> None:
    found = list(leaves([record["data"]["fields"] for record in records.values()]))
    numbers = [value for _, value in found if type(value) is int]
    assert any(value > 2**53 and int(float(value)) != value for value in numbers)
    assert {type(value) for _, value in found} >= {str, int, float, bool, type(None), dict, list}
    subjects = [value for name, value in found if name == "subject"]
    assert "" in subjects
    assert any("<script>" in subject for subject in subjects)
    assert sum(not subject.isascii() for subject in subjects) >= 5


def test_an_integer_needs_more_than_64_bits(records: dict[str, Row]) -> None:
    assert records["attachment_008"]["data"]["vars"]["fingerprint"] == 2**70 + 1


def test_a_name_with_a_dot_stands_beside_an_object_that_reads_like_it(records: dict[str, Row]) -> None:
    headers = [record["data"]["fields"].get("headers", {}) for record in records.values()]
    assert any("X-Header.v1" in header for header in headers)
    assert any("v1" in header.get("X-Header", {}) for header in headers)
    assert {} in headers


def test_columns_of_mixed_types_and_of_nulls_only_occur(records: dict[str, Row]) -> None:
    found = [record["data"]["vars"] for record in records.values()]
    assert {type(value["priority"]) for value in found if "priority" in value} == {int, str}
    assert {value["note"] for value in found if "note" in value} == {None}
    assert {type(value["confidence"]) for value in found if "confidence" in value} == {int, float}


def test_every_secret_says_that_it_is_fake_and_is_told_apart_from_the_others(workflow: Row, variables: Row) -> None:
    fakes = re.findall(r"FAKE-not-a-real-value-\d{4}", COMMITTED.read_text(encoding="utf-8"))
    assert len(fakes) == len(set(fakes)) == 6
    secret = {"smtp_password", "api_token", "password", "download_token"}
    values = [value for name, value in leaves([variables, workflow["records"]]) if name in secret]
    assert len(values) == 5
    assert all(value.startswith("FAKE-not-a-real-value-") for value in values)
    assert re.search(r"://triage:FAKE-[^@]+@", variables["mailbox_url"])
    assert variables["webhook_secret"] is None


def test_secrets_stand_in_the_vars_of_two_records(records: dict[str, Row]) -> None:
    with_secret = [record_id for record_id, row in records.items() if "FAKE" in json.dumps(row["data"]["vars"])]
    assert with_secret == ["email_013", "attachment_005"]
    assert all("FAKE" not in (record[MESSAGE] or "") for record in records.values())


def test_nothing_looks_like_a_key_of_a_provider_or_like_a_mask() -> None:
    text = COMMITTED.read_text(encoding="utf-8")
    assert PROVIDER_KEY.search(text) is None
    assert "[hidden]" not in text


def test_hosts_and_addresses_are_reserved_for_examples() -> None:
    text = COMMITTED.read_text(encoding="utf-8")
    hosts = re.findall(r"(?:@|://|waiting for |Login to )([a-z0-9-]+(?:\.[a-z0-9-]+)+)", text)
    assert len(hosts) > 40
    assert all(re.search(r"(^|\.)example\.(com|org|test)$", host) for host in hosts)


def test_the_readme_states_the_counts_of_the_file(records: dict[str, Row], variables: Row) -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    order = ("complete", "failed", "skipped", "processing", "discovered")
    for kind, by_status in COUNTS.items():
        cells = [str(by_status.get(status, 0)) for status in order] + [str(sum(by_status.values()))]
        assert f"| `{kind}` | " + " | ".join(cells) + " |" in readme
    assert f"{len(records)} records, {len(variables)} variables" in readme
    named = set(re.findall(r"`((?:email|attachment|invoice)_\d{3})`", readme))
    assert {key for key, row in records.items() if row["status"] == columns.FAILED} <= named <= set(records)
