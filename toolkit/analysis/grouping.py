"""Why: failures grouped by what went wrong, and what made two messages one cause."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2s
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.analysis.common import (
    CAUSE,
    COUNT,
    ERROR_MESSAGE,
    EXAMPLE,
    RECORD_ID,
    RECORD_TYPE,
    SIGNATURE,
    TIME,
    UPDATED_AT,
    column,
    failed,
    need,
    text,
    times,
    types,
)
from toolkit.analysis.near import near, words
from toolkit.columns import NO_TYPE
from toolkit.errors import InvalidOption
from toolkit.signatures import signatures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CauseRules: TypeAlias = Mapping[str, "str | re.Pattern[str]"]
"""Causes by name, each with a text (found in either case) or a compiled regular expression."""

NO_MESSAGE: Final = "no message"
"""The signature of failures that say nothing."""

CAUSE_DTYPES: Final = {
    CAUSE: "str", SIGNATURE: "str", COUNT: "Int64", "share": "Float64", "record_types": "object",
    "first_seen": TIME, "last_seen": TIME, "sample_ids": "object", EXAMPLE: "str", "signatures": "object",
}  # fmt: skip
"""The columns of `causes`, in order."""

EXPLAIN_DTYPES: Final = {
    CAUSE: "str", SIGNATURE: "str", COUNT: "Int64", "messages": "Int64", "overlap": "Float64", "why": "str",
    EXAMPLE: "str",
}  # fmt: skip
"""The columns of `explain`, in order."""

_SAMPLES: Final = 3
_RULE_MARK: Final = "\ue001"  # a private character, so that no message makes the id of a rule


def causes(
    records: pd.DataFrame,
    *,
    rules: CauseRules | None = None,
    known: pd.DataFrame | None = None,
    samples: int | None = _SAMPLES,
) -> pd.DataFrame:
    """Group failures by what went wrong.

    Rules go first: a message that one matches belongs to it. Of any other message the first line of substance is
    taken, and numbers, ids, dates, durations, paths, addresses and quoted text give way to placeholders such as
    ``<number>``; codes of HTTP, of processes and of databases stay: 404 and 503 are two causes. What is the same then
    is one cause, and so are signatures that share most of their words, unless they name another error (`near`).
    Failures without a message are one cause of their own. `explain` says which of these it was.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `record_id`, `record_type`, `status`, `error_message` and `updated_at`.
    rules : mapping of str to str or re.Pattern, optional
        Causes of your own by name: a text, found anywhere in the message in either case, or a compiled regular
        expression. The first that matches counts.
    known : DataFrame, optional
        A former result of `causes`. Its causes keep their ids, and take in what is near to them.
    samples : int, optional
        How many record ids to list per cause; None lists all.

    Returns
    -------
    DataFrame
        One row per cause, the most frequent first: `cause` (`str`: a stable id, the hash of the leading signature, the
        most frequent one), `signature` (`str`: that message with placeholders, at most 200 characters, or the
        name of a rule), `count` (`Int64`), `share` (`Float64`: of all failures, 0 to 1), `record_types` (`object`: a
        list of the types hit, by code point), `first_seen` and `last_seen` (`datetime64[us, UTC]`: of `updated_at`),
        `sample_ids` (`object`: a list of record ids, in the frame's order), `example` (`str`: the whole message of the
        first of them, missing where there is none), `signatures` (`object`: a list of the signatures that are this
        cause, the leading one first).

    Raises
    ------
    InvalidOption
        When a column is missing, or a rule is no text and no compiled expression.

    Examples
    --------
    >>> records = pd.DataFrame({"record_id": ["email_1", "email_2"], "record_type": "email",
    ...     "status": "failed", "error_message": ["Timeout after 30 s", "Timeout after 45 s"],
    ...     "updated_at": pd.Timestamp("2026-01-05 06:00", tz="UTC")})
    >>> causes(records)[["signature", "count", "share", "sample_ids"]]
                        signature  count  share          sample_ids
    0  Timeout after <duration>      2    1.0  [email_1, email_2]
    """
    grouping, failures = _failures(records, rules, known)
    groups = failures.groupby(CAUSE)
    sizes = groups.size()
    hit = failures[[CAUSE, RECORD_TYPE]].drop_duplicates()
    hit = hit.assign(untyped=hit[RECORD_TYPE] == NO_TYPE).sort_values(["untyped", RECORD_TYPE])
    measures = {
        SIGNATURE: grouping.leading_first().drop_duplicates(CAUSE).set_index(CAUSE)["leader"].replace("", NO_MESSAGE),
        COUNT: sizes,
        "share": sizes / max(len(failures), 1),
        "record_types": _lists(hit, RECORD_TYPE),
        "first_seen": groups[UPDATED_AT].min(),
        "last_seen": groups[UPDATED_AT].max(),
        "sample_ids": _lists(failures if samples is None else groups.head(samples), RECORD_ID),
        EXAMPLE: failures.drop_duplicates(CAUSE).set_index(CAUSE)[EXAMPLE],
        "signatures": _lists(grouping.leading_first(), SIGNATURE),
    }
    table = pd.DataFrame(measures).rename_axis(CAUSE).reset_index()
    table = table.sort_values([COUNT, SIGNATURE, CAUSE], ascending=[False, True, True], ignore_index=True)
    return table[list(CAUSE_DTYPES)].astype(CAUSE_DTYPES)


def cause(
    records: pd.DataFrame, *, rules: CauseRules | None = None, known: pd.DataFrame | None = None
) -> pd.Series[str]:
    """Name the cause of each failed record.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `status` and `error_message`.
    rules, known : optional
        As `causes` takes them.

    Returns
    -------
    Series of str
        One value per row of the frame, on its index: the id that `causes` gives for the same frame, missing for
        records that did not fail. It is the hash of the leading signature, so the same in every run, as long as the
        same signature leads; `known=` makes sure of it.

    Raises
    ------
    InvalidOption
        When a column is missing, or a rule is no text and no compiled expression.

    Examples
    --------
    >>> records = pd.DataFrame({"status": ["failed", "complete", "failed"],
    ...                         "error_message": ["Timeout after 30 s", None, "Timeout after 45 s"]})
    >>> cause(records).tolist()
    ['78355b8cf2', nan, '78355b8cf2']
    """
    fell = failed(records)
    messages = text(records, ERROR_MESSAGE, "")[fell]
    named = pd.Series(_group(messages, rules, known).causes(), index=messages.index, dtype="str")
    return named.reindex(fell.index).set_axis(records.index).rename(CAUSE)


def explain(
    records: pd.DataFrame, *, rules: CauseRules | None = None, known: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Say what made messages one cause.

    Parameters
    ----------
    records : DataFrame
        Records, with at least `status` and `error_message`.
    rules, known : optional
        As `causes` takes them.

    Returns
    -------
    DataFrame
        One row per signature, those of one cause together, the most frequent cause first and its leading signature
        first: `cause`, `signature` (`str`), `count` (`Int64`: failures), `messages` (`Int64`: different messages),
        `overlap` (`Float64`: the weight of the words shared with the leading signature, 0 to 1), `why` (`str`: the
        rule, the same signature, or the words in which it differs from the leading one), `example` (`str`: one
        message).

    Raises
    ------
    InvalidOption
        When a column is missing, or a rule is no text and no compiled expression.

    Examples
    --------
    >>> messages = ["no element with label 'a' on page 1", "no element with label 'b' on page 2", "quota exceeded"]
    >>> records = pd.DataFrame({"status": "failed", "error_message": messages})
    >>> explained = explain(records, rules={"quota": "quota"})
    >>> for row in explained.itertuples():
    ...     print(f"{row.signature}: {row.messages} messages, {row.why}")
    no element with label <text> on page <number>: 2 messages, the same once placeholders are put in
    quota: 1 messages, the rule 'quota'
    """
    messages = text(records, ERROR_MESSAGE, "")[failed(records)]
    grouping = _group(messages, rules, known)
    table = grouping.table.copy()
    different = pd.DataFrame({"place": grouping.places, EXAMPLE: messages.to_numpy()})
    table["messages"] = different.groupby("place")[EXAMPLE].nunique()
    table[EXAMPLE] = different.drop_duplicates("place").set_index("place")[EXAMPLE].replace("", None)
    table["why"] = [_why(*row) for row in zip(table[SIGNATURE], table["leader"], table["rule"], strict=True)]
    table[SIGNATURE] = table[SIGNATURE].replace("", NO_MESSAGE)
    table["of_cause"] = table.groupby(CAUSE)[COUNT].transform("sum")
    order = ["of_cause", "leader", CAUSE, "overlap", COUNT, SIGNATURE]
    table = table.sort_values(order, ascending=[False, True, True, False, False, True], ignore_index=True)
    return table[list(EXPLAIN_DTYPES)].astype(EXPLAIN_DTYPES)


