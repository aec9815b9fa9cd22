"""Debian's Chromium, and a desk to look at. With MUNSHI_PICTURES set to a folder, the pictures are kept there."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.world import World

_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update"),
    *("--disable-background-networking", "--disable-sync"),
)


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(_QUIET))
        yield chromium
        chromium.close()


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    """As a newcomer meets it: nothing was ever fired."""
    with World.closed(tmp_path) as untouched:
        untouched.sandbox.start()
        untouched.outside_is_there()
        untouched.web.start()
        untouched.desk.start()
        untouched.is_ready()
        yield untouched


class Pictures:
    """Takes a picture under a name; only kept where somebody asked for them."""

    def __init__(self, scratch: Path) -> None:
        self._folder = Path(os.environ.get("MUNSHI_PICTURES", scratch))

    def take(self, page: Page, name: str, *, full_page: bool = False) -> None:
        page.screenshot(path=self._folder / f"{name}.png", full_page=full_page, animations="disabled")


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path)
