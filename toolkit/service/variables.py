"""The calls about variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from toolkit import columns, frames, jsonvalue
from toolkit.errors import InvalidValue
from toolkit.masking import Secret
from toolkit.model import Receipt, VariableChange, VariableFilter
from toolkit.service.base import Reveal, ServiceBase, of_workflows
from toolkit.service.telling import hushed
from toolkit.storage.base import WorkflowId, WorkflowIds, encode_for_writing, literally, refuse_mask
from toolkit.storage.variables import check_key

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.jsonvalue import JSONValue
    from toolkit.masking import View
    from toolkit.patterns import PatternLike

ALL: Final = "all"
"""The key that stands for every variable in `get_variable`."""

_MISSING: Final = object()


def _holds_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list | dict) and '"' in jsonvalue.encode_exact(value))


class VariableCalls(ServiceBase):
    """Read and write the variables of a workflow."""

    def get_all_variables(
        self,
        workflow_id: WorkflowIds,
        *,
        pattern: PatternLike | None = None,
        keys: Iterable[str] | None = None,
        contains: str | None = None,
        node: int | None = None,
        category: str | None = None,
        reveal: Reveal = False,
    ) -> pd.DataFrame:
        """Return variables as a DataFrame.

        Parameters
        ----------
        workflow_id : str, list of str, or pattern
            One workflow, several, or a pattern such as `"nightly-*"`.
        pattern : str or list of str, optional
            Of keys, in the wildcard language (`*`, `?`, commas).
        keys : iterable of str, optional
            Literal keys; an empty list gives an empty frame.
        contains : str, optional
            A part of the key; ASCII letters match in either case.
        node : int, optional
            Position of a node: `node4`, `node4.…` and `node4@…`, never `node40`.
        category : {"iteration", "node", "custom"}, optional
            One category of keys.
        reveal : bool or sequence of str, default False
            Show secrets: all of them, or those of some keys.

        Returns
        -------
        pandas.DataFrame
            One row per variable, ordered by key: `key, type, category` (`str`), `value` (`object`: the JSON value),
            `created_at, updated_at` (`datetime64[us, UTC]`). With several workflows, `workflow_id` stands in front.
            `type` is string, number, boolean, array, object or null.

        Raises
        ------
        InvalidPattern, InvalidOption

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variables("nightly", {"total": 3, "api_token": "FAKE-0001"})
        >>> service.get_all_variables("nightly")[["key", "value", "type"]]
                 key     value    type
        0  api_token  [hidden]  string
        1      total         3  number
        """
        selection = VariableFilter.of(pattern, keys=keys, contains=contains, node=node, category=category)
        table = self.variables.query(workflow_id, selection)
        # All variables tell all secrets by themselves.
        view = self._view(reveal, None if selection == VariableFilter() else workflow_id)
        self._note(view, len(table))
        return self._seen(masked_ids(frames.variables(of_workflows(table, workflow_id), view), view))

    def get_variable(
        self, workflow_id: WorkflowId, key: str, default: Any = None, *, reveal: Reveal = False
    ) -> JSONValue | Secret:
        """Return the value of one variable.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        key : str
            The variable. `"all"` gives a dict of every variable; `service.variables.read` reads one of that name.
        default : object, optional
            What to return when there is no such variable; `0`, `False`, `""` and `None` come back as they are.
        reveal : bool or sequence of str, default False
            Show secrets: all of them, or those of some keys.

        Returns
        -------
        JSON value or Secret
            A `Secret` when the key is sensitive and `reveal` is not True: `.reveal()` opens it.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variables("nightly", {"total": 0, "api_token": "FAKE-0001"})
        >>> service.get_variable("nightly", "total", default=5)
        0
        >>> service.get_variable("nightly", "api_token")
        [hidden]
        """
        if key == ALL:
            return self._all_variables(workflow_id, reveal=reveal)
        value = self.variables.read(workflow_id, check_key(key), _MISSING)
        if value is _MISSING:
            return default
        # What holds no text can hold no secret of another variable.
        view = self._view(reveal, workflow_id if _holds_text(value) else None)
        if view.policy is None or view.shows(key):
            self._note(view, 1)
            return value
        return Secret(value) if view.policy.hides(key, value) else view.policy.mask(value, key)

    def _all_variables(self, workflow_id: WorkflowId, *, reveal: Reveal) -> dict[str, JSONValue]:
        one = self._one(workflow_id, f"get_variable(…, {ALL!r})")
        view = self._view(reveal)
        frame = frames.variables(self.variables.query(literally(one)), view)
        self._note(view, len(frame))
        return dict(zip(frame["key"], frame["value"], strict=True))

    def set_variable(
        self,
        workflow_id: WorkflowId,
        key: str,
        value: JSONValue,
        schema: Mapping[str, Any] | None = None,
        reason: str | None = None,
        *,
        keep_iterations: bool = False,
        literal: bool = False,
        archive: bool = True,
    ) -> VariableChange:
        """Create a variable or replace its value.

        Iteration variables of every iterate node that loops over it are stale then, and move to the archive in the
        same transaction; a value that stays the same removes nothing.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        key : str
            The variable, at most 255 characters.
        value : JSON value
            Its new value.
        schema : dict, optional
            A JSON Schema that the value must satisfy (Draft 2020-12 unless `$schema` says otherwise).
        reason : str, optional
            Why; it is given back, and stands in the list of changes when iteration variables go.
        keep_iterations : bool, default False
            Leave stale iteration variables where they are.
        literal : bool, default False
            Write text that holds `[hidden]` as it is.
        archive : bool, default True
            Keep stale iteration variables so that they can be brought back.

        Returns
        -------
        VariableChange
            `success, key, value` (masked when sensitive), `reason, removed`; secrets in keys and texts are masked, too.

        Raises
        ------
        InvalidValue
            When the value does not satisfy the schema, or JSON cannot hold it.
        HiddenValue
            When the value, or the key, holds a mask.
        ArchiveMissing
            When iteration variables would go and there is nowhere to keep them.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.set_variable("nightly", "total", 3).value
        3
        """
        with hushed(self, workflow_id):
            if schema is not None:
                from toolkit import validation  # noqa: PLC0415 - jsonschema is only loaded when it is used

                validation.check(value, schema, f"variable {key!r}")
            text = encode_for_writing(value, f"variable {_key(key, literal=literal)!r}", literal=literal)
            removed = self._write(
                workflow_id, {key: text}, reason=reason, keep_iterations=keep_iterations, archive=archive
            )
        shown = self.masking.mask(jsonvalue.decode(text), key)
        name, *gone = map(self.masking.mask_text, (key, *removed))
        why = reason if reason is None else self.masking.mask_text(reason)
        return VariableChange(success=True, key=name, value=shown, reason=why, removed=tuple(gone))

    def set_variables(
        self,
        workflow_id: WorkflowId,
        mapping_or_frame: Mapping[str, Any] | pd.DataFrame,
        *,
        literal: bool = False,
        archive: bool = True,
    ) -> dict[str, int]:
        """Create or replace many variables, in one transaction; stale iteration variables go as in `set_variable`.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        mapping_or_frame : mapping or pandas.DataFrame
            Values by key, or a frame with the columns `key` and `value`.
        literal : bool, default False
            Write text that holds `[hidden]` as it is.
        archive : bool, default True
            Keep stale iteration variables so that they can be brought back.

        Returns
        -------
        dict
            `{"variables": number}`.

        Raises
        ------
        InvalidValue, HiddenValue
            Naming the key; nothing is written then.
        ArchiveMissing
            When iteration variables would go and there is nowhere to keep them.

        Examples
        --------
        >>> import toolkit
        >>> toolkit.connect(":memory:", create=True).set_variables("nightly", {"a": 1, "b": [2]})
        {'variables': 2}
        """
        with hushed(self, workflow_id):
            values = mapping_or_frame if isinstance(mapping_or_frame, Mapping) else _of_frame(mapping_or_frame)
            texts = {
                _key(key, literal=literal): encode_for_writing(value, f"variable {key!r}", literal=literal)
                for key, value in values.items()
            }
            self._write(workflow_id, texts, archive=archive)
        return {"variables": len(texts)}

    def _write(
        self,
        workflow_id: WorkflowId,
        texts: Mapping[str, str],
        *,
        reason: str | None = None,
        keep_iterations: bool = False,
        archive: bool = True,
    ) -> tuple[str, ...]:
        """Write variables, move the iteration variables that are stale now to the archive, and name them."""
        with self.database.write():
            changed = [] if keep_iterations else self._changed(workflow_id, texts)
            self.variables.write(workflow_id, texts)
            positions = self.variables.iterate_references(workflow_id, *changed)
            stale = [key for key in self.variables.stale_keys(workflow_id, positions) if key not in texts]
            self.variables.remove_keys(workflow_id, stale, reason=reason, archive=archive)
        return tuple(stale)

    def _changed(self, workflow_id: WorkflowId, texts: Mapping[str, str]) -> list[str]:
        former = self.variables.texts(workflow_id, list(texts))
        return [
            key
            for key, text in texts.items()
            if former.get(key) is None or not jsonvalue.same(jsonvalue.decode(former[key]), jsonvalue.decode(text))
        ]

    def delete_variable(
        self, workflow_id: WorkflowId, key: str, *, reason: str | None = None, archive: bool = True
    ) -> Receipt:
        """Move one variable to the archive.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        key : str
            The variable.
        reason : str, optional
            Why, for the list of changes.
        archive : bool, default True
            Keep the row so that it can be brought back.

        Returns
        -------
        Receipt
            `variables` is 0 when there was no such variable.

        Raises
        ------
        ArchiveMissing
            When there is nowhere to keep the row.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> service.delete_variable("nightly", "total").variables
        0
        """
        return self._receipt(self.variables.delete(workflow_id, key, reason=reason, archive=archive))

    def clear_all_variables(
        self, workflow_id: WorkflowId, *, reason: str | None = None, archive: bool = True
    ) -> Receipt:
        """Move all variables of a workflow to the archive.

        Parameters
        ----------
        workflow_id : str
            The workflow.
        reason : str, optional
            Why, for the list of changes.
        archive : bool, default True
            Keep the rows so that they can be brought back.

        Returns
        -------
        Receipt

        Raises
        ------
        ArchiveMissing
            When there is nowhere to keep the rows.

        Examples
        --------
        >>> import toolkit
        >>> service = toolkit.connect(":memory:", create=True)
        >>> change = service.set_variable("nightly", "total", 3)
        >>> service.clear_all_variables("nightly").variables
        1
        """
        return self._receipt(self.variables.delete_all(workflow_id, reason=reason, archive=archive))


def masked_ids(frame: pd.DataFrame, view: View) -> pd.DataFrame:
    """Hide what is secret in the ids of workflows, where a frame is about several.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of variables.
    view : View
        What of it is hidden.

    Returns
    -------
    pandas.DataFrame
        The same frame when nothing is.
    """
    if view.policy is None or columns.WORKFLOW_ID not in frame or view.shows(columns.WORKFLOW_ID):
        return frame
    ids = frame[columns.WORKFLOW_ID]
    shown = {name: view.policy.mask_text(name) for name in ids.unique()}
    hidden = any(name != text for name, text in shown.items())
    return frame.assign(**{columns.WORKFLOW_ID: ids.map(shown).astype(frames.TEXT)}) if hidden else frame


def _key(key: object, *, literal: bool) -> str:
    """Check the key of a variable that is about to be written: a masked one would be another variable."""
    checked = check_key(key)
    if not literal:
        refuse_mask(checked, f"the key {checked!r}")
    return checked


def _of_frame(frame: pd.DataFrame) -> dict[str, Any]:
    if not hasattr(frame, "columns"):
        raise InvalidValue(f"variables are given as a dict or as a frame, not as {type(frame).__name__}")
    missing = {"key", "value"}.difference(frame.columns)
    if missing:
        raise InvalidValue(f"a frame of variables has the columns key and value; this one lacks {', '.join(missing)}")
    if frame["key"].duplicated().any():
        raise InvalidValue(f"key {frame['key'][frame['key'].duplicated()].iloc[0]!r} stands in the frame twice")
    return dict(zip(frame["key"], frames.plain_values(frame["value"]), strict=True))
