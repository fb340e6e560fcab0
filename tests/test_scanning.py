"""Secrets in notebooks: every part is looked at, what is found is told by its place, and nothing is repeated."""

from __future__ import annotations

import base64
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import MaskingPolicy
from toolkit.errors import ImportFailed
from toolkit.masking import HIDDEN
from toolkit.masking.locating import locate
from toolkit.scanning import Finding, notebook_files, scan_notebook

ROOT: Final = Path(__file__).parents[1]
SECRET: Final = "FAKE-not-a-real-value-0001"
KEY: Final = "AKIA" + "FAKEFAKEFAKE0001"
FRAME: Final = pd.DataFrame(
    {"record_id": ["a_1", "b_2"], "vars.api_token": [SECRET, None], "n": [1, 2], "token_count": [5, 1532]}
)
VARIABLES: Final = pd.DataFrame({"key": ["api_token", "total"], "value": [SECRET, 3]})


def book(*cells: Any, **more: Any) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **more})


def source(*lines: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": list(lines), "outputs": []}


def shown(**data: Any) -> dict[str, Any]:
    output = {"output_type": "display_data", "metadata": {}, "data": {k.replace("_", "/"): v for k, v in data.items()}}
    return {"cell_type": "code", "source": "", "outputs": [{"output_type": "stream", "text": "x"}, output]}


def printed(text: str) -> dict[str, Any]:
    return {"cell_type": "code", "source": "", "outputs": [{"output_type": "stream", "name": "stdout", "text": [text]}]}


def encoded(text: str) -> str:
    return base64.encodebytes(text.encode()).decode()


def attached(kind: str, text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": "", "attachments": {"a.txt": {kind: text}}}


def found(*cells: Any, **more: Any) -> list[Finding]:
    findings = scan_notebook(book(*cells, **more))
    assert not [each for each in findings if SECRET in str(each) or KEY in str(each)]
    return findings


SOURCES: Final = [
    f"password = '{SECRET}'",
    f"password: str = '{SECRET}'",
    f"password: str | None = '{SECRET}'",
    f"token: Final[str] = '{SECRET}'",
    f'password = """{SECRET}"""',
    f"password = r'{SECRET}'",
    f"connect(host='db', password='{SECRET}')",
    f"os.environ['API_TOKEN'] = '{SECRET}'",
    f"os.environ.setdefault('API_TOKEN', '{SECRET}')",
    f"os.getenv('API_TOKEN', '{SECRET}')",
    f"service.set_variable('nightly', 'api_token', '{SECRET}')",
    f"%env API_TOKEN={SECRET}",
    f"%env API_TOKEN {SECRET}",
    f"headers = {{'Authorization': 'Bearer {SECRET}'}}",
    f"requests.get(url, auth=('me', '{SECRET}'))",
    f"engine = create_engine(f'postgresql://app:{SECRET}@db/app')",
    f"!curl -u me:{SECRET} https://example.test",
    f"!mysql -u root -p{SECRET} -h db",
    f"# the password is {SECRET}",
    f"The password is `{SECRET}`.",
    f"key = '{KEY}'",
]


@pytest.mark.parametrize("line", SOURCES)
def test_a_secret_in_a_source_is_found_with_its_cell_and_line(line: str) -> None:
    (only,) = found(source("n = 1"), source("n = 2\n", "m = 3\n", line))
    assert (only.cell, only.part, only.line) == (2, "source", 3)
    assert only.excerpt.endswith(HIDDEN)


OUTPUTS: Final[dict[str, tuple[dict[str, Any], str, int | None]]] = {
    "stream": (printed(f"login\nwith password={SECRET}\n"), "output 1 (text)", 2),
    "text": (shown(text_plain=f"{{'api_token': '{SECRET}'}}"), "output 2 (text/plain)", 1),
    "a frame": (shown(text_plain=repr(FRAME)), "output 2 (text/plain)", 2),
    "a frame, turned": (shown(text_plain=repr(FRAME.T)), "output 2 (text/plain)", 3),
    "variables": (shown(text_plain=repr(VARIABLES)), "output 2 (text/plain)", 2),
    "a series": (shown(text_plain=repr(FRAME.iloc[0])), "output 2 (text/plain)", 2),
    "a frame as HTML": (shown(text_html=FRAME.to_html()), "output 2 (text/html)", 15),
    "a frame as HTML, turned": (shown(text_html=FRAME.T.to_html()), "output 2 (text/html)", 17),
    "variables as HTML": (shown(text_html=VARIABLES.to_html()), "output 2 (text/html)", 13),
    "HTML, escaped": (
        shown(text_html=f"<pre>{{&#x27;password&#x27;: &quot;{SECRET}&quot;}}"),
        "output 2 (text/html)",
        1,
    ),
    "HTML, coloured": (shown(text_html=f"\n<i>password</i><b>=</b><i>'{SECRET}'</i>"), "output 2 (text/html)", 2),
    "an attribute": (shown(text_html=f"\n<a href='https://x.test/?access_token={SECRET}'>"), "output 2 (text/html)", 2),
    "SVG": (shown(**{"image/svg+xml": f"<svg><text>password={SECRET}</text>"}), "output 2 (image/svg+xml)", 1),
    "JSON": (shown(application_json={"smtp": [{"password": SECRET}]}), "output 2 (application/json)", None),
    "a chart": (
        shown(**{"application/vnd.x+json": {"data": [{"api_token": SECRET}]}}),
        "output 2 (application/vnd.x+json)",
        None,
    ),
    "Markdown": (shown(text_markdown=f"password={SECRET}"), "output 2 (text/markdown)", 1),
    "LaTeX": (shown(text_latex=f"password={SECRET}"), "output 2 (text/latex)", 1),
    "JavaScript": (shown(application_javascript=f"var token = '{SECRET}';"), "output 2 (application/javascript)", 1),
    "base64": (
        shown(**{"application/octet-stream": encoded(f"a\npassword={SECRET}")}),
        "output 2 (application/octet-stream)",
        2,
    ),
}


@pytest.mark.parametrize("place", OUTPUTS)
def test_a_secret_in_an_output_is_found_whatever_kind_it_is(place: str) -> None:
    cell, part, line = OUTPUTS[place]
    (only,) = found(cell)
    assert (only.cell, only.part, only.line) == (1, part, line)


def test_a_traceback_is_read_without_its_colours() -> None:
    coloured = ["a", f"\x1b[0;31mpassword\x1b[0m\x1b[0;34m=\x1b[0m\x1b[0;34m'{SECRET}'\x1b[0m"]
    error = {"output_type": "error", "ename": "E", "evalue": f"password={SECRET}", "traceback": coloured}
    findings = found({"cell_type": "code", "source": "", "outputs": [error]})
    assert [(each.part, each.line) for each in findings] == [
        ("output 1 (traceback)", 2),
        ("output 1 (its metadata)", None),
    ]


@pytest.mark.parametrize(
    "cell",
    [
        attached("text/plain", encoded(f"password={SECRET}")),
        attached("text/html", encoded(f"<b>password</b>={SECRET}")),
        attached("application/json", encoded(json.dumps({"api_token": SECRET}))),
        attached("text/plain", base64.b64encode(f"password={SECRET}".encode("utf-16")).decode()),
        attached("text/plain", f"password={SECRET}"),
    ],
    ids=["text", "HTML", "JSON", "UTF-16", "plain"],
)
def test_a_secret_in_an_attachment_is_found(cell: dict[str, Any]) -> None:
    (only,) = found(cell)
    assert only.part.startswith("attachment a.txt (")


def test_a_secret_in_an_embedded_file_is_found() -> None:
    written = base64.b64encode(f"password={SECRET}".encode()).decode()
    (only,) = found({"cell_type": "markdown", "source": f"![a](data:text/plain;base64,{written})"})
    assert only.part == "source, embedded"


def test_a_secret_in_metadata_is_found() -> None:
    of_cell = {"cell_type": "code", "source": "", "outputs": [], "metadata": {"papermill": {"api_token": SECRET}}}
    assert [each.part for each in found(of_cell)] == ["metadata"]
    of_book = found(metadata={"widgets": {"state": [{"password": SECRET}]}})
    assert [(each.cell, each.part, each.excerpt) for each in of_book] == [
        (None, "metadata of the notebook", f"metadata.widgets.state[0].password = {HIDDEN}")
    ]


@pytest.mark.parametrize(
    "content",
    [
        {"cells": [{"cell_type": "code", "source": "", "password": SECRET}]},
        {"cells": [source("x = 1")], "password": SECRET},
        {"cells": [f"password={SECRET}"]},
        {"cells": [{"cell_type": "code", "source": {"password": SECRET}}]},
        {"cells": [{"cell_type": "code", "source": ["a", {"password": SECRET}]}]},
        {"cells": [{"cell_type": "code", "source": "", "outputs": [f"password={SECRET}"]}]},
        {"cells": [{"cell_type": "code", "source": "", "outputs": {"data": {"text/plain": f"password={SECRET}"}}}]},
        {"cells": [{"cell_type": "markdown", "source": "", "attachments": [f"password={SECRET}"]}]},
        {"cells": [{"cell_type": "code", "source": "", "outputs": [{"data": f"password={SECRET}"}]}]},
    ],
    ids=str,
)
def test_what_a_notebook_should_not_hold_is_looked_at_too(content: dict[str, Any]) -> None:
    assert len(scan_notebook(json.dumps(content))) == 1


def test_a_key_that_stands_twice_hides_nothing() -> None:
    text = f'{{"cells": [{{"source": "password={SECRET}", "source": "x = 1"}}]}}'
    assert len(scan_notebook(text)) == 1


def test_the_older_form_is_read_as_well() -> None:
    output = {"output_type": "pyout", "html": [f"<b>password={SECRET}</b>"], "text": ["y"], "prompt_number": 1}
    sheet = {"cells": [{"cell_type": "code", "input": [f"password = '{SECRET}'"], "outputs": [output]}]}
    findings = scan_notebook(json.dumps({"nbformat": 3, "metadata": {}, "worksheets": [sheet]}))
    assert [(each.cell, each.part) for each in findings] == [(1, "source"), (1, "output 1 (html)")]


def test_a_secret_that_one_place_tells_is_found_everywhere() -> None:
    findings = found(source(f"password = '{SECRET}'"), printed(f"sent {SECRET} again"))
    assert [(each.cell, each.kind) for each in findings] == [
        (1, "the value of 'password'"),
        (2, "a secret that is known"),
    ]
    assert findings[1].excerpt == f"sent {HIDDEN}"


def test_what_stands_before_a_secret_is_told_without_other_secrets() -> None:
    findings = found(source(f"a('{KEY}', password='{SECRET}', token='{SECRET}-2')"))
    assert len(findings) == 3
    assert "FAKE" not in "".join(map(str, findings))


HARMLESS: Final = [
    "password = getpass()",
    "token = os.environ['TOKEN']",
    "api_key = settings.api_key",
    f"assert password == '{HIDDEN}'",
    "service.get_variable('nightly', 'api_token', reveal=True)",
    "wf.records(columns=['record_id', 'vars.api_token', 'node4.result'], reveal=['vars.api_token'])",
    "def login(user: str, password: str | None = None) -> Token:",
    "for token in tokens:\n    tokenizer(max_length=5)",
    "key=lambda row: row[0]",
    "token_count = 5",
    "# the token is missing, the password was wrong",
    "policy.explain('token_count', 5)",
]


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_secret_is_no_finding(line: str) -> None:
    assert found(source(line)) == []


def test_masks_and_sealed_values_are_no_finding() -> None:
    frame = pd.DataFrame({"api_token": [HIDDEN, None], "value": [HIDDEN, "x"], "has_password": [True, False]})
    cells = [
        shown(text_html=frame.to_html(), text_plain=repr(frame)),
        shown(text_plain=HIDDEN),
        shown(application_json={"api_token": HIDDEN}),
        printed(f"login with password={HIDDEN}\n- api_token = {HIDDEN}"),
    ]
    assert found(*cells) == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_notebooks_of_the_project_are_clean(path: Path) -> None:
    assert scan_notebook(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"cells": 3}', "3", "[" * 100_000, f'{{"password": "{SECRET}'])
def test_what_is_no_notebook_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ImportFailed) as caught:
        scan_notebook(text)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_policy_of_ones_own_decides() -> None:
    text = book(source("session = 'ab12cd34ef'\n", "customer_no = 'ACC-17'"))
    assert [each.line for each in scan_notebook(text)] == [1]
    assert [each.line for each in scan_notebook(text, MaskingPolicy(extra=("customer_*",), allow=("session",)))] == [2]


# The command


def scan(*paths: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "toolkit.cli", "scan-notebook", *map(str, paths)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("clean", "sub/with_secret", "sub/.ipynb_checkpoints/copy", ".hidden/with_secret"):
        file = tmp_path / f"{name}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(book(source("n = 1" if name == "clean" else f"password = '{SECRET}'")), encoding="utf-8")
    (tmp_path / "notes.txt").write_text(f"password={SECRET}", encoding="utf-8")
    return tmp_path


def test_folders_are_searched_and_hidden_ones_are_not(folder: Path) -> None:
    files = [file.relative_to(folder).as_posix() for file in notebook_files([folder, folder / "notes.txt"])]
    assert files == ["clean.ipynb", "sub/with_secret.ipynb", "sub/.ipynb_checkpoints/copy.ipynb", "notes.txt"]


def test_the_command_says_where_and_exits_with_one_when_there_are_any(folder: Path) -> None:
    done = scan("clean.ipynb", "sub/with_secret.ipynb", folder=folder)
    assert done.returncode == 1
    said = "sub/with_secret.ipynb: cell 1, source, line 1: the value of 'password': password = '[hidden]"
    assert done.stdout == f"{said}\n"
    assert done.stderr == "1 secret in 2 notebooks\n"
    clean = scan("clean.ipynb", folder=folder)
    assert (clean.returncode, clean.stdout) == (0, "")


@pytest.mark.parametrize("arguments", [(), ("nowhere.ipynb",), ("clean.ipynb", "--nothing")], ids=str)
def test_a_wrong_call_exits_with_two(folder: Path, arguments: tuple[str, ...]) -> None:
    assert scan(*arguments, folder=folder).returncode == 2


def test_a_broken_notebook_is_one_line_and_the_others_are_scanned(folder: Path) -> None:
    (folder / "broken.ipynb").write_text(f'{{"password": "{SECRET}', encoding="utf-8")
    (folder / "latin.ipynb").write_bytes(b'{"cells": ["\xe9"]}')
    done = scan("broken.ipynb", "latin.ipynb", "sub/with_secret.ipynb", folder=folder)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: broken.ipynb is no notebook: it is no JSON from line 1 on",
        "error: latin.ipynb is no notebook: it is no text in UTF-8",
        "1 secret in 3 notebooks, 2 of them cannot be read",
    ]
    assert SECRET not in done.stdout + done.stderr


def test_names_can_be_allowed_and_added(folder: Path) -> None:
    assert scan("sub/with_secret.ipynb", "--allow", "password", folder=folder).returncode == 0
    assert scan("clean.ipynb", "--extra", "n", folder=folder).returncode == 1


def test_the_hook_runs_the_command_on_the_files_it_is_given(folder: Path) -> None:
    hook = dict(
        re.findall(r"^[- ] (\w+): (.*)$", (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert (hook["id"], hook["language"], hook["files"]) == ("scan-notebook", "python", r"\.ipynb$")
    program, *arguments = shlex.split(hook["entry"])
    assert program == "toolkit"
    assert arguments == ["scan-notebook"]
    assert scan("clean.ipynb", "sub/with_secret.ipynb", folder=folder).returncode == 1


# Rules


@given(
    st.lists(
        st.sampled_from(
            [
                f"password={SECRET}",
                '{"api_token": "FAKE-1"}',
                '["Authorization", "Bearer FAKE-2"]',
                KEY,
                "{",
                "\n",
                " ordinary words ",
                '"',
                "https://me:FAKE-3@host/",
                HIDDEN,
            ]
        ),
        max_size=8,
    ).map("".join)
)
def test_there_are_places_exactly_where_the_mask_changes_a_text(text: str) -> None:
    policy = MaskingPolicy()
    places = locate(policy, text)
    assert bool(places) == (policy.mask_text(text) != text)
    assert all(0 <= place.start <= place.end <= len(text) for place in places)
    assert places == sorted(places)


def test_hostile_outputs_take_linear_time() -> None:
    # A quadratic way through one of these would take minutes.
    size = 200_000
    for text in (
        "=" * size,
        "<" * size,
        "[{" * (size // 2),
        'password="""' * (size // 120),
        "token  token\n" * (size // 60),
    ):
        scan_notebook(book(printed(text), shown(text_html=text)))
