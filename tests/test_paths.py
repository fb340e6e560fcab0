"""One grammar for places in a document: what is joined is parsed again, and everything else is an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import paths
from toolkit.errors import InvalidPath
from toolkit.paths import Path

keys = st.text(st.sampled_from('ab."[]+\\ \n\té😀/-_') | st.characters(), max_size=6)
segments = st.lists(keys, min_size=1, max_size=5).map(tuple)


@given(segments)
def test_what_is_joined_is_parsed_again(keys: tuple[str, ...]) -> None:
    text = paths.join(keys)
    assert paths.parse(text) == Path(keys)
    assert str(paths.parse(text)) == text


@given(segments)
def test_an_append_is_kept_apart_from_the_last_key(keys: tuple[str, ...]) -> None:
    path = Path(keys, append=True)
    assert paths.parse(str(path)) == path
    assert paths.parse(str(path)).append


@given(segments, segments)
def test_two_places_never_have_one_name(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert (paths.join(one) == paths.join(other)) == (one == other)


@given(st.text(st.sampled_from('ab.."[]+\\u0041'), max_size=10))
def test_any_text_is_a_path_or_an_error_and_a_path_has_one_spelling(text: str) -> None:
    try:
        path = paths.parse(text)
    except InvalidPath:
        return
    assert path.segments
    assert paths.parse(str(path)) == path


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("vars.label", ("vars", "label")),
        ('fields."a.b"', ("fields", "a.b")),
        ('fields."plain"', ("fields", "plain")),
        ('fields.""', ("fields", "")),
        ('""', ("",)),
        (r'fields."\u0041\n"', ("fields", "A\n")),
        ('fields."[+]"', ("fields", "[+]")),
        ("fields.X-Header", ("fields", "X-Header")),
        ("fields. a ", ("fields", " a ")),
        ("fields.a+b", ("fields", "a+b")),
        ("fields.a\\b", ("fields", "a\\b")),
        ("fields.0", ("fields", "0")),
        ("fields.é😀", ("fields", "é😀")),
    ],
)
def test_a_path_is_read_as_it_looks(text: str, keys: tuple[str, ...]) -> None:
    assert paths.parse(text) == Path(keys)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("subject", "subject"),
        ("a b", "a b"),
        ("", '""'),
        ("a.b", '"a.b"'),
        ("a[0]", '"a[0]"'),
        ("[+]", '"[+]"'),
        ('say "x"', r'"say \"x\""'),
        ("a.\n", r'"a.\n"'),
        ("é.😀", '"é.😀"'),
    ],
)
def test_a_key_is_quoted_only_where_it_must_be(key: str, text: str) -> None:
    assert paths.segment(key) == text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", 1),
        (".", 1),
        (".a", 1),
        ("a.", 3),
        ("a..b", 3),
        ('a"b', 2),
        ('"a"b', 4),
        ('"a', 1),
        (r'a."\x"', 3),
        ('a."\n"', 3),
        ("[+]", 1),
        ("a[+].b", 2),
        ("a.[+]", 3),
        ("a[+][+]", 2),
        ("a[0]", 2),
        ("a]", 2),
    ],
)
def test_text_outside_the_grammar_is_refused_with_its_place(text: str, place: int) -> None:
    with pytest.raises(InvalidPath, match=rf"is no path: see character {place}\. Segments are joined by dots"):
        paths.parse(text)


@pytest.mark.parametrize("text", [None, 5, ("a", "b"), b"a"])
def test_what_is_no_text_is_no_path(text: Any) -> None:
    with pytest.raises(InvalidPath, match=f"a path is text such as 'vars.label', not {type(text).__name__}"):
        paths.parse(text)


@pytest.mark.parametrize(
    ("one", "other", "contained"),
    [
        ("fields", "fields.a", True),
        ("fields.a", "fields.a", True),
        ("fields.a", 'fields."a".b', True),
        ("history", "history[+]", True),
        ("fields.a", "fields", False),
        ("fields.a", "fields.ab", False),
        ("fields.a", 'fields."a.b"', False),
    ],
)
def test_a_path_contains_itself_and_what_lies_below(one: str, other: str, *, contained: bool) -> None:
    assert paths.parse(one).contains(paths.parse(other)) is contained


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("data.note", ("note",)),
        ("data.note.data", ("note", "data")),
        ("data.data", ("data",)),
        ("fields.data", ("fields", "data")),
        ("vars.x", ("vars", "x")),
    ],
)
def test_only_the_data_in_front_is_no_key_of_the_document(text: str, keys: tuple[str, ...]) -> None:
    assert paths.parse(text).in_document == keys
