"""The demonstration: example data, carried with the toolkit, in the embedded database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolkit import jsonvalue

if TYPE_CHECKING:
    from toolkit.service import UnifiedDataService

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
    with service.database.write():
        service.set_variables(WORKFLOW, {row["key"]: row["value"] for row in document["variables"]})
        service.create_records(WORKFLOW, document["records"])
