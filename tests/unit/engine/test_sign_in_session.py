"""The desk's sign-in: kept while it is good, made anew when it is not, and never tried more often than Dhan allows."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from core import controls
from core.broker.dhan.client import DhanClient
from core.controls import Hold
from core.db import tokens
from core.db.driver import sqlite_driver
from core.db.engine import Database
from core.db.tables import broker_tokens, logins
from core.errors import SignInNeeded
from core.logins import Session
from core.settings import PaperAccount
from tests.integration.paper_dhan import PaperDhan
from tests.unit.engine.floor import settings_for

TOO_SOON = {"status": "error", "message": "Token can be generated once every 2 minutes."}


class Door:
    """Sessions of one account on one database, and what they leave in it."""

    def __init__(self, database: Database, dhan: PaperDhan, client: DhanClient, folder: Path) -> None:
        self.database = database
        self.dhan = dhan
        self._client = client
        self._folder = folder

    def session(self, **settings: Any) -> Session:
        """As after a restart: nothing is remembered but the rows."""
        given = settings_for(self.dhan, self._folder, **settings)
        return Session(self.database, self._client, given, self.dhan.clock)

    def with_wrong_pin(self) -> Session:
        return self.session(dhan_pin=SecretStr("000000"), dhan_totp_secret=SecretStr(PaperAccount.TOTP_SECRET))

    def tries(self) -> list[str]:
        with self.database.snapshot() as connection:
            return list(connection.execute(select(logins.c.state).order_by(logins.c.id)).scalars())

    def hold(self) -> str | None:
        with self.database.snapshot() as connection:
            return controls.holds(connection).get(Hold.SIGNED_OUT)


@pytest.fixture
async def door(database: Database, dhan: PaperDhan, tmp_path: Path) -> AsyncIterator[Door]:
    client = DhanClient()
    yield Door(database, dhan, client, tmp_path)
    await client.close()


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
    door.dhan.script("login", "status", status=200, body={"status": "error", "message": "Down"}, times=9)
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
        assert not await door.with_wrong_pin().keep()
        door.dhan.clock.pass_time(minutes=3)
    assert door.tries() == ["failed", "failed"]
    assert "Dhan refused the PIN twice today" in (door.hold() or "")
    door.dhan.clock.pass_time(hours=12)
    await door.with_wrong_pin().keep()
    assert len(door.tries()) == 3


async def test_a_token_of_another_account_is_thrown_away(door: Door) -> None:
    other = {"accessToken": "eyJ.of.another", "dhanClientId": "1106500417", "expiryTime": "2026-11-26T12:00:00"}
    door.dhan.script("login", "status", status=200, body=other)
    session = door.session()
    assert not await session.keep()
    assert not session.is_signed_in
    assert "another Dhan account" in (door.hold() or "")
    with door.database.snapshot() as connection:
        assert connection.execute(select(broker_tokens.c.id)).first() is None


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
    await session.die("Invalid Token")
    assert not session.is_signed_in
    assert "Invalid Token" in (door.hold() or "")
    with door.database.snapshot() as connection:
        assert tokens.expiry(connection) is None
    assert not await door.session().keep()


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
    await session.die("Invalid Token")
    await session.keep()
    held = version()
    for _ in range(5):
        await session.keep()
    assert version() == held
    watcher.close()
