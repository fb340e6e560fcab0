"""Options that many commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Url = Annotated[
    str | None,
    typer.Option("--url", help="Database URL or path; else TOOLKIT_DATABASE_URL, else ./toolkit.db."),
]