@dataclass(frozen=True, slots=True)
class _Grouping:
    """For each message its place in the table of signatures, which has one row per signature."""

    places: NDArray[np.int64]
    table: pd.DataFrame

    def causes(self) -> NDArray[Any]:
        return self.table[CAUSE].to_numpy(dtype=object)[self.places]

    def leading_first(self) -> pd.DataFrame:
        leads = self.table[SIGNATURE] == self.table["leader"]
        by = ["leads", COUNT, SIGNATURE]
        return self.table.assign(leads=leads).sort_values(by, ascending=[False, False, True])


def _failures(
    records: pd.DataFrame, rules: CauseRules | None, known: pd.DataFrame | None
) -> tuple[_Grouping, pd.DataFrame]:
    """Take the failed records, and what `causes` says of each: type, message and cause."""
    need(records, RECORD_ID)
    fell = failed(records).to_numpy()
    messages = text(records, ERROR_MESSAGE, "")[fell]
    grouping = _group(messages, rules, known)
    parts = {
        RECORD_ID: column(records, RECORD_ID)[fell],
        RECORD_TYPE: types(records)[fell],
        UPDATED_AT: times(records, UPDATED_AT)[fell],
        EXAMPLE: messages.where(messages != ""),
        CAUSE: pd.Series(grouping.causes(), index=messages.index, dtype="str"),
    }
    return grouping, pd.DataFrame(parts)


