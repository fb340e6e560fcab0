"""Profiles: databases by name, in a TOML file of the user's, without passwords.

The file is `config.toml` in the platform's place for settings (`~/.config/toolkit/` on Linux)::

    [profiles.production]
    url = "postgresql://analyst@db.example.com/app"
    read_only = true
    production = true                     # every plan wants expect=
    reveal = "never"                      # secrets are not shown, whatever a call asks for
    masking.extra = ["customer_no"]       # names that are hidden as well
    masking.allow = ["session"]           # names that are not
    masking.rules = {account = "ACC-[0-9]+"}  # what is hidden in any text
    masking.hide_paths = ["fields.body"]  # places hidden whole

A password comes from where libpq looks for one: `PGPASSWORD`, `.pgpass`, a service file.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import platformdirs

from toolkit.errors import TargetError

if TYPE_CHECKING:
    from pathlib import Path

_KEYS: Final = ("url", "read_only", "production", "reveal", "masking")
_MASKING: Final = ("extra", "allow", "hide_paths")
_RULES: Final = "rules"
NEVER: Final = "never"


@dataclass(frozen=True, slots=True)
class Profile:
    """One database of the settings file.

    Attributes
    ----------
    name : str
        What `connect` is given.
    url : str
        A URL or a path, without a password.
    read_only : bool
        Refuse every write.
    production : bool
        Every plan wants `expect=`.
    reveals : bool
        Whether secrets are shown when a call asks for them.
    extra, allow : tuple of str
        Names that are hidden as well, and names that are not; see `MaskingPolicy`.
    rules : tuple of tuple of str
        Names of rules, and their regular expressions.
    hide_paths : tuple of str
        Places hidden whole.
    """

    name: str
    url: str
    read_only: bool = False
    production: bool = False
    reveals: bool = True
    extra: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    hide_paths: tuple[str, ...] = ()


def settings_file() -> Path:
    """Return where the profiles stand on this platform.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> settings_file().name
    'config.toml'
    """
    return platformdirs.user_config_path("toolkit") / "config.toml"


def find_profile(name: str, file: Path | None = None) -> Profile | None:
    """Find a profile by its name.

    Parameters
    ----------
    name : str
        What `connect` was given.
    file : pathlib.Path, optional
        The settings file; the platform's own when left out.

    Returns
    -------
    Profile or None
        None when the file, or the profile in it, is not there.

    Raises
    ------
    TargetError
        When the file is no TOML, or the profile holds what a profile cannot hold.
    """
    found = _profiles(file or settings_file()).get(name)
    return None if found is None else _profile(name, found)


def near_profiles(name: str, file: Path | None = None) -> str:
    """Say which profiles there are, the nearest name first; empty when there are none.

    Parameters
    ----------
    name : str
        What `connect` was given.
    file : pathlib.Path, optional
        The settings file; the platform's own when left out.

    Returns
    -------
    str
    """
    known = list(_profiles(file or settings_file()))
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean the profile {near[0]!r}?"
    return f"; profiles are {', '.join(known)}" if known else ""


def _profiles(file: Path) -> Mapping[str, Any]:
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TargetError(f"the settings file {file} is no TOML: {type(error).__name__}") from None
    profiles = settings.get("profiles", {})
    if not isinstance(profiles, Mapping):
        raise TargetError(f"in the settings file {file}, profiles stand under [profiles.NAME]")
    return profiles


def _profile(name: str, found: Any) -> Profile:
    if not isinstance(found, Mapping) or not isinstance(found.get("url"), str):
        raise TargetError(f"profile {name!r} needs a url, without a password")
    unknown = [key for key in found if key not in _KEYS]
    if unknown:
        raise TargetError(f"profile {name!r} has no setting {unknown[0]!r}; settings are {', '.join(_KEYS)}")
    if found.get("reveal", NEVER) != NEVER:
        raise TargetError(f'profile {name!r}: reveal is "never", or left out')
    masking = _masking(name, found.get("masking", {}))
    return Profile(
        name,
        found["url"],
        read_only=_flag(name, found, "read_only"),
        production=_flag(name, found, "production"),
        reveals="reveal" not in found,
        rules=_rules(name, found.get("masking", {})),
        **masking,
    )


def _flag(name: str, found: Mapping[str, Any], key: str) -> bool:
    value = found.get(key, False)
    if not isinstance(value, bool):
        raise TargetError(f"profile {name!r}: {key} is true or false")
    return value


def _masking(name: str, found: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(found, Mapping) or any(key not in (*_MASKING, _RULES) for key in found):
        raise TargetError(f"profile {name!r}: masking takes the lists {', '.join(_MASKING)} and the table {_RULES}")
    lists = {key: found.get(key, []) for key in _MASKING}
    if not all(isinstance(names, list) and all(isinstance(each, str) for each in names) for names in lists.values()):
        raise TargetError(f"profile {name!r}: masking.{', masking.'.join(_MASKING)} are lists of names")
    return {key: tuple(names) for key, names in lists.items()}


def _rules(name: str, found: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    rules = found.get(_RULES, {})
    if not isinstance(rules, Mapping) or not all(isinstance(text, str) for text in rules.values()):
        raise TargetError(f"profile {name!r}: masking.{_RULES} is a table of regular expressions, each with a name")
    return tuple(rules.items())
