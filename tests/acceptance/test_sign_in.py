"""A desk that signs in by a link: real processes, a browser's way through Dhan's page, and a terminal."""

import os
import pty
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from core.sandbox.dhan.login import OTHER_ACCOUNT
from core.settings import PaperAccount
from tests.world import World
from tests.world.processes import ROOT

BY_LINK = {"DHAN_API_KEY": PaperAccount.API_KEY, "DHAN_API_SECRET": PaperAccount.API_SECRET}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    with World.closed(tmp_path_factory.mktemp("by-link"), env=BY_LINK) as world:
        world.sandbox.start()
        world.outside_is_there()
        world.web.start()
        world.desk.start()
        yield world


def the_link(world: World) -> str:
    def newest() -> str | None:
        urls = [button["url"] for message in world.phone.messages() for button in message["buttons"] if "url" in button]
        return urls[-1] if urls else None

    return world.until(newest, "the desk sends a link")


def signs_in(link: str, account: str = PaperAccount.CLIENT_ID) -> httpx.Response:
    """As a browser does it: open the link, press Dhan's button, come back."""
    with httpx.Client(trust_env=False) as browser:
        at_dhan = browser.get(link).headers["location"]
        back = browser.post(at_dhan, data={"account": account})
        return browser.get(back.headers["location"])


def munshi_token(world: World, token: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | BY_LINK | {"PYTHONPATH": str(ROOT), "MUNSHI_DATA_DIR": str(world.settings.munshi_data_dir)}
    environment["SANDBOX_PORT"] = str(world.settings.sandbox_port)
    command = [sys.executable, "-m", "core", "token"]
    return subprocess.run(command, input=token, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_orders_wait_for_the_sign_in_and_go_out_once(world: World) -> None:
    assert world.until(lambda: world.health()["holds"].get("signed_out"), "the desk is signed out")
    link = the_link(world)
    answer = world.fire(prefer_no_wait=True)
    wrong = signs_in(link, OTHER_ACCOUNT)
    assert (wrong.status_code, "Wrong account" in wrong.text) == (403, True)
    assert world.placements() == 0
    assert "link" in world.phone.ask("/login")
    page = signs_in(the_link(world))
    assert (page.status_code, "Signed in" in page.text) == (200, True)
    world.phone.card_shows(answer["alert_id"], "Filled", seconds=10)
    assert world.placements() == 1
    assert "by a link in the chat" in world.phone.ask("/token")
