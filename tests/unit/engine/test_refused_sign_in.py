"""Dhan refuses PIN and one-time code: after two refusals a day the desk stops, for there may be a lock, and says so."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.engine.door import BY_PIN, Door

TOO_SOON = {"status": "error", "message": "Token can be generated once every 2 minutes."}


@pytest.mark.parametrize("words", ["Incorrect PIN. Account will be locked.", "User is blocked", "Invalid Client Id"])
async def test_whatever_words_dhan_refuses_in_two_of_them_stop_all_tries_and_the_operator_reads_them(
    door: Door, words: str
) -> None:
    door.dhan.script("login", "status", status=200, body={"status": "error", "message": words}, times=99)
    session = door.session(**BY_PIN)
    for _ in range(10):
        assert not await session.keep()
        door.dhan.clock.pass_time(minutes=3)
    assert door.tries() == ["failed", "failed"]
    first, stopped = [ring["words"] for ring in door.rings()]
    assert first == f"Not signed in at Dhan: signing in failed: {words.rstrip('.')}. It is tried again."
    assert stopped == door.hold()
    assert stopped == (
        f"Not signed in at Dhan: signing in failed: {words.rstrip('.')}. Dhan refused PIN and one-time code twice "
        "today and may lock you out, so the desk stops trying until tomorrow: check DHAN_PIN, DHAN_TOTP_SECRET and "
        "this machine's clock, restart, and send /login for another try; or hand in a token from web.dhan.co with "
        "`munshi token`."
    )


async def test_a_wrong_pin_and_a_wrong_code_are_two_refusals(door: Door) -> None:
    for words in ("Invalid Pin", "Invalid TOTP"):
        door.dhan.script("login", "status", status=200, body={"status": "error", "message": words})
        assert not await door.session().keep()
        door.dhan.clock.pass_time(minutes=3)
    assert not await door.session().keep()
    assert door.tries() == ["failed", "failed"]


async def test_tokens_of_another_account_stop_all_tries_as_well(door: Door) -> None:
    other = {"accessToken": "eyJ.of.another", "dhanClientId": "1106500417", "expiryTime": "2026-11-26T12:00:00"}
    door.dhan.script("login", "status", status=200, body=other, times=9)
    for _ in range(4):
        assert not await door.session().keep()
        door.dhan.clock.pass_time(minutes=3)
    assert door.tries() == ["failed", "failed"]


async def test_who_may_sign_in_by_a_link_is_sent_one_when_pin_and_code_were_refused_twice(door: Door) -> None:
    door.dhan.script("login", "status", status=200, body={"status": "error", "message": "Blocked"}, times=9)
    session = door.session()
    for _ in range(3):
        assert not await session.keep()
        door.dhan.clock.pass_time(minutes=3)
    *_, stopped = door.rings()
    assert "until tomorrow: open the sign-in link in the chat" in stopped["words"]
    assert stopped["login"]


@pytest.mark.parametrize(
    "outage",
    [
        {"kind": "drop_after"},
        {"kind": "status", "status": 502, "body": "<html>"},
        {"kind": "status", "status": 500, "body": {"errorCode": "DH-908", "errorMessage": "Internal error"}},
        {"kind": "status", "status": 404, "body": {"status": 404, "error": "Not Found", "path": "/app"}},
        {"kind": "status", "status": 429, "body": {"errorCode": "DH-904", "errorMessage": "Too many requests"}},
        {"kind": "status", "status": 200, "body": TOO_SOON},
    ],
    ids=["no reply", "502", "500 in Dhan's words", "a gateway's 404", "429", "too soon"],
)
async def test_an_outage_is_no_refusal_and_the_desk_goes_on_trying(door: Door, outage: dict[str, Any]) -> None:
    door.dhan.script("login", **outage, times=5)
    session = door.session()
    for _ in range(5):
        assert not await session.keep()
        door.dhan.clock.pass_time(minutes=3)
    assert door.tries() == ["failed"] * 5
    assert await session.keep()


async def test_a_refusal_while_the_last_sign_in_lasts_counts_too(door: Door) -> None:
    session = door.session()
    await session.keep()
    door.dhan.clock.pass_time(hours=23)
    door.dhan.script("login", "status", status=200, body={"status": "error", "message": "Blocked"}, times=9)
    for _ in range(4):
        assert await session.keep(door.dhan.clock.now() + timedelta(hours=2))
        door.dhan.clock.pass_time(minutes=3)
    assert door.tries() == ["completed", "failed", "failed"]


async def test_a_third_refusal_is_the_last_of_a_day_whoever_asks(door: Door) -> None:
    door.dhan.script("login", "status", status=200, body={"status": "error", "message": "Invalid Pin"}, times=9)
    session = door.session(**BY_PIN)
    for _ in range(5):
        assert await session.sign_in_anew()
        door.dhan.clock.pass_time(minutes=3)
    assert door.tries() == ["failed"] * 3
    assert "Dhan refused PIN and one-time code 3 times today" in (door.hold() or "")
    assert "/login" not in (door.hold() or "")
