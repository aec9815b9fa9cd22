"""The ear at Telegram: one effect for each update, old messages listed, and no answer that makes it deaf for good."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from desk_in_chat import ADMIN, STRANGER
from sqlalchemy import Connection, select
from telegram import Update

from bot.access import Gate
from bot.listener import Listener
from core.clock import monotonic
from core.db import updates
from core.db.engine import Database
from core.db.tables import updates as update_rows
from core.db.trouble import CommitInDoubt
from core.db.writer import T
from core.settings import Role
from tests.builders import NOON, fresh_database
from tests.integration.paper_telegram import Sandbox, running


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncGenerator[Sandbox]:
    async with running(tmp_path, in_real_time=True) as sandbox:
        await sandbox.bot.get_updates(allowed_updates=["message", "callback_query", "my_chat_member"])
        yield sandbox


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return fresh_database(tmp_path)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    end = monotonic() + 5
    while not await condition():
        assert monotonic() < end, "it did not come"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(
    sandbox: Sandbox, database: Database, handle: Callable[[Update], Awaitable[None]]
) -> AsyncGenerator[Listener]:
    gate = Gate({ADMIN: Role.ADMIN})
    listener = Listener(bot=sandbox.bot, database=database, gate=gate, clock=sandbox.clock, handle=handle)
    task = asyncio.create_task(listener.listen())
    yield listener
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class Hands:
    """Do what an update asks for: note it."""

    def __init__(self) -> None:
        self.did: list[str] = []

    async def __call__(self, update: Update) -> None:
        self.did.append((update.message and update.message.text) or "a tap")


async def said_to(sandbox: Sandbox, user: int) -> list[str]:
    return [m["text"] for m in await sandbox.messages() if m["from_bot"] and m["chat_id"] == user]


async def test_an_update_that_comes_again_has_no_second_effect(sandbox: Sandbox, database: Database) -> None:
    hands = Hands()
    await sandbox.act(text="/resume")

    async def done() -> bool:
        return hands.did == ["/resume"]

    async def handed_out_again() -> bool:
        return (await sandbox.act(kind="replay"))["update_id"] is not None

    for _ in range(2):  # the second life is as after a crash before a call confirmed it
        async with listening(sandbox, database, hands):
            await until(done)
            await until(handed_out_again)
    async with listening(sandbox, database, hands):
        await sandbox.act(text="/status")
        await until(lambda: asyncio.sleep(0, len(hands.did) == 2))
    assert hands.did == ["/resume", "/status"]
    database.close()


class Doubtful(Database):
    """Its disk takes the first write with a /kill in it, and reports a fault all the same."""

    is_sound = False

    async def write(self, work: Callable[[Connection], T]) -> T:
        done = await super().write(work)
        with self.snapshot() as connection:
            taken = connection.execute(select(update_rows.c.words)).scalars().all()
        if "/kill" in taken and not self.is_sound:
            self.is_sound = True
            raise CommitInDoubt("the commit failed: disk I/O error")
        return done


async def test_a_kill_whose_commit_was_in_doubt_is_obeyed_once(sandbox: Sandbox, database: Database) -> None:
    hands, doubtful = Hands(), Doubtful(str(database.engine.url))
    await sandbox.act(text="/kill")
    async with listening(sandbox, doubtful, hands):
        await until(lambda: asyncio.sleep(0, "/kill" in hands.did))
        await sandbox.act(text="/status")
        await until(lambda: asyncio.sleep(0, "/status" in hands.did))
    assert (hands.did, doubtful.is_sound) == (["/kill", "/status"], True)
    doubtful.close()
    database.close()


async def test_what_the_desk_stopped_in_the_middle_of_is_told_to_its_operator(
    sandbox: Sandbox, database: Database
) -> None:
    await sandbox.act(text="hello", user_id=STRANGER)
    with database.transaction() as connection:
        updates.take(connection, [(900, ADMIN, "/flatten"), (901, STRANGER, "/kill")], NOON)

    async def told() -> bool:
        return any("while it did this: /flatten" in text for text in await said_to(sandbox, ADMIN))

    await sandbox.act(text="hello")
    async with listening(sandbox, database, Hands()):
        await until(told)
    assert await said_to(sandbox, STRANGER) == []
    database.close()


async def test_old_messages_are_listed_and_not_obeyed_except_those_that_stop(
    sandbox: Sandbox, database: Database
) -> None:
    hands = Hands()
    for text in ("/cancel 41", "/kill", "my secret plan"):
        await sandbox.act(text=text)
    await sandbox.act(text="/pause", user_id=STRANGER)
    sandbox.clock.jump_to(sandbox.clock.now() + timedelta(minutes=2))
    await sandbox.act(text="/status")

    async def told() -> bool:
        return any("/cancel, a message. Send it again" in text for text in await said_to(sandbox, ADMIN))

    async with listening(sandbox, database, hands):
        await until(told)
        await until(lambda: asyncio.sleep(0, len(hands.did) == 3))
    assert sorted(hands.did) == ["/kill", "/pause", "/status"], "the stranger's is for the gate to refuse"
    assert not any("secret plan" in text for text in await said_to(sandbox, ADMIN))
    database.close()


async def test_an_old_kill_that_a_group_addressed_to_the_bot_by_name_is_obeyed(
    sandbox: Sandbox, database: Database
) -> None:
    hands = Hands()
    await sandbox.act(text="/Kill@munshi_bot")
    sandbox.clock.jump_to(sandbox.clock.now() + timedelta(minutes=2))
    await sandbox.act(text="/status")
    async with listening(sandbox, database, hands):
        await until(lambda: asyncio.sleep(0, "/status" in hands.did))
    assert sorted(hands.did) == ["/Kill@munshi_bot", "/status"]
    database.close()


async def test_one_update_that_cannot_be_read_hides_no_other(sandbox: Sandbox, database: Database) -> None:
    hands = Hands()
    await sandbox.act(kind="raw", update={"callback_query": {"id": "1"}})
    await sandbox.act(text="/status")
    async with listening(sandbox, database, hands):
        await until(lambda: asyncio.sleep(0, "/status" in hands.did))
    database.close()
