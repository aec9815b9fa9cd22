"""A desk that signs in by a link: real processes, a browser's way through Dhan's page, and a terminal."""

import json
import os
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

OVER = "The link that stood here is over."
BY_LINK = {"DHAN_API_KEY": PaperAccount.API_KEY, "DHAN_API_SECRET": PaperAccount.API_SECRET}


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    with World.closed(tmp_path, env=BY_LINK) as world:
        world.sandbox.start()
        world.outside_is_there()
        world.web.start()
        world.desk.start()
        world.web_is_there()
        yield world


def the_link(world: World, used: str = "") -> str:
    """The newest, and none that was used."""

    def newest() -> str | None:
        return next((url for url in reversed(links(world)) if url != used), None)

    return world.until(newest, "the desk sends a link")


def links(world: World) -> list[str]:
    """Those that can be tapped, oldest first."""
    return [button["url"] for message in world.phone.messages() for button in message["buttons"] if "url" in button]


class Browser:
    """One phone's: opens links, presses Dhan's button, comes back. Remembers what passed through its address bar."""

    def __init__(self) -> None:
        self.secrets: list[str] = []

    def signs_in(self, link: str, account: str = PaperAccount.CLIENT_ID) -> httpx.Response:
        with httpx.Client(trust_env=False, verify=False) as http:
            at_dhan = http.get(link).headers["location"]
            back = http.post(at_dhan, data={"account": account}).headers["location"]
            self.secrets.append(httpx.URL(back).params["tokenId"])
            return http.get(back)


def munshi_token(world: World, token: str) -> subprocess.CompletedProcess[str]:
    environment = (
        os.environ | BY_LINK | {"PYTHONPATH": str(ROOT), "MUNSHI_DATA_DIR": str(world.settings.munshi_data_dir)}
    )
    environment["SANDBOX_PORT"] = str(world.settings.sandbox_port)
    command = [sys.executable, "-m", "core", "token"]
    return subprocess.run(
        command, input=token, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def dhan(world: World, method: str, path: str, **body: object) -> httpx.Response:
    """Behind the broker's back."""
    return httpx.request(
        method, f"{world.settings.sandbox_url}/dhan/sandbox{path}", json=body, trust_env=False, verify=False
    )


def asks(world: World) -> list[str]:
    """Messages that ring for a sign-in; the answer to /login does not."""
    return [m["text"] for m in world.phone.messages() if "Not signed in at Dhan" in m["text"] and m["buttons"]]


def told(world: World, words: str) -> int:
    return sum(words in message["text"] for message in world.phone.messages())


def is_signed_out(world: World) -> bool:
    return "signed_out" in world.health()["holds"]


def test_orders_wait_for_the_sign_in_and_go_out_once(world: World) -> None:
    world.until(lambda: is_signed_out(world), "the desk is signed out")
    first = world.fire(prefer_no_wait=True)
    browser, link = Browser(), the_link(world)
    assert not world.ledger()

    wrong = browser.signs_in(link, OTHER_ACCOUNT)
    assert (wrong.status_code, "Wrong account" in wrong.text) == (403, True)
    assert httpx.get(link, trust_env=False, verify=False).status_code == 410
    assert is_signed_out(world)

    world.phone.ask("/login", "Sign in at Dhan")
    page = browser.signs_in(the_link(world, used=link))
    assert (page.status_code, "Signed in" in page.text) == (200, True)
    world.phone.card_shows(first["alert_id"], "Filled")
    world.until(lambda: world.phone.rings(first["alert_id"]), "the fill rings")
    world.phone.ask("/token", "by a link in the chat")

    world.until(lambda: not links(world), "the links that are over are put away")
    put_away = told(world, OVER)
    dhan(world, "DELETE", "/token")
    second, third = world.fire(prefer_no_wait=True), world.fire(prefer_no_wait=True)
    world.until(lambda: asks(world), "the desk asks for a sign-in", 10)
    token = dhan(world, "POST", "/token").json()["accessToken"]
    done = munshi_token(world, token)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Signed in at Dhan with this token.\n", "")
    for answer in (second, third):
        world.phone.card_shows(answer["alert_id"], "Filled")
        world.until(lambda alert=answer["alert_id"]: world.phone.rings(alert), "the fill rings")
    world.until(lambda: not links(world), "the link is put away, though another way was taken")
    assert told(world, OVER) == put_away + 1, "it asked once"
    assert len(world.ledger()) == 3
    world.phone.ask("/token", "a token from web.dhan.co")

    # the canary: the stand-in's own ledger may know them, and nothing else
    files = [file for file in world.settings.munshi_data_dir.iterdir() if not file.name.startswith("sandbox-dhan.db")]
    kept = b"".join(file.read_bytes() for file in files) + json.dumps(world.phone.messages()).encode()
    assert b"token from web.dhan.co" in kept
    for secret in (token, *browser.secrets, PaperAccount.API_SECRET, PaperAccount.TOTP_SECRET):
        assert secret.encode() not in kept


def test_an_address_is_registered_by_a_tap_after_a_question_that_names_the_seven_days(world: World) -> None:
    Browser().signs_in(the_link(world))
    world.is_ready()
    dhan(world, "POST", "/addresses", primary="NA", detected="9.9.9.9")
    world.phone.ask("/ip", "No address is registered at Dhan")
    world.until(lambda: told(world, "No address is registered") == 2, "the answer stands there, and the hold rang")
    assert world.health()["holds"]["invalid_ip"]
    question = world.phone.ask("/ip set")
    assert "9.9.9.9 as the primary address" in question
    assert "7 days" in question
    asked = world.phone.messages()[-1]
    [button] = asked["buttons"]
    world.phone.touch(asked["message_id"], button["callback_data"])
    world.until(lambda: "Registered." in world.phone.messages()[-1]["text"], "the address is registered")
    assert "Dhan takes orders from here" in world.phone.messages()[-1]["text"]
    assert "invalid_ip" not in world.health()["holds"]
    world.phone.touch(asked["message_id"], button["callback_data"])
    world.until(lambda: "out of date" in world.phone.messages()[-1]["text"], "a second tap registers nothing")


def test_paper_mode_says_that_ones_own_account_is_not_used_and_trades_with_the_stand_ins(tmp_path: Path) -> None:
    own = {"DHAN_CLIENT_ID": "1234567890", "DHAN_PIN": "135790", "DHAN_TOTP_SECRET": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}
    with World.closed(tmp_path, env=own) as world:
        world.sandbox.start()
        world.outside_is_there()
        world.web.start()
        world.desk.start()
        world.is_open()
        said = world.desk.log.read_text()
    assert "DHAN_CLIENT_ID, DHAN_PIN, DHAN_TOTP_SECRET" in said
    assert "they count in live mode" in said
    assert "135790" not in said
