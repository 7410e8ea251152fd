"""A real browser for tests of pages: Debian's chromium, driven by playwright, with nothing that calls home."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A running browser.

    Of a module, not of the session: while it runs, playwright holds the thread's event loop, and ``asyncio.run`` in
    another module would be refused.
    """
    if not CHROMIUM.exists():
        reason = "needs Debian's chromium: apt-get install chromium"
        if os.environ.get("HYPOGRAPH_TEST_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()
