"""The demonstration: example data, carried with the toolkit, in the embedded database."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolkit import jsonvalue
from toolkit.errors import ImportFailed, InvalidOption

if TYPE_CHECKING:
    from types import ModuleType

    from toolkit.service import UnifiedDataService, Workflow

WORKFLOW: Final = "email-triage"
"""The workflow of the demonstration; a re-run night of an e-mail triage."""

RUNS: Final = ("toolkit-tests-1", "toolkit-tests-2", "toolkit-tests-3")
"""Three test runs of the toolkit's own suite."""

_PACKAGE: Final = Path(__file__).parent


def data_folder() -> Path:
    """Return where the example data is: inside an installed package, or beside it in a checkout.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> (data_folder() / "email_triage.json").is_file()
    True
    """
    installed = _PACKAGE / "example_data"
    return installed if installed.is_dir() else _PACKAGE.parent / "examples" / "data"


def fill(service: UnifiedDataService) -> list[str]:
    """Put the example data into a database; what is there already stays as it is.

    Parameters
    ----------
    service : UnifiedDataService
        Of a database that may be written.

    Returns
    -------
    list of str
        Ids of the workflows that were made now.

    Examples
    --------
    >>> import toolkit
    >>> service = toolkit.connect(":memory:", create=True)
    >>> fill(service)
    ['email-triage', 'toolkit-tests-1', 'toolkit-tests-2', 'toolkit-tests-3']
    >>> fill(service)
    []
    """
    there = set(service.list_workflows()["workflow_id"])
    made = [name for name in (WORKFLOW, *RUNS) if name not in there]
    if WORKFLOW in made:
        _fill_workflow(service)
    for run in RUNS:
        if run in made:
            service.import_junit(data_folder() / "junit" / run, run=run)
    return made


def _fill_workflow(service: UnifiedDataService) -> None:
    document = jsonvalue.decode((data_folder() / "email_triage.json").read_text(encoding="utf-8"))
    _write(service, WORKFLOW, document)


def make_run(
    service: UnifiedDataService, workflow_id: str = WORKFLOW, *, records: int = 60, failed: int = 8, seed: int = 1
) -> Workflow:
    """Play a run of the example workflow into a database, of any size.

    Parameters
    ----------
    service : UnifiedDataService
        Of a database that may be written.
    workflow_id : str, default "email-triage"
        The workflow to make.
    records : int, default 60
        How many records.
    failed : int, default 8
        How many of them failed.
    seed : int, default 1
        Of amounts, sizes and durations. The same numbers make the same records, with the defaults those of the
        demonstration; what is unlike from database to database are the times of variables.

    Returns
    -------
    Workflow

    Raises
    ------
    InvalidOption
        When more should fail than there are.
    RecordExists
        When the workflow has such records already.

    Examples
    --------
    >>> import toolkit
    >>> service = toolkit.connect(":memory:", create=True)
    >>> make_run(service, records=100, failed=12).stats().by_status["failed"]
    12
    """
    if not 0 <= failed <= records:
        raise InvalidOption(f"failed={failed} is no part of records={records}; give 0 to {records}")
    _write(service, workflow_id, _script().make_workflow(records, failed, seed))
    return service.workflow(workflow_id)


@functools.cache
def _script() -> ModuleType:
    """Load the script that made the example data; it stands beside their folder, in a wheel as in a checkout."""
    spec = importlib.util.spec_from_file_location("toolkit_make_data", data_folder().parent / "make_data.py")
    if spec is None or spec.loader is None:
        raise ImportFailed("the script make_data.py of the example data is not there; install the toolkit again")
    script = importlib.util.module_from_spec(spec)
    # Its dataclasses look for their own module.
    sys.modules[spec.name] = script
    spec.loader.exec_module(script)
    return script


def _write(service: UnifiedDataService, workflow_id: str, document: dict[str, Any]) -> None:
    with service.database.write():
        service.set_variables(workflow_id, {row["key"]: row["value"] for row in document["variables"]})
        service.create_records(workflow_id, document["records"])
