"""Fake secrets in every place a run can hold one; then everything is looked at, and none of them is to be seen."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import html
import io
import json
import logging
import pickle
import re
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import MagicMock
from urllib.parse import quote, quote_plus

import nbclient
import nbformat
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
from IPython.core.formatters import DisplayFormatter
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

import toolkit
from toolkit import analysis, cli, demo, frames, notebook, plots
from toolkit.cache import CachedDataService
from toolkit.legacy import VariableManagementService
from toolkit.masking import HIDDEN

ROOT: Final = Path(__file__).parents[1]
NESTING: Final = 200
PLAIN: Final = (str, int, float, bool, dict, list, type(None))

# The places


# What tells each kind of canary. They are letters and digits, which JSON, HTML and addresses leave as they are.
KINDS: Final = {"Canary": "Qx", "AKIAFAKE": "FAKEFAKE", "8642": "97531"}


def _encoded(text: str) -> Iterator[str]:
    """Give what base64 makes of a text, wherever it begins, as far as its neighbours do not change it."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + text.encode()).decode()
        yield whole[-(-8 * before // 6) : (before + len(text)) * 8 // 6]


def _found() -> re.Pattern[str]:
    plain = "|".join(f"{begins}[0-9]{{4}}{ends}" for begins, ends in KINDS.items())
    encoded = "|".join(re.escape(form) for begins in KINDS for form in _encoded(f"{begins}0"))
    return re.compile(f"(?i:{plain})|{encoded}")


FOUND: Final = _found()


@dataclasses.dataclass
class Canaries:
    """The secrets by the place that each was put in, and the part of each that no encoding changes."""

    values: dict[str, Any] = dataclasses.field(default_factory=dict)
    places: dict[str, str] = dataclasses.field(default_factory=dict)

    def _make(self, place: str, begins: str, form: Callable[[str], Any] = str) -> Any:
        if place not in self.values:
            core = f"{begins}{len(self.values):04}{KINDS[begins]}"
            self.values[place], self.places[core.lower()] = form(core), place
        return self.values[place]

    def named(self, place: str) -> str:
        """A secret that only the name above it tells; every encoding writes it in another way."""
        return str(self._make(place, "Canary", lambda core: f'<{core}>&"ö\\/+ {core[::-1]}'))

    def plain(self, place: str) -> str:
        """A secret as it stands in a sentence, without signs that would end it."""
        return str(self._make(place, "Canary", lambda core: f"{core}-9"))

    def number(self, place: str) -> int:
        """A secret that is a number."""
        return int(self._make(place, "8642", int))

    def shaped(self, place: str) -> str:
        """A secret that its own look tells, wherever it stands."""
        return str(self._make(place, "AKIAFAKE"))

    def seen_in(self, text: str) -> list[str]:
        """Return the places whose secret stands in a text, in whatever form."""
        return sorted({self.places.get(found.lower(), found) for found in FOUND.findall(text)})


def deep(value: Any) -> Any:
    """Return a value under 200 objects."""
    for _ in range(NESTING):
        value = {"d": value}
    return value


def pair(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "value": value}


def document(canaries: Canaries, where: str, sentence: str) -> dict[str, Any]:
    """Return a document with secrets of all kinds."""

    def named(place: str) -> str:
        return canaries.named(f"{where}: {place}")

    def shaped(place: str) -> str:
        return canaries.shaped(f"{where}: {place}")

    return {
        "api_token": named("by name"),
        "smtp": {"host": "mail.example", "password": named("nested")},
        "credentials": {"user": named("below a name"), "list": [named("in a list below a name")]},
        "passcode": canaries.number(f"{where}: number"),
        "environment": [pair("DB_PASSWORD", named("name and value")), pair("LANG", "C")],
        "headers": [["Authorization", f"Bearer {canaries.plain(f'{where}: pair')}"]],
        "response": json.dumps({"access_token": named("JSON in text")}),
        "body": json.dumps(json.dumps({"deep": {"client_secret": named("JSON in JSON")}})),
        "tokens": {named("key below a name"): "active"},
        shaped("key"): 1,
        "database": f"postgresql://app:{canaries.plain(f'{where}: address')}@db/app",
        "link": f"https://example.test/a?access_token={canaries.plain(f'{where}: parameter')}&page=2",
        "command": f"curl -u me:{canaries.plain(f'{where}: command')} https://example.test",
        "deep": deep({"password": named("at depth 200")}),
        "text": f"uses {shaped('text')} today",
        "list": [f"uses {shaped('list')} today", 1],
        "repeated": f"then {sentence} was sent",
        f"with {sentence}": True,
    }


def records(canaries: Canaries, known: str) -> list[dict[str, Any]]:
    """Return records with a secret in every column and every part."""
    data: dict[str, Any] = {part: document(canaries, part, known) for part in ("fields", "vars", "targets")}
    change = {"field": "vars.password", "old": canaries.named("history: old"), "new": canaries.named("history: new")}
    data["history"] = [{"time": "2026-11-16T02:00:00Z", "changes": [change]}, document(canaries, "history", known)]
    failure = f"login with password={canaries.plain('error_message')} as {known}: see {canaries.shaped('message')}"
    whole = {
        "record_id": f"a_{canaries.shaped('record_id')}",
        "record_type": canaries.shaped("record_type"),
        "status": "failed",
        "iteration_node_alias": canaries.shaped("iteration_node_alias"),
        "error_message": failure,
        "data": data,
    }
    own = {"record_id": f"b_{known}", "status": f"own {canaries.shaped('status')}", "vars.n": 2}
    open_ = {"record_id": "c_3", "status": "complete", "fields.n": 1, "error_message": f"left: {known}"}
    return [whole, own, open_, {"record_id": "d_4", "status": "failed", "error_message": f"timeout for {known}"}]


def variables(canaries: Canaries, known: str) -> dict[str, Any]:
    """Return variables with a secret in every kind of value and key."""
    return {
        **document(canaries, "variable", known),
        "known_token": known,
        "history": [{"key": "api_key", "old_value": canaries.named("change: old"), "new_value": "x"}],
        "password@iter:28:0": canaries.named("iteration variable"),
        "login@iter:28:1": {"user": "ada", "password": canaries.named("inside an iteration variable")},
        f"{canaries.shaped('base')}@iter:28:2": "plain",
        "animals@iter:28:9": "left over",
        "animals": ["ant", "bee"],
        "run": {"name": f"nightly {known}", "importer": "junit", "branch": canaries.shaped("branch")},
    }


class Seeded:
    """A workflow full of secrets, one like it, and one whose name holds one."""

    def __init__(self, service: toolkit.UnifiedDataService, new_workflow: Callable[[str], str]) -> None:
        self.canaries = Canaries()
        self.known = self.canaries.plain("known by a variable")
        self.id, self.other = new_workflow("nightly"), new_workflow("weekly")
        self.named = new_workflow(f"for {self.canaries.shaped('name of a workflow')}")
        for name in (self.id, self.other):
            service.set_variables(name, variables(self.canaries, self.known))
            service.create_records(name, records(self.canaries, self.known))
        changed = {
            "vars.api_token": self.canaries.named("changed"),
            "fields.text": self.canaries.shaped("changed text"),
        }
        service.update_record(self.other, "c_3", changed)
        service.set_variable(self.other, "api_token", self.canaries.named("changed variable"))
        service.set_variable(self.named, "total", 3)
        service.create_records(self.named, [{"record_id": "a_1"}, {"record_id": "b_1", "status": "failed"}])
        self._nodes(service)
        service.delete_record(self.id, "d_4", reason=f"it named {self.canaries.shaped('reason')}").undo()

    def _nodes(self, service: toolkit.UnifiedDataService) -> None:
        nodes = service.database.tables.nodes
        if nodes is None:
            return
        over = f"{self.canaries.shaped('config of a node')}.list"
        config = {"over": over, "api_token": self.canaries.named("config: by name")}
        values = {"id": uuid.uuid4(), "workflow_id": self.id, "position": 28, "type": "iterate", "config": config}
        with service.database.write() as connection:
            connection.execute(sa.insert(nodes).values(values))


@pytest.fixture
def seeded(service: toolkit.UnifiedDataService, new_workflow: Callable[[str], str]) -> Seeded:
    return Seeded(service, new_workflow)


# What a thing shows


def shown(thing: Any) -> Iterator[str]:
    """Give everything that a thing lets somebody see: its forms, its parts, and what it becomes in a file."""
    yield from (repr(thing), str(thing))
    if isinstance(thing, toolkit.Secret):
        yield f"{thing:>20}"
    formatter: Any = DisplayFormatter()
    formatter.formatters["text/html"].for_type_by_name("pandas", "DataFrame", notebook._html)  # as `install` does
    yield from map(str, formatter.format(thing)[0].values())
    with contextlib.suppress(TypeError, AttributeError, ValueError, pickle.PicklingError):
        yield pickle.dumps(thing, 0).decode("latin-1")
    yield from _parts(thing)


def _parts(thing: Any) -> Iterator[str]:
    if isinstance(thing, pd.DataFrame):
        with pd.option_context("display.max_colwidth", None, "display.max_columns", None, "display.max_rows", None):
            yield from (repr(thing), thing.to_html(), thing.to_string())
        yield from (thing.to_csv(), thing.to_json(date_format="iso", default_handler=str), str(thing.to_dict()))
        yield from (str(list(thing.columns)), str(list(thing.index)), str(thing.attrs))
        yield from (str(column.unique()) for _, column in thing.astype("string").items())
    elif isinstance(thing, pa.Table):
        yield from (str(thing.to_pylist()), str(thing.schema))
    elif isinstance(thing, Axes):
        figure = thing.get_figure(root=True)
        assert figure is not None
        yield from (found.get_text() for found in figure.findobj(Text) if isinstance(found, Text))
        picture = io.BytesIO()
        figure.savefig(picture, format="svg", metadata={"Date": None})
        yield picture.getvalue().decode()
    elif isinstance(thing, Mapping | list | tuple):
        parts = thing.values() if isinstance(thing, Mapping) else thing
        # Of plain values, all that there is to see is in the form of the whole.
        yield from (text for part in parts if not isinstance(part, PLAIN) for text in shown(part))
    elif dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        visible = (field.name for field in dataclasses.fields(thing) if field.repr)
        yield from (text for name in visible for text in shown(getattr(thing, name)))


def told(calls: Mapping[str, Callable[[], Any]], canaries: Canaries) -> dict[str, list[str]]:
    """Make calls, and return for each that shows a secret which ones; warnings and errors count, whole."""
    found = {}
    for name, call in calls.items():
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                text = "\n".join(shown(call()))
            except toolkit.ToolkitError as error:
                text = "".join(traceback.format_exception(error))
        text += "\n".join(str(each.message) for each in warned)
        if seen := canaries.seen_in(text):
            found[name] = seen
    return found


# The calls

Calls = dict[str, Callable[[], Any]]


def reads(service: toolkit.UnifiedDataService, seeded: Seeded) -> Calls:
    one, ids = seeded.id, [row["record_id"] for row in records(seeded.canaries, seeded.known)]
    keys = list(variables(seeded.canaries, seeded.known))

    def chunks(**options: Any) -> list[pd.DataFrame]:
        with service.query_records(one, chunksize=2, **options) as parts:
            return list(parts)

    return {
        "records": lambda: service.query_records(one),
        "records with history": lambda: service.query_records(one, columns="all"),
        "records, some columns": lambda: service.query_records(
            one, columns=["record_id", "error_message", "vars", "fields.text"]
        ),
        "records, one place": lambda: service.query_records(one, columns=["fields.api_token", "vars.repeated"]),
        "documents": lambda: service.query_records(one, flatten=False),
        "records of several": lambda: service.query_records([one, seeded.other], columns="all"),
        "Arrow": lambda: service.query_records(one, columns="all", as_arrow=True),
        "records by dtype_backend": lambda: service.query_records(one, dtype_backend="pyarrow"),
        "chunks": chunks,
        "chunks of documents": lambda: chunks(flatten=False),
        "chunks with history": lambda: chunks(columns="all"),
        "count_records": lambda: service.count_records(one, by=["status", "record_type", "iteration_node_alias"]),
        "get_record": lambda: service.get_record(one, ids[0]),
        "get_records": lambda: [service.get_record(one, name) for name in ids[1:]],
        "snapshot": lambda: _taken_home(service, one),
        "view_record": lambda: [service.view_record(one, name) for name in ids],
        "siblings": lambda: [service.view_record(one, name).siblings() for name in ids],
        "get_records_by_ids": lambda: service.get_records_by_ids(one, ids),
        "variables": lambda: service.get_all_variables(one),
        "variables of several": lambda: service.get_all_variables([one, seeded.other]),
        "some variables": lambda: service.get_all_variables(one, pattern="text,repeated,list"),
        "each variable": lambda: [service.get_variable(one, key) for key in keys],
        "all variables": lambda: service.get_variable(one, "all"),
        "iterations": lambda: service.get_iterations(one),
        "formatted": lambda: service.get_formatted_variables(one),
        "data": lambda: service.get_data(one, include_metadata=True),
        "data as dict": lambda: service.get_data(one, include_metadata=True).to_dict(),
        "one record as data": lambda: service.get_data(one, bucket=ids[0], include_metadata=True).to_dict(),
        "stats": lambda: service.get_stats(one),
        "stats as dict": lambda: service.get_stats(one).to_dict(),
        "workflow": lambda: service.workflow(one),
        "service": lambda: service,
        "list_workflows": service.list_workflows,
        "runs": service.runs,
        "changes": lambda: service.changes(one),
        "another policy": lambda: service.with_masking(toolkit.MaskingPolicy(extra=("n",))).query_records(one),
        "validated": lambda: service.validate_records(one, {"additionalProperties": False, "maxProperties": 0}),
        "validated variables": lambda: service.validate_variables(one, {"*": False}),
    }


# What takes no frame of records: parts of a comparison, which is looked at as a whole.
PASSED_OVER: Final = {"RunDiff", "compare", "canonical", "differ", "masked"}


def conclusions(service: toolkit.UnifiedDataService, seeded: Seeded) -> Calls:
    one, other = seeded.id, seeded.other
    frame, report = service.query_records(one), service.report(one)
    of_variables, failures = service.get_all_variables(one), service.failures(one)
    names = [name for name in analysis.__all__ if name not in PASSED_OVER]
    single = {f"analysis.{name}": partial(_analysed, getattr(analysis, name), frame, of_variables) for name in names}
    return {
        **single,
        "failures": lambda: failures,
        "failures, rules": lambda: service.failures(one, rules={"login": "login"}, known=failures),
        "compare": lambda: service.compare(one, other),
        "compare by a field": lambda: service.compare(one, other, on="fields.n"),
        "analysis.compare": lambda: analysis.compare(frame, service.query_records(other)),
        "plot of types": lambda: plots.status_by_type(frame, ax=Figure().subplots()),
        "plot of durations": lambda: plots.durations(frame, ax=Figure().subplots()),
        "plot of failures": lambda: plots.failures_over_time(frame, ax=Figure().subplots()),
        "plot of times": lambda: plots.timeline(frame, ax=Figure().subplots()),
        "plot of runs": lambda: plots.history(analysis.history({"one": frame}), ax=Figure().subplots()),
        "plot of variables": lambda: plots.variables_by_category(of_variables, ax=Figure().subplots()),
        "report": lambda: report,
        "report as HTML": report.to_html,
        "report as Markdown": report.to_markdown,
        "report as JSON": report.to_json,
        "report with content": lambda: service.report(one, include=["fields", "vars"]).to_html(),
        "report against another": lambda: _everywhere(service.report(one, baseline=other)),
        "report by a field": lambda: service.report(one, baseline=other, on="fields.n").to_json(),
        "report on schemas": lambda: _everywhere(service.report(one, schema=False, variable_schemas={"*": False})),
    }


def _everywhere(report: toolkit.RunReport) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        report.save(f"{folder}/")
        pages = [path.read_text(encoding="utf-8") for path in Path(folder).rglob("*.html")]
    return [dict(report.frames), report.to_json(), report.to_markdown(), pages]


def _in_folder(snapshot: Callable[..., Any]) -> Any:
    """Take a run home, and return all that there is to see of it: the result, and the bytes of the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.db")
        return snapshot(path), path.read_bytes().decode("latin-1")


def _taken_home(service: toolkit.UnifiedDataService, workflow_id: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        taken = service.snapshot(workflow_id, Path(folder, "run.db"))
        with toolkit.connect(taken.path) as home, toolkit.connect(":memory:", create=True) as other:
            loaded = other.load_snapshot(taken.path, as_workflow="trial")
            frames_ = home.query_records(taken.workflow, columns="all", reveal=True), loaded.left_alone
            return taken, taken.hidden, loaded, frames_, repr(home), taken.path.read_bytes().decode("latin-1")


def _analysed(call: Any, frame: pd.DataFrame, of_variables: pd.DataFrame) -> Any:
    if not callable(call):
        return call
    for arguments in ((frame,), (of_variables,), ({"monday": frame, "tuesday": frame},)):
        try:
            return call(*arguments)
        except (toolkit.InvalidOption, TypeError, AttributeError, KeyError):
            continue
    return None


def plans(service: toolkit.UnifiedDataService, seeded: Seeded) -> Calls:
    one = seeded.id
    plan = service.plan_clear(one, everything=True)
    frame = service.query_records(one)
    edited = frame.assign(**{"vars.label": "x", "error_message": "gone"})
    receipts = []

    def applied() -> Any:
        receipts.append(service.plan_clear(one, "c_*").apply(expect=1))
        return receipts[-1]

    return {
        "plan_clear": lambda: plan,
        "sample of plan_clear": lambda: plan.sample,
        "clear_data": lambda: service.clear_data(one, pattern="*", dry_run=True),
        "plan_update": lambda: service.plan_update(one, edited, before=frame),
        "receipt": applied,
        "receipt of an undo": lambda: service.undo(receipts[0]),
        "purge": lambda: service.purge_archive(older_than="0s"),
    }


def writes(service: toolkit.UnifiedDataService, seeded: Seeded) -> Calls:
    """Calls that write, and return what they wrote or how much; those that leave less behind come last."""
    one, canaries, known = seeded.id, seeded.canaries, seeded.known
    shaped, kept = canaries.shaped("an id that is given"), {"vars": {"password": canaries.named("given")}}
    stuck = [{"record_id": f"{name}_{part}", "status": "processing"} for name, part in (("e", shaped), ("f", known))]
    array = [{"api_token": canaries.named("an element")}, f"uses {shaped}"]
    return {
        "set_variable": lambda: service.set_variable(one, "api_token", canaries.named("variable: by name")),
        "set_variable, key": lambda: service.set_variable(one, f"used {shaped}", 1, reason=f"after {shaped}"),
        "set_variable, stale": lambda: service.set_variable(one, "animals", ["ant"]),
        "set_variables": lambda: service.set_variables(one, {"api_token": canaries.named("variable: by name")}),
        "create_record": lambda: service.create_record(one, f"g_{shaped}", data=kept),
        "create_records": lambda: service.create_records(one, [*stuck, {"record_id": "h_1", "data": kept}]),
        "update_record": lambda: service.update_record(one, "c_3", {"vars.api_token": canaries.named("vars: by name")}),
        "update_record, path": lambda: service.update_record(one, f"g_{shaped}", {f'vars."used {shaped}"': 1}),
        "update_records": lambda: service.update_records(one, {"c_3": {"vars.password": canaries.named("given")}}),
        "requeue_stuck": lambda: service.requeue_stuck(one, older_than="0s"),
        "load_snapshot": lambda: _loaded(service, one),
        "convert_array_to_records": lambda: service.convert_array_to_records(one, array, run_id=shaped),
        "iterate_records": lambda: service.iterate_records(one, "c_*", body=lambda _: None, statuses="complete"),
        "iterate_records, failed": lambda: service.iterate_records(one, "h_*", body=_failing(known)),
        "retry_failed": lambda: service.retry_failed(one, "d_*", reason=f"after {shaped}"),
        "import_junit": lambda: _imported(service.import_junit, known, shaped),
        "import_results": lambda: _imported(service.import_results, known, shaped),
        "find_iterate_references": lambda: service.find_iterate_references(one, "animals"),
        "setup_archive": service.setup_archive,
        "cleanup_iteration_variables": lambda: service.cleanup_iteration_variables(one, [28]),
        "delete_record": lambda: service.delete_record(one, f"f_{known}", reason=f"it named {known}"),
        "delete_variable": lambda: service.delete_variable(one, f"used {shaped}"),
        "undo_last": lambda: service.undo_last(one),
        "delete_all_records": lambda: service.delete_all_records(one),
        "changes": service.changes,
        # What only a variable told is known as long as it is there.
        "clear_all_variables": lambda: service.clear_all_variables(one),
    }


def _loaded(service: toolkit.UnifiedDataService, workflow_id: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        taken = service.snapshot(workflow_id, Path(folder, "run.db"), reveal=True)
        return service.load_snapshot(taken.path, as_workflow=str(uuid.uuid4()))


def _failing(secret: str) -> Callable[[Any], Any]:
    def body(_: Any) -> Any:
        raise ValueError(f"login with password={secret}")

    return body


def _imported(call: Callable[..., Any], known: str, shaped: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        for name in (f"{shaped}.xml", "broken.xml"):
            failure = f'<failure message="password={known}">{shaped}</failure>'
            text = f'<testsuite name="s"><testcase name="{shaped}">{failure}</testcase></testsuite>'
            Path(folder, name).write_text(text[: -1 if name == "broken.xml" else None])
        paths = sorted(map(str, Path(folder).iterdir()))
        return call(paths, run=f"run {shaped}", replace=True, create_workflow=True)


def of_workflow(service: toolkit.UnifiedDataService, seeded: Seeded) -> Calls:
    """Every call of a workflow by its own name."""
    canaries, shaped = seeded.canaries, seeded.canaries.shaped("an id that is given")
    wf, secret = service.workflow(seeded.id), seeded.canaries.named("given")
    frame, keys = wf.records(), list(variables(canaries, seeded.known))
    return {
        "workflow": lambda: wf,
        "variables": lambda: [
            wf.variables(),
            wf.variables._ipython_key_completions_(),
            *map(wf.variables.__getitem__, keys),
        ],
        "get": lambda: [wf.get(key) for key in keys],
        "records": lambda: [wf.records(columns="all"), wf.records._ipython_key_completions_(), wf.records["c_3"]],
        "record": lambda: wf.record("c_3"),
        "snapshot": lambda: _in_folder(wf.snapshot),
        "count": lambda: wf.count(by=["status", "record_type"]),
        "iterations": wf.iterations,
        "validate_variables": lambda: wf.validate_variables({"*": False}),
        "validate_records": lambda: wf.validate_records({"maxProperties": 0}),
        "report": lambda: wf.report().to_html(),
        "stats": wf.stats,
        "data": wf.data,
        "changes": wf.changes,
        "failures": wf.failures,
        "compare": lambda: wf.compare(seeded.other),
        "plan_clear": lambda: wf.plan_clear(everything=True),
        "plan_update": lambda: wf.plan_update(frame.assign(**{"vars.label": "x"}), before=frame),
        "set": lambda: wf.set("api_token", secret),
        "create_record": lambda: wf.create_record(f"g_{shaped}", data={"vars": {"password": secret}}),
        "create_records": lambda: wf.create_records([{"record_id": f"h_{seeded.known}", "status": "processing"}]),
        "update_record": lambda: wf.update_record("c_3", {"vars.api_token": secret}),
        "update_records": lambda: wf.update_records({"c_3": {"vars.api_token": secret}}),
        "requeue_stuck": lambda: wf.requeue_stuck(older_than="0s"),
        "iterate_records": lambda: wf.iterate_records("h_*", body=_failing(seeded.known)),
        "retry_failed": lambda: wf.retry_failed("d_*"),
        "delete_record": lambda: wf.delete_record(f"g_{shaped}"),
        "delete_variable": lambda: wf.delete_variable("api_token"),
        "undo": wf.undo,
    }


def of_a_name(service: toolkit.UnifiedDataService, seeded: Seeded) -> Calls:
    """Calls about a workflow whose name, and where names are ids whose id, is a secret's."""
    one = seeded.named
    return {
        "workflow": lambda: service.workflow(one),
        "variables": lambda: service.get_all_variables([one, seeded.id]),
        "records": lambda: service.query_records([one, seeded.id]),
        "data": lambda: service.get_data(one),
        "data as dict": lambda: service.get_data(one).to_dict(),
        "stats": lambda: service.get_stats(one),
        "report": lambda: service.report(one),
        "report as HTML": lambda: service.report(one).to_html(),
        "report with a title": lambda: service.report(seeded.id, title=f"of {one}").to_markdown(),
        "list_workflows": service.list_workflows,
        **_changes_of_a_name(service, one, seeded.other),
    }


def _changes_of_a_name(service: toolkit.UnifiedDataService, one: str, other: str) -> Calls:
    frame = service.query_records(one)
    plan = service.plan_clear(one, "a_*")
    receipts: list[toolkit.Receipt] = []

    def kept(receipt: toolkit.Receipt) -> Any:
        receipts.append(receipt)
        return receipt, receipt.to_dict()

    return {
        "compare": lambda: service.compare(one, other),
        "compared with nothing": lambda: service.compare(one, f"no {one}"),
        "failures": lambda: service.failures(one),
        "frame": lambda: frame,
        "plan_clear": lambda: plan,
        "plan_update": lambda: service.plan_update(one, frame.assign(**{"vars.label": "x"})),
        "an edit of another": lambda: service.plan_update(other, frame.assign(**{"vars.label": "x"})),
        "edits of several": lambda: service.plan_update(other, service.query_records([one, other]), before=frame),
        "apply": lambda: kept(plan.apply(expect=1)),
        "apply again": lambda: plan.apply(expect=1),
        "its receipt": lambda: _receipt_of(lambda: plan.apply(expect=1)),
        "undo": lambda: service.undo(receipts[0]),
        "undo again": lambda: service.undo(receipts[0]),
        "receipt of an undo": lambda: _receipt_of(lambda: service.undo(receipts[0])),
        "undo_last": lambda: service.undo_last(one),
        "delete_record": lambda: kept(service.delete_record(one, "a_1")),
        "retry_failed": lambda: service.retry_failed(one),
        "iterate_records": lambda: service.iterate_records(one, over="nothing", body=print),
        "update_record": lambda: service.update_record(one, "nothing", {"vars.n": 1}),
        "several": lambda: service.get_stats([one, other]),  # type: ignore[arg-type]
        "purge": lambda: service.purge_archive(older_than="0s", workflow_id=one),
        "purged": lambda: service.purge_archive(older_than="0s", workflow_id=one).apply(expect=1),
        "clear_all_variables": lambda: service.clear_all_variables(one),
        "changes": service.changes,
    }


def _receipt_of(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except toolkit.AlreadyDone as error:
        return error.receipt


def errors(service: toolkit.UnifiedDataService, seeded: Seeded, tmp_path: Path) -> Calls:
    """Calls that fail, with a secret in what they are given or in what is stored."""
    one, secret, known = seeded.id, seeded.canaries.named("given"), seeded.canaries.plain("in an address")
    report = tmp_path / "broken.xml"
    report.write_text(f"<testsuite><testcase name='a'><failure message='password={known}'")
    document = {"vars": {"password": secret}}
    written = {"record_id": "new", "data": document, "error_message": f"password={known}"}
    shaped, of_variable = seeded.canaries.shaped("given name"), seeded.known
    ids = [f"b_{of_variable}", f"a_{seeded.canaries.shaped('record_id')}"]
    rows = [{"record_id": name} for name in ids]
    key = f"used {shaped}"
    return {
        **{f"is there: {name}": partial(service.create_record, one, name, mode="create") for name in ids},
        "are there": lambda: service.create_records(one, rows),
        "are twice there": lambda: service.create_records(one, [*rows, *rows], mode="upsert"),
        "are not there": lambda: service.create_records(one, [{"record_id": f"no {shaped}"}], mode="update"),
        "is not there, by name": lambda: service.update_record(one, f"no {of_variable}", {"vars.n": 1}),
        "are not there, by name": lambda: service.update_records(one, {f"no {shaped}": {"vars.n": 1}}),
        "a mask, by name": lambda: service.create_records(one, [{**rows[0], "vars.x": HIDDEN}], mode="upsert"),
        "a mask, by path": lambda: service.update_record(one, ids[0], {f'vars."used {shaped}"': HIDDEN}),
        "a mask, by key": lambda: service.set_variable(one, key, HIDDEN),
        "masks, by key": lambda: service.set_variables(one, {f"of {of_variable}": HIDDEN}),
        "no JSON, by key": lambda: service.set_variable(one, key, object()),
        "not in the schema, by key": lambda: service.set_variable(one, key, 1, {"type": "string"}),
        "key twice": lambda: service.set_variables(one, pd.DataFrame({"key": [key, key], "value": [1, 2]})),
        "no variable": lambda: service.iterate_records(one, over=f"{shaped} list", body=print),
        "no array": lambda: service.iterate_records(one, over="api_token", body=print),
        "bad type": lambda: service.update_record(one, "c_3", {"retry_count": f"of {shaped}"}),
        "bad status": lambda: service.update_record(one, "c_3", {"status": [shaped]}),
        "bad document": lambda: service.create_record(one, "new", data=secret),  # type: ignore[arg-type]
        "another array": lambda: [service.convert_array_to_records(one, [n], run_id=shaped) for n in (1, 2)],
        "a run that is there": lambda: [_imported(partial(_once, service), known, shaped) for _ in range(2)],
        "no workflow of a name": lambda: service.workflow(f"nobody {shaped}"),
        "near a key": lambda: service.iterate_records(one, over=f"{shaped}.lis", body=print),
        "is there": lambda: service.create_record(one, "c_3", data=document, mode="create"),
        "many are there": lambda: service.create_records(one, [{**written, "record_id": "c_3"}]),
        "is not there": lambda: service.update_record(one, "nothing", {"vars.password": secret}),
        "no JSON": lambda: service.set_variable(one, "password", [secret, object()]),
        "no JSON in a record": lambda: service.create_records(one, [{**written, "data": {"password": {1: secret}}}]),
        "too long": lambda: service.create_record(one, "new", f"password={known}" * 10, data=document),
        "a mask": lambda: service.set_variable(one, "login", {"password": secret, "token": HIDDEN}),
        "no path": lambda: service.update_record(one, "c_3", {"nowhere.password": secret}),
        "not in the schema": lambda: service.set_variable(one, "password", secret, {"maxLength": 3}),
        "no such workflow": lambda: service.create_records(str(uuid.UUID(int=7)), [written]),
        "no such table of words": lambda: service.workflow(str(uuid.UUID(int=8))),
        "near a name": lambda: service.workflow("for AKIAFAKE0000"),
        "no option": lambda: service.query_records(one, columns=5),  # type: ignore[call-overload]
        "no report": lambda: service.import_junit(report, run="broken"),
        "no server": lambda: toolkit.connect(f"postgresql://app:{known}@127.0.0.1:1/app"),
        "no address": lambda: toolkit.connect(f"postgresql://app:{known}@[::1/app"),
        "no port": lambda: toolkit.connect(f"postgresql://app:{known}@127.0.0.1:port/app"),
        "no driver": lambda: toolkit.connect(f"nosuch://app:{known}@127.0.0.1/app"),
        "a parameter": lambda: toolkit.connect(f"postgresql://127.0.0.1:1/app?password={known}"),
    }


def _once(service: toolkit.UnifiedDataService, paths: Any, **options: Any) -> Any:
    return service.import_junit(paths, **{**options, "replace": False})


def refused(service: toolkit.UnifiedDataService, seeded: Seeded) -> Calls:
    """Calls that the database refuses, by a trigger that tells the row, and then because a table is gone."""
    one, secret = seeded.id, seeded.canaries.named("refused")
    written = [{"record_id": "new", "data": {"password": secret}, "error_message": f"password={seeded.known}"}]
    return {
        "variable": lambda: service.set_variable(one, "password", secret),
        "records": lambda: service.create_records(one, written),
        "record": lambda: service.update_record(one, "c_3", {"vars.password": secret}),
        "read": lambda: service.query_records(one),
        "read variables": lambda: service.get_all_variables(one),
        "service": lambda: service,
    }


# The tests


@pytest.mark.parametrize("write", [str, json.dumps, html.escape, quote, quote_plus, repr, lambda text: text.lower()])
def test_a_canary_is_found_in_every_form(write: Callable[[str], str]) -> None:
    canaries = Canaries()
    made = [canaries.named("a"), canaries.plain("b"), canaries.shaped("c"), str(canaries.number("d"))]
    for place, secret in zip("abcd", made, strict=True):
        assert canaries.seen_in(f"before {write(secret)} after") == [place]
        for before in ("", "x", "xy", "xyz"):
            encoded = base64.b64encode(f"{before}{secret}".encode()).decode()
            assert canaries.seen_in(f"before {encoded} after")


GROUPS: Final = (reads, conclusions, plans, writes, of_workflow, of_a_name)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_nothing_that_is_shown_holds_a_secret(
    service: toolkit.UnifiedDataService,
    seeded: Seeded,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    group: Callable[[toolkit.UnifiedDataService, Seeded], Calls],
) -> None:
    caplog.set_level(logging.DEBUG)
    with service.trace() as trace:
        leaks = told(group(service, seeded), seeded.canaries)
    leaks |= told(
        {"trace": lambda: trace, "its frame": trace.frame, "parts": lambda: trace.statements}, seeded.canaries
    )
    leaks["log"] = seeded.canaries.seen_in(caplog.text)
    leaks["output"] = seeded.canaries.seen_in("".join(capfd.readouterr()))
    assert {name: seen for name, seen in leaks.items() if seen} == {}


def called(group: Callable[[Any, Any], Calls]) -> set[str]:
    """Return the names of the service that the calls of a group go to, without a database."""
    service, seeded = MagicMock(), MagicMock(canaries=Canaries(), known="known", id="one", other="other", named="named")
    for call in group(service, seeded).values():
        # What a stand-in gives back is no frame and no plan; that the call was made is what counts.
        with contextlib.suppress(Exception):
            call()
    return {name.partition(".")[0].partition("(")[0] for name, _, _ in service.mock_calls}


# The service is closed by every test, and the trace is looked at together with what it traced.
OTHERWISE: Final = {"close", "trace"}


def test_every_public_call_of_the_service_is_looked_at() -> None:
    public = {name for name in dir(toolkit.UnifiedDataService) if not name.startswith("_")}
    assert public - OTHERWISE == set().union(*map(called, GROUPS[:4])) & public


def test_every_public_call_of_a_workflow_is_looked_at(service: toolkit.UnifiedDataService, seeded: Seeded) -> None:
    public = {name for name in dir(toolkit.Workflow) if not name.startswith("_")}
    assert public == set(of_workflow(service, seeded)) - {"workflow"}


def test_every_plot_is_looked_at() -> None:
    made = {name for name in plots.__all__ if name.islower()}
    looked_at = set(re.findall(r"plots\.(\w+)\(", Path(__file__).read_text(encoding="utf-8")))
    assert made <= looked_at


class Echo:
    """A server that refuses every password, and repeats it: worse than any real one."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self._refuse(connection)

    @staticmethod
    def _refuse(connection: socket.socket) -> None:
        # A request for encryption is 8 bytes long, and is answered by "no".
        while len(connection.recv(4096)) == 8:
            connection.sendall(b"N")
        connection.sendall(b"R" + (8).to_bytes(4) + (3).to_bytes(4))
        password = connection.recv(4096)[5:].rstrip(b"\0")
        said = (
            b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed: " + password + b"\0Dit was " + password + b"\0\0"
        )
        connection.sendall(b"E" + (len(said) + 4).to_bytes(4) + said)

    def close(self) -> None:
        self._listener.close()


def test_a_wrong_password_is_not_told_even_where_the_server_repeats_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    canaries, server = Canaries(), Echo()
    password = canaries.plain("password")
    urls = [f"me:{password}@127.0.0.1:{server.port}/app", f"me@127.0.0.1:{server.port}/app?password={password}"]
    calls = {url: partial(toolkit.connect, f"postgresql://{url}") for url in urls}
    assert told(calls, canaries) == {}
    for url in urls:
        with pytest.raises(toolkit.ConnectionFailed, match="password"):
            toolkit.connect(f"postgresql://{url}")
    server.close()
    assert canaries.seen_in(caplog.text) == []


def test_no_error_and_no_log_tells_a_secret(
    database_url: str,
    service: toolkit.UnifiedDataService,
    seeded: Seeded,
    execute: Callable[..., None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with toolkit.connect(database_url) as other:
        leaks = told(errors(other, seeded, tmp_path), seeded.canaries)
        execute(database_url, *_telling_triggers(sqlite="://" not in database_url))
        leaks |= told(refused(other, seeded), seeded.canaries)
        execute(database_url, "DROP TABLE workflow_records", "DROP TABLE workflow_memory")
        leaks |= {f"{name}, gone": seen for name, seen in told(refused(other, seeded), seeded.canaries).items()}
    leaks |= {f"{name}, closed": seen for name, seen in told(refused(other, seeded), seeded.canaries).items()}
    leaks["log"] = seeded.canaries.seen_in(caplog.text)
    assert {name: seen for name, seen in leaks.items() if seen} == {}


def _telling_triggers(*, sqlite: bool) -> Iterator[str]:
    """Have the database refuse every row, and tell it."""
    tables = {"workflow_memory": "value", "workflow_records": "data"}
    for table, column in tables.items():
        for event in ("INSERT", "UPDATE"):
            name = f"tell_{table}_{event}"
            if sqlite:
                action = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
                yield f"CREATE TRIGGER {name} BEFORE {event} ON {table} {action}"
            else:
                body = f"BEGIN RAISE EXCEPTION USING MESSAGE = NEW.{column}::text, DETAIL = NEW.{column}::text; END"
                yield f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"
                yield f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"


def test_a_broken_value_is_not_told(
    database_url: str, service: toolkit.UnifiedDataService, seeded: Seeded, execute: Callable[..., None]
) -> None:
    broken = f'{{"password": "{seeded.canaries.plain("broken")}"'
    statements = [
        f"UPDATE workflow_memory SET value = '{broken}' WHERE key = 'list'",  # noqa: S608 - no value of others
        f"UPDATE workflow_records SET data = '{broken}' WHERE record_id = 'c_3'",  # noqa: S608 - likewise
    ]
    with contextlib.suppress(sa.exc.DBAPIError):
        # A column of type jsonb refuses it.
        execute(database_url, *statements)
    assert told(reads(service, seeded), seeded.canaries) == {}


WITHOUT_DATABASE: Final = ("scan-notebook", "grants")


def test_no_command_prints_a_secret(
    database_url: str,
    service: toolkit.UnifiedDataService,
    seeded: Seeded,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    failure = f'<failure message="password={seeded.known}">{seeded.canaries.shaped("in a report")}</failure>'
    Path("junit.xml").write_text(f'<testsuite name="s"><testcase name="t">{failure}</testcase></testsuite>')
    Path("broken.xml").write_text(f"<testsuite><testcase name='password={seeded.known}'")
    book = [*(str(made) for made in variables(seeded.canaries, seeded.known).values()), f"password = {seeded.known!r}"]
    output = {"output_type": "display_data", "data": {"application/json": variables(seeded.canaries, seeded.known)}}
    cell = {"cell_type": "code", "source": "\n".join(book), "outputs": [output]}
    Path("secrets.ipynb").write_text(json.dumps({"nbformat": 4, "cells": [cell]}))
    Path("broken.ipynb").write_text(f'{{"password": "{seeded.known}')
    change = str(service.changes(seeded.id)["id"].iloc[0])
    taken = ["--id", f"b_{seeded.known}", "--reason", f"it named {seeded.known}", "--yes", "--expect", "1"]
    commands: dict[str, list[list[str]]] = {
        "changes": [[], ["nightly"], ["nowhere"]],
        "undo": [[change], ["nothing"]],
        "clear": [
            ["nightly", "--everything", "--dry-run"],
            ["nightly", "--records", "a_*", "--dry-run"],
            ["nightly", *taken],
            ["nightly", *taken],
            ["nightly"],
        ],
        "workflows": [[]],
        "stats": [["nightly"], ["for AKIAFAKE00"], ["run"]],
        "report": [
            ["nightly", "-o", "nightly.html", "--include", "vars", "--fail-on", "new"],
            ["weekly"],
            ["run"],
            ["nowhere"],
            ["--junit", "junit.xml", "--run", "run", "-o", "site/", "-o", "files.html"],
            ["--junit", "broken.xml"],
        ],
        "import junit": [["junit.xml", "--run", "run", "--create-workflow"], ["broken.xml", "--run", "other"]],
        "demo": [],
        "scan-notebook": [["secrets.ipynb"], ["broken.ipynb"], ["."]],
        "grants": [["--role", "analyst", "--level", level] for level in ("read", "clean", "purge")],
    }
    assert set(commands) == set(_commands(cli.app))
    for name, calls in reversed(commands.items()):
        for arguments in calls:
            for url in (database_url, f"postgresql://app:{seeded.canaries.plain('an address')}@127.0.0.1:1/app"):
                target = [] if name in WITHOUT_DATABASE else ["--url", url]
                monkeypatch.setattr(sys, "argv", ["toolkit", *name.split(), *arguments, *target])
                with contextlib.suppress(SystemExit):
                    cli.main()
    pages = "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("*.html"))
    assert "nightly" in pages
    printed = "".join(capfd.readouterr())
    assert seeded.canaries.seen_in(printed + pages) == []
    assert HIDDEN in pages


def _commands(app: Any, front: str = "") -> Iterator[str]:
    for command in app.registered_commands:
        yield f"{front}{command.name or command.callback.__name__}"
    for group in app.registered_groups:
        yield from _commands(group.typer_instance, f"{front}{group.name} ")


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_notebook_shows_a_secret(path: Path, tmp_path: Path) -> None:
    written = path.read_text(encoding="utf-8")
    book: Any = nbformat.reads(written, as_version=4)  # type: ignore[no-untyped-call]
    client = nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = json.dumps([cell.get("outputs", []) for cell in book.cells])
    assert "email" in outputs
    secrets = re.compile("|".join(["FAKE", *map(re.escape, _encoded("FAKE-"))]))
    assert secrets.findall(re.sub('"image/png": "[^"]*"', "", outputs)) == []
    assert secrets.findall(re.sub('"image/png": "[^"]*"', "", written)) == []


def test_the_demonstration_shows_no_secret(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "toolkit.cli", "demo"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    shown_ = done.stdout + done.stderr + (tmp_path / "toolkit-report.html").read_text(encoding="utf-8")
    assert HIDDEN in shown_
    assert "FAKE" not in shown_
    assert "FAKE" in (demo.data_folder() / "email_triage.json").read_text(encoding="utf-8")


def test_a_cache_and_a_pickle_hold_no_secret(service: toolkit.UnifiedDataService, seeded: Seeded) -> None:
    cached = CachedDataService(service.database)
    keys = list(variables(seeded.canaries, seeded.known))
    for _ in range(2):
        assert told({key: partial(cached.get_variable, seeded.id, key) for key in keys}, seeded.canaries) == {}
    for thing in (service, cached, service.workflow(seeded.id), service.masking.sweeping([seeded.known])):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(thing)


def test_reveal_gives_every_secret_back_exactly(service: toolkit.UnifiedDataService, seeded: Seeded) -> None:
    one, made = seeded.id, variables(seeded.canaries, seeded.known)
    assert service.get_variable(one, "all", reveal=True) == made
    assert {key: service.get_variable(one, key, reveal=True) for key in made} == made
    of_variables = service.get_all_variables(one, reveal=True)
    assert dict(zip(of_variables["key"], of_variables["value"], strict=True)) == made
    assert service.get_data(one, reveal=True).to_dict()["global"] == made
    given = {row["record_id"]: row for row in records(seeded.canaries, seeded.known)}
    documents = {
        row["record_id"]: row for row in frames.to_dicts(service.query_records(one, flatten=False, reveal=True))
    }
    assert documents.keys() == given.keys()
    for name, row in given.items():
        read = service.get_record(one, name, reveal=True)
        assert read is not None
        for whole in (read, documents[name]):
            assert {part: whole[part] for part in row if part in whole} == {
                part: row[part] for part in row if part in whole
            }


def test_reveal_gives_every_secret_back_in_columns(service: toolkit.UnifiedDataService, seeded: Seeded) -> None:
    one, canaries = seeded.id, seeded.canaries
    frame = service.query_records(one, columns="all", reveal=True)
    for part in ("fields", "vars", "targets"):
        row = frame[frame["record_type"] == canaries.shaped("record_type")].iloc[0]
        assert row[f"{part}.api_token"] == canaries.named(f"{part}: by name")
        assert row[f"{part}.passcode"] == canaries.number(f"{part}: number")
        assert row[f"{part}.smtp.password"] == canaries.named(f"{part}: nested")
        assert row[f"{part}.text"] == f"uses {canaries.shaped(f'{part}: text')} today"
    # What a text can hold stands in it as it was given; a canary in every place but those that tables do not have.
    everything = repr(frames.to_dicts(frame)) + repr(list(frame.columns))
    places = [place for place in canaries.places.values() if place.partition(":")[0] in {"fields", "vars", "targets"}]
    assert len(places) == 3 * 17
    assert set(places) <= set(canaries.seen_in(everything))
    some = service.query_records(one, reveal=["fields.api_token"])
    assert list(some["fields.api_token"].dropna()) == list(frame["fields.api_token"].dropna())


def test_programs_of_old_read_plainly_and_show_nothing_in_prompts(
    service: toolkit.UnifiedDataService, seeded: Seeded
) -> None:
    with pytest.warns(DeprecationWarning, match="shows secrets"):
        old = VariableManagementService(service)
    secret = seeded.canaries.named("variable: by name")
    assert old.get_variable(seeded.id, "api_token") == secret
    calls = {
        "prompt": lambda: old.get_formatted_variables(seeded.id),
        "one": lambda: old.format_variable_for_display("api_token", secret),
        "repr": lambda: repr(old),
    }
    assert told(calls, seeded.canaries) == {}
