"""Databases by name: what a profile says holds, whatever a call says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import toolkit
from toolkit import profiles


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty settings file in a home of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    file = profiles.settings_file()
    assert tmp_path in file.parents
    file.parent.mkdir(parents=True)
    return file


def write(settings: Path, name: str, url: str, *lines: str) -> None:
    settings.write_text("\n".join([f"[profiles.{name}]", f'url = "{url}"', *lines]), encoding="utf-8")


def test_a_profile_leads_to_its_database(settings: Path, database_url: str) -> None:
    write(settings, "mine", database_url)
    with toolkit.connect("mine") as service, toolkit.connect(database_url) as direct:
        assert repr(service) == repr(direct)


def test_a_profile_that_is_read_only_is_not_lifted_by_a_call(settings: Path, database_url: str) -> None:
    write(settings, "mine", database_url, "read_only = true")
    with toolkit.connect("mine", read_only=False) as service:
        assert "the profile 'mine'" in repr(service)
        with pytest.raises(toolkit.ReadOnly, match="the profile 'mine' asked for it"):
            service.set_variable("00000000-0000-0000-0000-000000000000", "a", 1)


def test_a_profile_says_what_is_hidden_as_well_and_what_is_not(settings: Path, tmp_path: Path) -> None:
    toolkit.connect(tmp_path / "a.db", create=True).close()
    write(settings, "mine", str(tmp_path / "a.db"), 'masking.extra = ["customer_*"]', 'masking.allow = ["session"]')
    with toolkit.connect("mine") as service:
        service.set_variables("nightly", {"customer_no": 17, "session": "morning", "n": 1})
        shown = dict(zip(*(service.get_all_variables("nightly")[name] for name in ("key", "value")), strict=True))
    assert shown == {"customer_no": "[hidden]", "n": 1, "session": "morning"}


def test_a_profile_that_never_reveals_refuses_every_read_that_asks(settings: Path, tmp_path: Path) -> None:
    toolkit.connect(tmp_path / "a.db", create=True).close()
    write(settings, "mine", str(tmp_path / "a.db"), 'reveal = "never"')
    with toolkit.connect("mine") as service:
        service.set_variable("nightly", "api_token", "FAKE-0001")
        service.create_record("nightly", "a_1")
        for read in (
            lambda: service.get_variable("nightly", "api_token", reveal=True),
            lambda: service.get_variable("nightly", "all", reveal=True),
            lambda: service.get_all_variables("nightly", reveal=True),
            lambda: service.query_records("nightly", reveal=True),
            lambda: service.get_record("nightly", "a_1", reveal=True),
            lambda: service.get_data("nightly", reveal=True),
            lambda: service.view_record("nightly", "a_1", reveal=True),
            lambda: service.snapshot("nightly", tmp_path / "run.db", reveal=True),
        ):
            with pytest.raises(toolkit.RevealForbidden, match="never shows secrets"):
                read()


def test_in_production_every_plan_wants_a_number(settings: Path, tmp_path: Path) -> None:
    toolkit.connect(tmp_path / "a.db", create=True).close()
    write(settings, "mine", str(tmp_path / "a.db"), "production = true")
    with toolkit.connect("mine") as service:
        service.create_records("nightly", [{"record_id": f"a_{n}"} for n in range(5)])
        plan = service.plan_clear("nightly", ids=["a_1"])
        with pytest.raises(toolkit.ExpectationFailed, match="production"):
            plan.apply()
        assert plan.apply(expect=1).records == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("profiles = 1", "profiles stand under"),
        ("[profiles.mine]", "needs a url"),
        ("[profiles]\nmine = 3", "needs a url"),
        ('[profiles.mine]\nurl = "a.db"\ncolour = 1', "no setting 'colour'"),
        ('[profiles.mine]\nurl = "a.db"\nread_only = "yes"', "true or false"),
        ('[profiles.mine]\nurl = "a.db"\nreveal = true', "never"),
        ('[profiles.mine]\nurl = "a.db"\nmasking = ["a"]', "masking takes"),
        ('[profiles.mine]\nurl = "a.db"\nmasking.extra = "a"', "lists of names"),
        ("[profiles", "no TOML"),
    ],
)
def test_a_settings_file_that_is_wrong_is_one_readable_error(settings: Path, text: str, said: str) -> None:
    settings.write_text(text, encoding="utf-8")
    with pytest.raises(toolkit.TargetError, match=said):
        toolkit.connect("mine")


@pytest.mark.parametrize(
    "url", ["postgresql://me:FAKE-0001@db.example.com/app", "postgresql://db.example.com/app?password=FAKE-0001"]
)
def test_a_password_in_the_settings_file_is_refused_and_not_repeated(settings: Path, url: str) -> None:
    write(settings, "mine", url)
    with pytest.raises(toolkit.TargetError, match="PGPASSWORD") as caught:
        toolkit.connect("mine")
    assert "FAKE" not in str(caught.value)


def test_a_name_that_no_profile_has_is_answered_with_the_nearest(settings: Path) -> None:
    write(settings, "production", "a.db")
    with pytest.raises(toolkit.TargetError, match="did you mean the profile 'production'"):
        toolkit.connect("prodction")
    with pytest.raises(toolkit.TargetError, match="profiles are production"):
        toolkit.connect("elsewhere")


def test_row_security_that_hides_rows_is_said_at_connect_and_with_an_empty_result(
    server: sa.URL, new_database: Any, execute: Any
) -> None:
    url = new_database("production")
    role = f"reader_{sa.make_url(url).database}"
    execute(
        url,
        "ALTER TABLE workflow_records ENABLE ROW LEVEL SECURITY",
        f"CREATE ROLE {role} LOGIN",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
    )
    try:
        with pytest.warns(toolkit.DataWarning, match=f"row security is active for role {role}"):
            service = toolkit.connect(sa.make_url(url).set(username=role).render_as_string(hide_password=False))
        with service:
            assert f"role {role}, read-only (the role may not write), row security active" in repr(service)
            with pytest.warns(toolkit.DataWarning, match="missing from every result"):
                assert service.query_records("*").empty
    finally:
        execute(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize("database", ["postgresql", "production"])
def test_a_role_that_may_only_insert_creates_records_and_is_told_when_some_exist(
    server: sa.URL, new_database: Any, execute: Any, database: str
) -> None:
    url = new_database(database)
    role = f"writer_{sa.make_url(url).database}"
    workflow_id = "00000000-0000-0000-0000-000000000001"
    known = "INSERT INTO workflows (id, name) VALUES ('00000000-0000-0000-0000-000000000001', 'nightly')"
    execute(url, f"CREATE ROLE {role} LOGIN", f"GRANT INSERT ON workflow_records TO {role}")
    if database == "production":
        execute(url, known)
    try:
        with toolkit.connect(sa.make_url(url).set(username=role).render_as_string(hide_password=False)) as service:
            assert service.create_records(workflow_id, [{"record_id": "a_1"}, {"record_id": "a_2"}]) == 2
            with pytest.raises(toolkit.RecordExists, match="1 of 2 records exist already; nothing was written"):
                service.create_records(workflow_id, [{"record_id": "a_2"}, {"record_id": "a_3"}])
            with pytest.raises(toolkit.PermissionMissing, match="workflow_records"):
                service.create_record(workflow_id, "a_1")
        with toolkit.connect(url) as owner:
            assert list(owner.query_records(workflow_id)["record_id"]) == ["a_1", "a_2"]
    finally:
        execute(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
