"""Where a run comes from: branch, commit and address, as the two common build services say them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ORIGIN: Final = ("branch", "commit", "url")
"""What is known of a run's origin, by the names it has in the variable `run`."""

_GITHUB: Final = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")


def origin(
    branch: str | None = None,
    commit: str | None = None,
    url: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Say where a run comes from.

    Parameters
    ----------
    branch, commit, url : str, optional
        What the caller knows; it goes first.
    environment : mapping of str to str, optional
        The variables of a build: `GITHUB_*`, or GitLab's `CI_*` where `GITLAB_CI` is set. By default those of this
        process.

    Returns
    -------
    dict of str to str
        Of `branch`, `commit` and `url` those that are known.

    Examples
    --------
    >>> origin(branch="main", environment={"GITLAB_CI": "true", "CI_COMMIT_SHA": "4f1c", "CI_COMMIT_REF_NAME": "fix"})
    {'branch': 'main', 'commit': '4f1c'}
    """
    found = os.environ if environment is None else environment
    said = _gitlab(found) if found.get("GITLAB_CI") else _github(found)
    given = dict(zip(ORIGIN, (branch, commit, url), strict=True))
    known = {name: given[name] or said.get(name) for name in ORIGIN}
    return {name: value for name, value in known.items() if value}


def _github(environment: Mapping[str, str]) -> dict[str, str | None]:
    server, repository, number = map(environment.get, _GITHUB)
    url = f"{server}/{repository}/actions/runs/{number}" if server and repository and number else None
    # For a pull request the head is the branch, and the name of the reference a number.
    branch = environment.get("GITHUB_HEAD_REF") or environment.get("GITHUB_REF_NAME")
    return {"branch": branch, "commit": environment.get("GITHUB_SHA"), "url": url}


def _gitlab(environment: Mapping[str, str]) -> dict[str, str | None]:
    branch = environment.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or environment.get("CI_COMMIT_REF_NAME")
    url = environment.get("CI_PIPELINE_URL") or environment.get("CI_JOB_URL")
    return {"branch": branch, "commit": environment.get("CI_COMMIT_SHA"), "url": url}
