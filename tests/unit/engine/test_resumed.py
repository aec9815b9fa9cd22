"""/resume asks Dhan first how its own switch stands: whatever stops the desk meanwhile is the later word."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from telegram import Message

from bot.handlers.stops import Stops
from core import controls
from core.broker.dhan.account import DhanAccount
from core.controls import Hold
from core.domain.order import OrderState
from core.settings import Role, load
from tests.builders import until
from tests.unit.engine.floor import Floor


@pytest.fixture
def stops(floor: Floor, tmp_path: Path) -> Stops:
    parts: dict[str, Any] = {"desk": SimpleNamespace(nudge=lambda: None), "questions": None}
    return Stops(
        settings=load(munshi_data_dir=tmp_path),
        database=floor.database,
        account=DhanAccount(floor.broker),
        clock=floor.clock,
        **parts,
    )


def written(answers: list[str]) -> Message:
    async def reply_text(words: str) -> None:
        answers.append(words)

    return cast("Message", SimpleNamespace(from_user=SimpleNamespace(id=42), reply_text=reply_text))


@asynccontextmanager
async def resuming(floor: Floor, stops: Stops, answers: list[str]) -> AsyncGenerator[None]:
    """While Dhan takes its time to answer how its switch stands."""
    with floor.dhan.holding_back("GET", "/dhan/v2/killswitch") as answer:
        task = asyncio.create_task(stops.resume(written(answers), [], Role.ADMIN))
        await until(answer.decided.is_set)
        floor.clock.pass_time(seconds=1)
        yield
    await task


def held(floor: Floor) -> dict[Hold, str]:
    with floor.database.snapshot() as connection:
        return controls.holds(connection)


def set_hold(floor: Floor, hold: Hold, reason: str) -> None:
    with floor.database.transaction() as connection:
        controls.set_hold(connection, hold, reason, at=floor.clock.now(), actor="dhan")


@pytest.mark.parametrize("was_paused", [False, True])
async def test_a_pause_that_comes_after_it_stands(floor: Floor, stops: Stops, *, was_paused: bool) -> None:
    answers: list[str] = []
    if was_paused:
        await stops.pause(written([]), [], Role.ADMIN)
    async with resuming(floor, stops, answers):
        await stops.pause(written([]), [], Role.ADMIN)
    assert held(floor) == {Hold.PAUSED: "Paused by operator 42."}
    assert answers == ["Nothing goes out yet: Paused by operator 42."]
    assert (await floor.sent()).state is OrderState.QUEUED


async def test_what_the_desk_stopped_for_meanwhile_stands(floor: Floor, stops: Stops) -> None:
    set_hold(floor, Hold.NO_ACCESS, "No segment.")
    async with resuming(floor, stops, []):
        set_hold(floor, Hold.PAUSED, "Paused by the desk: Dhan has 2 orders for this one.")
    assert list(held(floor)) == [Hold.PAUSED]
