"""Commands that keep secrets where they belong."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.grants import Level  # noqa: TC001 - likewise

if TYPE_CHECKING:
    from toolkit.masking import MaskingPolicy


def register(app: typer.Typer) -> None:
    """Add the commands to the application.

    Parameters
    ----------
    app : typer.Typer
        The command `toolkit`.
    """
    app.command("scan-notebook")(scan_notebook)
    app.command("grants")(grants)


def scan_notebook(
    paths: Annotated[
        list[Path], typer.Argument(exists=True, metavar="PATH", help="Notebooks, and folders to search for them.")
    ],
    allow: Annotated[
        list[str] | None, typer.Option(help="A name that tells no secret here; may be given several times.")
    ] = None,
    extra: Annotated[
        list[str] | None, typer.Option(help="A name that tells one here; may be given several times.")
    ] = None,
) -> None:
    """List the secrets in notebooks: in sources, outputs, metadata and attachments. They are not repeated.

    Exits with 1 when there are any, or a notebook cannot be read.

    Example: toolkit scan-notebook notebooks/
    """
    from toolkit import printing  # noqa: PLC0415 - a command loads only what it needs
    from toolkit.masking import MaskingPolicy  # noqa: PLC0415
    from toolkit.scanning import notebook_files  # noqa: PLC0415

    policy = MaskingPolicy(extra=tuple(extra or ()), allow=tuple(allow or ()))
    files = list(notebook_files(paths))
    found = [_scanned(path, policy) for path in files]
    secrets = sum(number for number in found if number is not None)
    if all(number == 0 for number in found):
        printing.message(f"no secrets in {len(files):,} notebook{'' if len(files) == 1 else 's'}")
        return
    broken = found.count(None)
    unread = f", {broken:,} of them cannot be read" if broken else ""
    printing.message(
        f"{secrets:,} secret{'' if secrets == 1 else 's'} in {len(files):,} notebook{'' if len(files) == 1 else 's'}"
        + unread
    )
    raise typer.Exit(1)


def _scanned(path: Path, policy: MaskingPolicy) -> int | None:
    """Print what one notebook holds, and return how much; None when it cannot be read."""
    from toolkit import printing  # noqa: PLC0415
    from toolkit.errors import ImportFailed  # noqa: PLC0415
    from toolkit.scanning import scan_notebook as scan  # noqa: PLC0415

    name = policy.mask_text(str(path))
    try:
        found = scan(path.read_text(encoding="utf-8"), policy)
    except ImportFailed as error:
        printing.message(f"error: {name} is no notebook: {error}")
        return None
    except UnicodeDecodeError:
        printing.message(f"error: {name} is no notebook: it is no text in UTF-8")
        return None
    except OSError as error:
        printing.message(f"error: {name} cannot be read: {error.strerror}")
        return None
    for each in found:
        printing.line(" ".join(f"{name}: {each}".split()))
    return len(found)


def grants(
    role: Annotated[str, typer.Option(help="Name of the role; it is made where it is not there.")],
    level: Annotated[Level, typer.Option(help="What it may do.")],
    schema: Annotated[str, typer.Option(help="Where the tables are.")] = "public",
) -> None:
    """Print the SQL that gives a PostgreSQL role its rights. It is not run: read it, and give it to the owner.

    `read` sees everything and changes nothing. `clean` also writes, clears and takes back what it cleared. `purge` also
    forgets what the archive keeps.

    Example: toolkit grants --role analyst --level read
    """
    from toolkit import printing  # noqa: PLC0415
    from toolkit.grants import statements  # noqa: PLC0415

    printing.line(statements(role, level, schema=schema))
