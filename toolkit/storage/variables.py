"""The variables: one JSON value per workflow and key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from toolkit import columns, jsonvalue, keys
from toolkit.model import VariableFilter
from toolkit.storage import bulk
from toolkit.storage.archive import Removal
from toolkit.storage.base import BaseStorage, WorkflowId, WorkflowIds, encode_for_writing, only_workflow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from toolkit.jsonvalue import JSONValue
    from toolkit.storage.dialects import Column, Condition

_DIGITS = "0123456789"
_ONE = "_one_workflow"


class VariableStorage(BaseStorage):
    """The table `workflow_memory`."""

    name = "key"
    _made: tuple[sa.Table, sa.Select[Any]] | None = None

    @property
    def table(self) -> sa.Table:
        """The table this storage is about."""
        return self.database.tables.variables

    def create(self, workflow_id: WorkflowId, name: str, value: Any, *, literal: bool = False) -> None:
        """Create a variable, or replace its value; `updated_at` moves.

        Parameters
        ----------
        workflow_id, name : str
            The workflow, and the variable's key.
        value : JSON value
            Its new value.
        literal : bool, default False
            Write text that holds `[hidden]` as it is.

        Raises
        ------
        InvalidValue, HiddenValue
        """
        key = check_key(name)
        self.write(workflow_id, {key: encode_for_writing(value, f"variable {key!r}", literal=literal)})

    update = create

    def read(self, workflow_id: WorkflowId, name: str, default: JSONValue = None, *, lock: bool = False) -> JSONValue:
        """Read one value.

        Parameters
        ----------
        workflow_id, name : str
            The workflow, and the variable's key.
        default : object, optional
            What to return when there is no such variable.
        lock : bool, default False
            Keep other writers from it until the transaction ends.

        Returns
        -------
        JSON value
            The real value: a storage masks nothing.

        Raises
        ------
        CorruptValue
            When the stored text is no JSON.
        """
        statement = sa.select(*self.select("value")).where(self.row(workflow_id, name))
        with self.database.read() as connection:
            found = connection.execute(statement.with_for_update() if lock else statement).first()
        if found is None:
            return default
        return None if found.value is None else jsonvalue.decode(found.value)

    def query(self, workflow_ids: WorkflowIds, selection: VariableFilter | None = None) -> pa.Table:
        """Read variables.

        Parameters
        ----------
        workflow_ids : str, iterable of str, or Pattern
            One workflow, several, or a pattern.
        selection : VariableFilter, optional
            Which of their variables; all when left out.

        Returns
        -------
        pyarrow.Table
            Columns `workflow_id, key, value` (JSON text), `type, category, created_at, updated_at`, ordered by
            workflow and key.
        """
        statement = (
            sa.select(
                *self.select(columns.WORKFLOW_ID, "key", "value"),
                self.dialect.json_type(self.table.c.value).label("type"),
                self.category().label("category"),
                *self.select("created_at", "updated_at"),
            )
            .where(self.condition(workflow_ids, selection))
            .order_by(*(self.dialect.by_code_point(self.table.c[name]) for name in (columns.WORKFLOW_ID, "key")))
        )
        with self.database.read() as connection:
            return bulk.fetch(connection, statement)

    def write(self, workflow_id: WorkflowId, texts: Mapping[str, str]) -> None:
        """Create or replace many variables.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        texts : mapping of str to str
            JSON text by key.
        """
        insert = self.dialect.insert(self.table).values(
            {
                columns.WORKFLOW_ID: sa.bindparam("_workflow_id", type_=self.table.c.workflow_id.type),
                "key": sa.bindparam("_key", type_=sa.Text),
                "value": self.dialect.json_value(self.table.c.value, "_value"),
                "created_at": self.dialect.now(),
                "updated_at": self.dialect.now(),
            }
        )
        upsert = insert.on_conflict_do_update(
            index_elements=[columns.WORKFLOW_ID, "key"],
            set_={"value": insert.excluded.value, "updated_at": insert.excluded.updated_at},
        )
        checked = self.workflow_id(workflow_id)
        # Always in one order: two writers of the same keys then wait for each other instead of deadlocking.
        rows = [{"_workflow_id": checked, "_key": key, "_value": texts[key]} for key in sorted(texts)]
        with self.database.write() as connection:
            bulk.insert_many(connection, upsert, rows)

    def removal(self, workflow_id: WorkflowId, condition: Condition, kind: str, **why: Any) -> Removal:
        """Describe the removal of variables."""
        return Removal(self.workflow_id(workflow_id), kind, variables=condition, **why)

    def count(self, workflow_ids: WorkflowIds) -> list[tuple[str, str, int]]:
        """Count variables by type and category, in the database.

        Parameters
        ----------
        workflow_ids : str, iterable of str, or Pattern
            One workflow, several, or a pattern.

        Returns
        -------
        list of (type, category, count)
        """
        one = only_workflow(workflow_ids)
        values = {} if one is None else {_ONE: self.workflow_id(one)}
        statement = self._counting(self.in_workflows(workflow_ids)) if one is None else self._counting_one()
        with self.database.read() as connection:
            return [(row.type, row.category, row.count_) for row in connection.execute(statement, values)]

    def _counting(self, condition: Condition) -> sa.Select[Any]:
        kinds = [self.dialect.json_type(self.table.c.value).label("type"), self.category().label("category")]
        inner = sa.select(*kinds).where(condition).subquery()
        groups = (inner.c.type, inner.c.category)
        return sa.select(*groups, sa.func.count().label("count_")).group_by(*groups).order_by(*groups)

    def _counting_one(self) -> sa.Select[Any]:
        """Make the statement for one workflow once: to make it takes longer than to run it on a small table."""
        made = self._made
        if made is None or made[0] is not self.table:
            workflow = self.table.c.workflow_id
            made = self._made = (self.table, self._counting(workflow == sa.bindparam(_ONE, type_=workflow.type)))
        return made[1]

    def condition(self, workflow_ids: WorkflowIds, selection: VariableFilter | None = None) -> Condition:
        """Return the condition that a filter stands for.

        Parameters
        ----------
        workflow_ids : str, iterable of str, or Pattern
            One workflow, several, or a pattern.
        selection : VariableFilter, optional
            Which of their variables; all when left out.

        Returns
        -------
        SQLAlchemy condition
        """
        conditions = [self.in_workflows(workflow_ids)]
        chosen = selection or VariableFilter()
        if chosen.pattern is not None:
            conditions.append(self.dialect.matches(self.name_column, chosen.pattern))
        if chosen.keys is not None:
            conditions.append(self.dialect.text_is_any_of(self.name_column, chosen.keys))
        if chosen.contains is not None:
            conditions.append(self.dialect.contains(self.name_column, chosen.contains))
        if chosen.node is not None:
            conditions.append(self._of_node(chosen.node))
        if chosen.category is not None:
            conditions.append(self.category() == chosen.category)
        return sa.and_(*conditions)

    def _of_node(self, position: int) -> Condition:
        node = f"node{position}"
        begins = [sa.func.substr(self.name_column, 1, len(node) + 1) == node + mark for mark in ".@"]
        return sa.or_(self.name_column == node, *begins)

    def category(self) -> Column:
        """Return the expression of a variable's category, the same on every database; see `keys.category`."""
        key = self.name_column
        mark = self.dialect.position(key, keys.ITERATION_MARK)
        suffix = sa.func.substr(key, mark + len(keys.ITERATION_MARK), type_=sa.Text)
        colons = sa.func.length(suffix) - sa.func.length(sa.func.replace(suffix, ":", ""))
        pairs = sa.and_(
            mark > 1,
            sa.func.ltrim(suffix, _DIGITS + ":") == "",
            # No number is missing: not in front, not at the end, not between; and they come in pairs.
            self.dialect.position(sa.literal(":") + suffix + ":", "::") == 0,
            colons % 2 == 1,
        )
        rest = sa.func.substr(key, len("node") + 1, type_=sa.Text)
        after = sa.func.ltrim(rest, _DIGITS, type_=sa.Text)
        node = sa.and_(
            sa.func.substr(key, 1, len("node")) == "node",
            after != rest,
            sa.or_(after == "", sa.func.substr(after, 1, 1).in_([".", "@"])),
        )
        return sa.case((pairs, "iteration"), (node, "node"), else_="custom")

    def pairs(self, workflow_ids: WorkflowIds) -> list[tuple[str, str | None]]:
        """Read keys and JSON texts of all variables, plainly: to be looked through, not to be shown.

        Parameters
        ----------
        workflow_ids : str, iterable of str, or Pattern
            One workflow, several, or a pattern.

        Returns
        -------
        list of tuple
        """
        statement = sa.select(*self.select("key", "value")).where(self.in_workflows(workflow_ids))
        with self.database.read() as connection:
            return [(row.key, row.value) for row in connection.execute(statement)]

    def texts(self, workflow_id: WorkflowId, some: Sequence[str]) -> dict[str, str]:
        """Read the JSON text of some variables, and keep other writers from them until the transaction ends.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        some : sequence of str
            Their keys.

        Returns
        -------
        dict of str to str
            By key; without those that are not there.
        """
        condition = self.rows(workflow_id, some)
        statement = sa.select(*self.select("key", "value")).where(condition).order_by("key").with_for_update()
        with self.database.write() as connection:
            return {row.key: row.value for row in connection.execute(statement) if row.value is not None}

    def iterate_references(self, workflow_id: WorkflowId, *some: str) -> list[int]:
        """Find the iterate nodes that loop over one of some variables.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        *some : str
            Keys of variables.

        Returns
        -------
        list of int
            Positions of the nodes whose `config.over` is `key`, `state.key`, `{{key}}` or `{{key.…}}`; empty where
            the database has no table of nodes.
        """
        nodes = self.database.tables.nodes
        if nodes is None or not some:
            return []
        statement = sa.select(nodes.c.position, self.dialect.json_text(nodes.c.config)).where(
            nodes.c.workflow_id == self.workflow_id(workflow_id), nodes.c.type == "iterate"
        )
        with self.database.read() as connection:
            rows = connection.execute(statement).all()
        return sorted(position for position, config in rows if _loops_over(config, some))

    def stale_keys(self, workflow_id: WorkflowId, positions: Iterable[int]) -> list[str]:
        """Find the iteration variables of iterate nodes, at any depth of nesting.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        positions : iterable of int
            Of the iterate nodes.

        Returns
        -------
        list of str
            Keys whose parsed suffix holds one of the positions.
        """
        wanted = set(positions)
        if not wanted:
            return []
        statement = sa.select(self.name_column).where(self.in_workflow(workflow_id), self.category() == "iteration")
        with self.database.read() as connection:
            found = [(key, keys.iteration(key)) for key in connection.scalars(statement)]
        return sorted(key for key, parsed in found if parsed and wanted.intersection(parsed.positions))

    def remove_keys(
        self, workflow_id: WorkflowId, stale: list[str], *, reason: str | None = None, archive: bool = True
    ) -> None:
        """Move stale iteration variables to the archive.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        stale : list of str
            Their keys.
        reason : str, optional
            Why, for the list of changes.
        archive : bool, default True
            Keep the rows so that they can be brought back.
        """
        if stale:
            condition = self.rows(workflow_id, stale)
            self.archive.remove(self.removal(workflow_id, condition, "stale", reason=reason), archive=archive)


def _loops_over(config: str | None, some: Iterable[str]) -> bool:
    settings = jsonvalue.decode(config) if config else None
    source = settings.get("over") if isinstance(settings, dict) else None
    if not isinstance(source, str):
        return False
    template = re.fullmatch(r"\{\{\s*(.*?)\s*\}\}", source.strip(), re.DOTALL)
    name = template[1] if template else source.strip()
    forms = [form for key in some for form in (key, f"state.{key}")]
    return name in forms or (template is not None and name.startswith(tuple(form + "." for form in forms)))


def check_key(key: object) -> str:
    """Check the key of a variable before it is written.

    Parameters
    ----------
    key : str
        At least one character, at most 255.

    Returns
    -------
    str

    Raises
    ------
    InvalidValue

    Examples
    --------
    >>> check_key("node4.result")
    'node4.result'
    """
    return jsonvalue.check_text(key, "variable key", limit=jsonvalue.MAXIMUM_NAME, empty=False)
