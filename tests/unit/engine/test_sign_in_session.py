"""The desk's sign-in: kept while it is good, made anew when it is not, and never tried more often than Dhan allows."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import select

from core.db import tokens
from core.db.driver import sqlite_driver
from core.db.tables import broker_tokens
from core.domain.login import LoginState, Way
from core.errors import SignInNeeded
from core.logins import Session
from core.settings import PaperAccount
from tests.unit.engine.door import BY_LINK, Door

TOO_SOON = {"status": "error", "message": "Token can be generated once every 2 minutes."}


def with_wrong_pin(door: Door) -> Session:
    return door.session(dhan_pin=SecretStr("000000"), dhan_totp_secret=SecretStr(PaperAccount.TOTP_SECRET))


async def test_with_pin_and_code_the_desk_signs_in_by_itself(door: Door) -> None:
    session = door.session()
    assert not session.is_signed_in
    assert await session.keep()
    assert session.is_signed_in
    assert door.tries() == ["completed"]
    assert door.hold() is None


async def test_a_good_token_is_found_again_after_a_restart(door: Door) -> None:
    first = door.session()
    await first.keep()
    second = door.session()
    assert await second.keep()
    assert second.token() == first.token()
    assert door.tries() == ["completed"]


@pytest.mark.fault("TK-15")
async def test_with_another_key_the_desk_asks_for_a_sign_in_and_keeps_the_old_row(door: Door) -> None:
    await door.session().keep()
    other = SecretStr(Fernet.generate_key().decode())
    session = door.session(**BY_LINK, token_keys=other)
    assert not await session.keep()
    assert len(door.rings()) == 1
    assert door.has_token()


async def test_the_token_is_not_readable_in_the_database(door: Door) -> None:
    session = door.session()
    await session.keep()
    with door.database.snapshot() as connection:
        stored = connection.execute(select(broker_tokens.c.ciphertext)).scalar_one()
    assert session.token() not in stored


async def test_without_pin_and_code_orders_are_held_and_told_what_to_do(door: Door) -> None:
    session = door.session(dhan_client_id="1106500417")
    assert not await session.keep()
    assert "DHAN_PIN and DHAN_TOTP_SECRET" in (door.hold() or "")
    with pytest.raises(SignInNeeded):
        session.token()


async def test_tries_are_130_seconds_apart_even_across_restarts(door: Door) -> None:
    door.dhan.script("login", "status", status=503, body="<html>Down</html>", times=9)
    await door.session().keep()
    for seconds in (1, 60, 68.9):
        door.dhan.clock.pass_time(seconds=seconds)
        await door.session().keep()
    assert door.tries() == ["failed"]
    door.dhan.clock.pass_time(seconds=0.1)
    await door.session().keep()
    assert door.tries() == ["failed", "failed"]


async def test_while_waiting_for_the_next_try_the_hold_says_when_it_comes(door: Door) -> None:
    door.dhan.script("login", "status", status=200, body=TOO_SOON)
    session = door.session()
    await session.keep()
    await session.keep()
    assert "the next try is at 12:02:10" in (door.hold() or "")


async def test_after_a_refusal_the_next_try_may_succeed_and_lifts_the_hold(door: Door) -> None:
    door.dhan.script("login", "status", status=200, body=TOO_SOON)
    session = door.session()
    assert not await session.keep()
    door.dhan.clock.pass_time(seconds=130)
    assert await session.keep()
    assert door.hold() is None


async def test_two_wrong_pins_stop_all_tries_until_tomorrow(door: Door) -> None:
    for _ in range(4):
        assert not await with_wrong_pin(door).keep()
        door.dhan.clock.pass_time(minutes=3)
    assert door.tries() == ["failed", "failed"]
    assert "Dhan refused PIN and one-time code twice today" in (door.hold() or "")
    door.dhan.clock.pass_time(hours=12)
    await with_wrong_pin(door).keep()
    assert len(door.tries()) == 3


async def test_a_token_of_another_account_is_thrown_away(door: Door) -> None:
    other = {"accessToken": "eyJ.of.another", "dhanClientId": "1106500417", "expiryTime": "2026-11-26T12:00:00"}
    door.dhan.script("login", "status", status=200, body=other)
    session = door.session()
    assert not await session.keep()
    assert not session.is_signed_in
    assert "another Dhan account" in (door.hold() or "")
    assert not door.has_token()


async def test_a_lost_reply_counts_as_a_try(door: Door) -> None:
    door.dhan.script("login", "drop_after")
    session = door.session()
    assert not await session.keep()
    assert not await session.keep()
    assert door.tries() == ["failed"]
    assert PaperAccount.PIN not in (door.hold() or "")


async def test_a_token_near_its_end_is_replaced_before_it_ends(door: Door) -> None:
    session = door.session()
    await session.keep()
    first = session.token()
    door.dhan.clock.pass_time(hours=23, minutes=56)
    assert await session.keep()
    assert session.token() != first


async def test_a_token_near_its_end_serves_on_while_no_new_one_can_be_had(door: Door) -> None:
    session = door.session()
    await session.keep()
    door.dhan.clock.pass_time(hours=23, minutes=56)
    door.dhan.script("login", "status", status=503, times=9)
    assert await session.keep()
    assert door.hold() is None
    door.dhan.clock.pass_time(minutes=5)
    assert not session.is_signed_in
    assert not await session.keep()
    assert door.hold() is not None
    with pytest.raises(SignInNeeded):
        session.token()


async def test_a_token_that_dhan_no_longer_takes_is_dead_for_every_restart(door: Door) -> None:
    session = door.session()
    await session.keep()
    await session.die("Invalid Token", session.serial)
    assert not session.is_signed_in
    assert "Invalid Token" in (door.hold() or "")
    with door.database.snapshot() as connection:
        assert tokens.expiry(connection) is None
    assert not await door.session().keep()


@pytest.mark.sqlite("its file tells of every write")
async def test_while_nothing_changes_nothing_is_written(door: Door, tmp_path: Path) -> None:
    watcher = sqlite_driver().connect(tmp_path / "munshi.db")

    def version() -> int:
        return watcher.execute("PRAGMA data_version").fetchone()[0]

    session = door.session()
    await session.keep()
    signed_in = version()
    for _ in range(5):
        door.dhan.clock.pass_time(seconds=1)
        assert await session.keep()
    assert version() == signed_in
    await session.die("Invalid Token", session.serial)
    await session.keep()
    held = version()
    for _ in range(5):
        await session.keep()
    assert version() == held
    watcher.close()


async def test_a_refusal_of_the_last_token_does_not_kill_the_next_one(door: Door) -> None:
    session = door.session()
    await session.keep()
    last = session.serial
    door.dhan.clock.pass_time(hours=23, minutes=56)
    assert await session.keep()
    await session.die("Invalid Token", last)
    assert session.is_signed_in
    assert door.hold() is None


async def test_without_pin_and_code_the_operator_is_asked_once_and_gets_a_link(door: Door) -> None:
    session = door.session(**BY_LINK)
    for _ in range(5):
        assert not await session.keep()
    await door.session(**BY_LINK).keep()
    [asked] = door.rings()
    assert "open the sign-in link" in asked["words"]
    assert door.login(asked["login"]).state is LoginState.OFFERED


async def test_a_token_that_dies_asks_once_and_says_that_it_died(door: Door) -> None:
    session = door.session(**BY_LINK)
    mailbox = door.mailbox(session)
    door.hand_in(door.dhan.web_token())
    await mailbox.attend()
    assert door.rings() == []
    await session.die("Invalid Token", session.serial)
    for _ in range(3):
        assert not await session.keep()
    [asked] = door.rings()
    assert "Dhan ended the sign-in (Invalid Token)" in asked["words"]


async def test_nobody_is_asked_over_and_over(door: Door) -> None:
    for _ in range(6):
        await door.session(**BY_LINK).keep()
        door.dhan.clock.pass_time(hours=9)
    assert len(door.rings()) == 1


@pytest.mark.fault("TK-06")
async def test_a_fresh_token_that_dies_points_to_another_program(door: Door) -> None:
    session = door.session()
    await session.keep()
    door.dhan.clock.pass_time(minutes=59)
    await session.die("Invalid Token", session.serial)
    [told] = door.rings()
    assert "another program" in told["words"]
    assert await session.keep()
    door.dhan.clock.pass_time(hours=2)
    await session.die("Invalid Token", session.serial)
    assert len(door.rings()) == 1


async def test_where_links_cannot_be_made_the_ways_to_sign_in_are_told_once(door: Door) -> None:
    session = door.session(dhan_client_id="1106500417")
    await session.keep()
    await session.keep()
    [asked] = door.rings()
    assert asked["login"] is None
    for way in ("DHAN_API_KEY", "DHAN_PIN", "munshi token"):
        assert way in asked["words"]


async def test_a_refused_pin_rings_and_too_soon_does_not(door: Door) -> None:
    door.dhan.script("login", "status", status=200, body=TOO_SOON)
    await door.session().keep()
    assert door.rings() == []
    door.dhan.clock.pass_time(minutes=3)
    await with_wrong_pin(door).keep()
    [asked] = door.rings()
    assert "Invalid Pin" in asked["words"]


async def test_two_wrong_codes_stop_the_desk_and_the_operator_may_ask_for_another_try(door: Door) -> None:
    wrong = {"status": "error", "message": "Invalid TOTP"}
    door.dhan.script("login", "status", status=200, body=wrong, times=2)
    session = door.session()
    for _ in range(4):
        assert not await session.keep()
        door.dhan.clock.pass_time(minutes=3)
    assert door.tries() == ["failed", "failed"]
    assert "DHAN_TOTP_SECRET and this machine's clock" in (door.hold() or "")
    assert await session.sign_in_anew() is None
    assert door.hold() is None


async def test_asking_does_not_hurry_dhan(door: Door) -> None:
    door.dhan.script("login", "status", status=200, body=TOO_SOON)
    session = door.session()
    await session.keep()
    assert "the next try is at 12:02:10" in (await session.sign_in_anew() or "")
    assert door.tries() == ["failed"]


async def test_who_asks_gets_a_new_token_though_the_old_one_lasts(door: Door) -> None:
    session = door.session()
    await session.keep()
    first = session.token()
    assert "the next try is at" in (await session.sign_in_anew() or "")
    assert session.token() == first
    assert door.hold() is None
    door.dhan.clock.pass_time(hours=3)
    assert await session.sign_in_anew() is None
    assert session.token() != first
    assert door.tries() == ["completed", "completed"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 200, "body": {"status": "error", "message": "Invalid Pin"}}, "signing in failed: Invalid Pin"),
        ({"status": 503, "body": "<html>"}, "signing in failed: Dhan's sign-in answered 503"),
    ],
)
async def test_who_asks_in_vain_is_told_why_and_the_old_token_serves_on(
    door: Door, fault: dict[str, Any], words: str
) -> None:
    session = door.session()
    await session.keep()
    first = session.token()
    door.dhan.clock.pass_time(hours=3)
    door.dhan.script("login", "status", **fault)
    assert words in (await session.sign_in_anew() or "")
    assert session.token() == first
    assert door.hold() is None


async def test_who_asks_has_a_token_of_the_website_renewed(door: Door) -> None:
    session = door.session(**BY_LINK)
    made = door.dhan.web_token()
    door.hand_in(made)
    await door.mailbox(session).attend()
    assert await session.sign_in_anew() is None
    assert session.token() != made


async def test_before_the_open_a_token_that_ends_in_the_session_is_replaced(door: Door) -> None:
    session = door.session()
    await session.keep()
    first, ends = session.token(), door.dhan.clock.now() + timedelta(hours=24)
    assert await session.keep(ends - timedelta(minutes=1))
    assert session.token() == first
    door.dhan.clock.pass_time(hours=20)
    assert await session.keep(ends + timedelta(minutes=1))
    assert session.token() != first


async def test_a_token_of_the_website_is_renewed_hours_before_it_ends(door: Door) -> None:
    session = door.session(**BY_LINK)
    made = door.dhan.web_token()
    door.hand_in(made)
    await door.mailbox(session).attend()
    door.dhan.clock.pass_time(hours=19, minutes=59)
    await session.keep()
    assert session.token() == made
    door.dhan.clock.pass_time(minutes=2)
    assert await session.keep()
    assert session.token() != made
    door.dhan.clock.pass_time(hours=23)
    assert await session.keep()
    assert door.tries(Way.RENEWAL) == ["completed", "completed"]


async def test_a_token_by_pin_or_link_is_never_renewed(door: Door) -> None:
    session = door.session()
    await session.keep()
    door.dhan.clock.pass_time(hours=23)
    await session.keep()
    assert door.tries(Way.RENEWAL) == []


async def test_a_refused_renewal_is_not_repeated_and_the_token_serves_to_its_end(door: Door) -> None:
    session = door.session(**BY_LINK)
    door.hand_in(door.dhan.web_token())
    await door.mailbox(session).attend()
    door.dhan.clock.pass_time(hours=21)
    refused = {"errorType": "Input_Exception", "errorCode": "DH-905", "errorMessage": "Cannot be renewed"}
    door.dhan.script("login", "status", status=400, body=refused)
    for _ in range(3):
        assert await session.keep()
        door.dhan.clock.pass_time(minutes=15)
    assert door.tries(Way.RENEWAL) == ["failed"]
    assert door.rings() == []


async def test_a_renewal_whose_answer_got_lost_is_tried_again_later(door: Door) -> None:
    session = door.session(**BY_LINK)
    door.hand_in(door.dhan.web_token())
    await door.mailbox(session).attend()
    door.dhan.clock.pass_time(hours=21)
    door.dhan.script("login", "status", status=502, body="<html>")
    for _ in range(3):
        assert await session.keep()
        door.dhan.clock.pass_time(minutes=4)
    assert door.tries(Way.RENEWAL) == ["failed"]
    assert await session.keep()
    assert door.tries(Way.RENEWAL) == ["failed", "completed"]
