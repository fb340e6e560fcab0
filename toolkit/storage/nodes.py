"""The nodes of a workflow, as far as loops are concerned; the table is the engine's own, and only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from toolkit import jsonvalue
from toolkit.errors import CorruptValue
from toolkit.loops import Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.storage.variables import VariableStorage

ITERATE: Final = "iterate"
"""The type of a node that loops."""


def read_nodes(variables: VariableStorage, workflow_ids: Sequence[str]) -> list[Node] | None:
    """Read the nodes of workflows.

    Parameters
    ----------
    variables : VariableStorage
        Of the database.
    workflow_ids : sequence of str
        Their ids, literally.

    Returns
    -------
    list of Node or None
        By workflow and position; None where the database has no table of nodes.
    """
    nodes = variables.database.tables.nodes
    if nodes is None:
        return None
    workflow = sa.cast(nodes.c.workflow_id, sa.Text)
    # The settings of other nodes can be large, and say nothing about loops.
    config = sa.case((nodes.c.type == ITERATE, variables.dialect.json_text(nodes.c.config)))
    alias = nodes.c.alias if "alias" in nodes.c else sa.null()
    statement = sa.select(workflow, nodes.c.position, nodes.c.type, config, alias).order_by(workflow, nodes.c.position)
    with variables.database.read() as connection:
        rows = connection.execute(statement.where(variables.dialect.text_is_any_of(workflow, workflow_ids))).all()
    return [Node(owner, position, kind == ITERATE, _over(text), name) for owner, position, kind, text, name in rows]


def _over(config: str | None) -> str | None:
    try:
        settings = jsonvalue.decode(config) if config else None
    except CorruptValue:
        return None
    over = settings.get("over") if isinstance(settings, dict) else None
    return over if isinstance(over, str) else None
