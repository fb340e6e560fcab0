"""What a notebook says beneath a frame: counted when it is shown, and about the toolkit's frames only."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

import toolkit
from toolkit import notebook

CELL = """
import pandas as pd
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
import toolkit

service = toolkit.connect(":memory:", create=True)
rows = [{"record_id": f"a_{n}", "vars.api_token": "FAKE-0001", "fields.n": n} for n in range(3)]
service.create_records("nightly", rows)
show = lambda frame: shell.display_formatter.format(frame)[0]["text/html"].splitlines()[-1]
"""


def shown(*expressions: str) -> list[str]:
    """Evaluate expressions in an IPython of their own, and return the last line of what it shows for each."""
    script = CELL + "\n".join(f"print(show({expression}))" for expression in expressions)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


def test_a_notebook_says_how_many_rows_of_how_many_and_what_is_hidden() -> None:
    frame = 'service.query_records("nightly"{})'
    assert shown(
        frame.format(""),
        frame.format(", limit=2"),
        frame.format("") + ".head(1)",
        frame.format(", reveal=True"),
        frame.format("")[:-1] + ")[lambda df: df['fields.n'] > 5]",
        'service.get_all_variables("nightly")',
    ) == [
        "</div><p>3 rows; 3 values hidden in 1 column</p>",
        "</div><p>2 of 3 rows; 2 values hidden in 1 column</p>",
        "</div><p>1 of 3 rows; 1 value hidden in 1 column</p>",
        "</div><p>3 rows</p>",
        "</div><p>0 of 3 rows</p>",
        "</div><p>0 rows</p>",
    ]


def test_frames_of_others_are_shown_as_ever() -> None:
    assert shown('pd.DataFrame({"a": ["[hidden]"]})', "pd.Series([1]).to_frame()") == ["</div>", "</div>"]


def test_outside_a_notebook_nothing_is_loaded_for_one() -> None:
    script = "import sys, toolkit; toolkit.connect(':memory:', create=True); sys.exit('IPython' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("frame", "counts"),
    [
        (pd.DataFrame(), (0, 0)),
        (pd.DataFrame({"a": ["[hidden]", None, "x"], "n": [1, 2, 3]}), (1, 1)),
        (pd.DataFrame({"a": ["x [hidden] y [hidden]"], "b": [["[hidden]", {"c": "[hidden]"}]]}), (4, 2)),
        (pd.DataFrame({"a": pd.Series(["[hidden]", "x"], dtype="category")}), (1, 1)),
        (pd.DataFrame({"a": pd.array(["[hidden]", None], dtype="string[pyarrow]")}), (1, 1)),
        (pd.DataFrame([["[hidden]", "[hidden]"]], columns=["a", "a"]), (2, 2)),
    ],
)
def test_hidden_values_are_counted_wherever_they_stand(frame: pd.DataFrame, counts: tuple[int, int]) -> None:
    before = frame.copy(deep=True)
    assert notebook.hidden_in(frame) == counts
    pd.testing.assert_frame_equal(frame, before)


def test_a_limit_announces_the_total(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    service.create_records(workflow_id, [{"record_id": f"a_{n}"} for n in range(5)])
    assert service.query_records(workflow_id, limit=2).attrs["total"] == 5
    assert service.query_records(workflow_id, "a_1,a_2", limit=1).attrs["total"] == 2
    assert service.query_records(workflow_id, limit=5).attrs["total"] == 5
    assert service.query_records(workflow_id, limit=9).attrs["total"] == 5
    assert service.query_records(workflow_id).attrs["total"] == 5
    assert service.query_records(workflow_id, limit=0).attrs["total"] == 5
