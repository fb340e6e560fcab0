"""A real browser without a screen: the system's own Chromium. `pytest -m browser` runs what is in this folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.visiting import Visitor

QUIET = ["--disable-gpu", "--disable-quic", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "the browser suite needs the command chromium; on Debian: apt-get install chromium"
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses to run for root.
        launched = playwright.chromium.launch(executable_path=chromium, args=QUIET, chromium_sandbox=os.geteuid() != 0)
        yield launched
        launched.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    made = Visitor(browser)
    yield made
    for context in made.contexts:
        context.close()