def _group(messages: pd.Series[str], rules: CauseRules | None, known: pd.DataFrame | None) -> _Grouping:
    codes, different = pd.factorize(messages.to_numpy(dtype=object))
    ruled = _by_rule([str(message) for message in different], _checked(rules))
    found = signatures([str(message) for message in different]).to_pylist()
    # A rule and a signature may be spelled alike; the pair tells them apart.
    pairs = [(name, "") if name is not None else (None, text) for name, text in zip(ruled, found, strict=True)]
    inner, kinds = pd.factorize(pd.Series(pairs, dtype="object"))
    places = inner[codes] if len(codes) else codes
    named = [name for name, _ in kinds], [text if name is None else name for name, text in kinds]
    table = pd.DataFrame({"rule": pd.Series(named[0], dtype="object"), SIGNATURE: pd.Series(named[1], dtype="object")})
    table[COUNT] = np.bincount(places, minlength=len(table))
    return _Grouping(places, _merged(table, known))


def _merged(table: pd.DataFrame, known: pd.DataFrame | None) -> pd.DataFrame:
    """Find the leading signature of each, and its cause."""
    ids, former = _known(known)
    plain = table[table["rule"].isna() & (table[SIGNATURE] != "")]
    own = plain.sort_values([COUNT, SIGNATURE], ascending=[False, True])[SIGNATURE].tolist()
    ordered = list(dict.fromkeys([*former, *own]))
    leader, overlap = near(ordered, leaders=len(former))
    of = {text: ordered[place] for text, place in zip(ordered, leader, strict=True)}
    shared = dict(zip(ordered, overlap, strict=True))
    ruled = table["rule"].notna()
    leaders = table[SIGNATURE].map(lambda text: of.get(text, text)).where(~ruled, table[SIGNATURE])
    named = [_cause_id(name, rule, ids) for name, rule in zip(leaders, table["rule"], strict=True)]
    shown = leaders.map(lambda text: former.get(text, text)).where(~ruled, leaders)
    overlaps = table[SIGNATURE].map(lambda text: shared.get(text, 1.0)).where(~ruled, 1.0)
    extra = {
        "leader": shown.astype("object"),
        "overlap": overlaps.astype("float64"),
        CAUSE: pd.Series(named, dtype="str"),
    }
    return table.assign(**extra, place=range(len(table))).set_index("place")


def _known(known: pd.DataFrame | None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the ids of signatures known from before, and which signature led each."""
    if known is None:
        return {}, {}
    need(known, CAUSE, SIGNATURE, "signatures")
    rows = list(zip(known[CAUSE], known[SIGNATURE], known["signatures"], strict=True))
    ids = {text: name for name, _, several in rows for text in several if text}
    return ids, {text: lead for _, lead, several in rows for text in several if text}


def _cause_id(signature: str, rule: str | None, ids: Mapping[str, str]) -> str:
    if rule is None and signature in ids:
        return ids[signature]
    # "" is hashed as it is: a message that reads "no message" is another cause than none.
    named = signature if rule is None else _RULE_MARK + rule
    return blake2s(named.encode(), digest_size=5).hexdigest()


def _checked(rules: CauseRules | None) -> dict[str, re.Pattern[str]]:
    checked: dict[str, re.Pattern[str]] = {}
    for name, rule in (rules or {}).items():
        if not isinstance(rule, str | re.Pattern) or not name or rule == "":
            raise InvalidOption(
                f"the rule {name!r} needs a name, and a text such as 'quota exceeded' or a compiled expression such as "
                "re.compile(r'HTTP 5\\d\\d')"
            )
        checked[name] = re.compile(re.escape(rule), re.IGNORECASE) if isinstance(rule, str) else rule
    return checked


def _by_rule(messages: Sequence[str], rules: Mapping[str, re.Pattern[str]]) -> list[str | None]:
    if not rules:
        return [None] * len(messages)
    return [next((name for name, rule in rules.items() if rule.search(text)), None) for text in messages]


def _why(signature: str, leader: str, rule: str | None) -> str:
    if rule is not None:
        return f"the rule {rule!r}"
    if signature in (leader, ""):
        return "the same once placeholders are put in" if signature else "no message"
    own, others = words(signature), words(leader)
    differs = [word for word in [*own, *others] if (word in own) != (word in others)]
    return f"near: all words but {', '.join(differs)} are shared with the leading one"


def _lists(table: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Collect a column's values per cause, in their order, without a Python step per row."""
    table = table.sort_values(CAUSE, kind="stable")
    sizes = table.groupby(CAUSE).size()
    ends = [0, *sizes.cumsum()]
    lists = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(table[name].tolist(), pa.string()))
    return pd.Series(lists.to_pylist(), index=sizes.index, dtype="object")
