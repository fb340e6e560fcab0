"""Notebook forms: one Jinja environment that escapes everything, because a database's text is hostile."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2  # noqa: PLC0415 - not needed until something is shown

    return jinja2.Environment(
        loader=jinja2.PackageLoader("toolkit", "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )


def render(template: str, **values: Any) -> str:
    """Render one of the templates in `toolkit/templates`.

    Parameters
    ----------
    template : str
        Its file name.
    **values
        What it shows; every text is escaped.

    Returns
    -------
    str
        HTML without scripts.
    """
    return _environment().get_template(template).render(**values)
