"""A sealed value shows itself to nobody who does not ask."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import io
import json
import logging
import pickle
import pprint
import reprlib
import string
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from toolkit.masking import HIDDEN, Secret

FAKE = "FAKE-not-a-real-value-0001"


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret(FAKE)
    assert secret.reveal() is FAKE
    for text in (repr(secret), str(secret), f"{secret}", f"{secret:>12}", f"{[secret]}", "%s" % secret):  # noqa: UP031
        assert FAKE not in text
        assert HIDDEN in text
    assert [name for name in dir(secret) if not name.startswith("_")] == ["reveal"]
    assert not hasattr(secret, "__dict__")


def test_a_secret_is_equal_to_itself_alone_and_has_no_order_and_no_length() -> None:
    secret = Secret(FAKE)
    assert secret == secret  # noqa: PLR0124
    assert secret != Secret(FAKE)
    text: Any = FAKE
    assert secret != text
    for attempt in (lambda: secret < Secret(FAKE), lambda: len(secret)):  # type: ignore[operator, arg-type]
        with pytest.raises(TypeError):
            attempt()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_cannot_be_pickled_changed_or_written_as_json(protocol: int) -> None:
    secret = Secret(FAKE)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret, protocol)
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(secret)
    with pytest.raises(AttributeError):
        secret._value = "x"
    with pytest.raises(AttributeError):
        del secret._value
    assert copy.deepcopy([secret])[0] is secret


def everything_pandas_writes(secret: Secret) -> list[str]:
    frame = pd.DataFrame({"a": [secret, secret], "n": [1, 2]})
    frame.attrs["secret"] = secret
    series = frame["a"]
    told = [
        frame.to_csv(),
        frame.to_html(),
        frame.to_string(),
        frame.to_json(),
        repr(frame),
        frame.to_latex(index=False),
    ]
    told += [str(frame.to_dict()), str(frame.attrs), series.to_json(), str(series.to_list()), str(frame.describe())]
    told += [frame.to_json(default_handler=str), str(series.astype("str").tolist()), str(series.astype("category"))]
    told += [
        str(frame.set_index("a").index),
        str(frame.to_numpy()),
        str(frame.groupby("a").sum()),
    ]
    told += [
        str(frame.copy(deep=True).merge(frame, on="n")),
        str(series.map(str).tolist()),
        frame.to_xml(parser="etree"),
    ]
    told += [str(frame.pivot_table(index="n", values="a", aggfunc="first")), str(pd.concat([frame, frame.T]))]
    return told


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_nothing_that_pandas_writes_holds_a_sealed_value() -> None:
    told = everything_pandas_writes(Secret(FAKE))
    assert not [text for text in told if "FAKE" in text]
    for write in (pickle.dumps, lambda frame: frame.to_parquet(io.BytesIO())):
        with pytest.raises((TypeError, pa.ArrowException)) as caught:
            write(pd.DataFrame({"a": [Secret(FAKE)]}))
        assert FAKE not in "".join(traceback.format_exception(caught.value))


@dataclasses.dataclass
class Settings:
    token: Secret
    names: list[Secret]


def test_nothing_that_python_says_of_a_sealed_value_holds_it() -> None:
    secret = Secret(FAKE)
    holder = Settings(secret, [secret])
    told = [repr(holder), str(dataclasses.asdict(holder)), str(dataclasses.astuple(holder)), pprint.pformat(holder)]
    told += [f"{secret!r:>20}", ascii(secret), "{:^12}".format(secret), string.Template("$a").substitute(a=secret)]  # noqa: UP032
    told += [
        json.dumps({"a": secret}, default=str),
        str(inspect.getmembers(secret)),
        str(dir(secret)),
        repr({secret: secret}),
    ]
    told += [reprlib.repr(secret), str(copy.copy(secret)), str(copy.deepcopy(holder)), str(sys.getsizeof(secret))]
    assert not [text for text in told if "FAKE" in text]
    assert sys.getsizeof(secret) == sys.getsizeof(Secret("x" * 1_000))
    record = logging.LogRecord("a", 10, "b", 1, "%s %r", (secret, secret), None)
    assert "FAKE" not in record.getMessage()


def test_a_sealed_value_cannot_be_opened_made_again_or_inherited_from() -> None:
    secret = Secret(FAKE)
    again: Any = secret.__init__
    again("other")
    assert secret.reveal() is FAKE
    attempts: list[Callable[[Any], object]] = [vars, len, iter, bytes, int, float]
    for attempt in attempts:
        with pytest.raises(TypeError):
            attempt(secret)
    with pytest.raises(TypeError, match="cannot be pickled"):
        secret.__reduce__()
    with pytest.raises(TypeError, match="inherit"):
        type("Other", (Secret,), {})
    joins: list[Callable[[Any], object]] = [lambda one: one + "", lambda one: "" + one, "-".join]
    for join in joins:
        with pytest.raises(TypeError) as caught:
            join(secret)
        assert "FAKE" not in str(caught.value)
