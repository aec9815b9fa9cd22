"""Notices, pictures and exports in the chat, over HTTP: the console and the desk's parts in front of stand-ins."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.app import Console, build_application
from bot.messenger import TelegramMessenger
from bot.notice_views import CURES
from core import controls, loudness, notifications, pnl
from core.chained_csv import verify
from core.clock import INDIA
from core.db.migration import migrate
from core.domain.notice import Loudness, Notice, Topic
from core.domain.order import OrderState
from core.domain.readiness import Cure
from core.engine.daily import card
from core.engine.parts import Parts, build_desk
from core.login_link import LoginLinks
from core.sandbox.telegram.files import picture_size
from core.settings import load
from tests.builders import NOON, an_order, until
from tests.integration.paper_telegram import OPERATOR, Sandbox, running
from tests.patience import PATIENCE
from tests.unit.engine.test_checkup import a_position


@dataclass
class Room:
    chat: Sandbox
    parts: Parts
    messenger: TelegramMessenger

    async def newest(self) -> dict[str, Any]:
        return (await self.chat.messages())[-1]

    async def ask(self, text: str) -> dict[str, Any]:
        """What the desk writes next."""
        before = len(await self.chat.messages()) + 1
        await self.chat.act(text=text)
        return await self.comes(before)

    async def comes(self, before: int) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(40):
            while len(found) <= before:
                found = await self.chat.messages()
                await asyncio.sleep(0.01)
        return found[-1]

    async def tap(self, message: dict[str, Any], button: str) -> None:
        data = next(each["callback_data"] for each in message["buttons"] if each["text"].startswith(button))
        await self.chat.act(kind="tap", message_id=message["message_id"], data=data)

    async def shows(self, message: dict[str, Any], words: str, *, without: str = "") -> dict[str, Any]:
        """Wait until that message has these words, and not that button."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await self.chat.messages()
                now = next(each for each in found if each["message_id"] == message["message_id"])
                if words in now["text"] and without not in [button["text"] for button in now["buttons"]]:
                    return now
                await asyncio.sleep(0.01)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with running(tmp_path) as chat:
        settings = load(munshi_data_dir=tmp_path, sandbox_port=int(chat.url.rpartition(":")[2]))
        migrate(settings)
        chat.clock.jump_to(NOON)
        application = build_application(settings)
        messenger = TelegramMessenger(application.bot, settings.munshi_mode, LoginLinks(settings))
        parts = build_desk(settings, messenger)
        console = Console(settings=settings, application=application, messenger=messenger, parts=parts)
        task = asyncio.create_task(console.run())
        await until(lambda: messenger.is_connected)
        yield Room(chat, parts, messenger)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await parts.close()


async def test_notify_by_word_and_by_button(room: Room) -> None:
    shown = await room.ask("/notify reports off")
    assert "reports off" in shown["text"]
    await room.tap(shown, "🔔 fills")
    shown = await room.shows(shown, "fills silent")
    await room.tap(shown, "Quiet 22:00")
    shown = await room.shows(shown, "Quiet hours: 22:00–07:00")
    with room.parts.database.snapshot() as connection:
        wished = loudness.read(connection, OPERATOR)
    assert (wished.of(Topic.REPORTS), wished.of(Topic.FILLS)) == (Loudness.OFF, Loudness.SILENT)
    await room.tap(shown, "Quiet hours off")
    await room.shows(shown, "Quiet hours: none")


@pytest.mark.parametrize("wrong", ["fills off", "missed off", "rejections off", "doubts off"])
async def test_what_costs_money_cannot_be_turned_off(room: Room, wrong: str) -> None:
    assert "never off" in (await room.ask(f"/notify {wrong}"))["text"]


@pytest.mark.parametrize("wrong", ["fills", "moon on", "quiet 25:00-7", "quiet 07:00-07:00", "a b c"])
async def test_a_wrong_word_gets_an_example(room: Room, wrong: str) -> None:
    assert "22:00-07:00" in (await room.ask(f"/notify {wrong}"))["text"]


async def test_a_silent_message_makes_no_sound(room: Room) -> None:
    await room.ask("/notify fills silent")
    with room.parts.database.transaction() as connection:
        notifications.ring_order(connection, Notice.FILLED, an_order(connection), at=room.parts.clock.now(), words="So")
        [message] = notifications.hushed(
            connection,
            notifications.due_messages(connection, room.parts.clock.now() + timedelta(days=1), 1),
            room.parts.clock.now(),
        )
    await room.messenger.ring(message)
    assert (await room.newest())["silent"]


async def test_the_readiness_card_has_buttons_that_cure_its_red_lines(room: Room) -> None:
    with room.parts.database.transaction() as connection:
        controls.pause(connection, at=room.parts.clock.now(), actor="test")
    facts = card(await room.parts.checkup.look(), room.parts.clock.now())
    with room.parts.database.transaction() as connection:
        notifications.ring(connection, Notice.READINESS, at=room.parts.clock.now(), **facts)
        [message] = notifications.due_messages(connection, room.parts.clock.now() + timedelta(days=1), 1)
    await room.messenger.ring(message)
    shown = await room.newest()
    assert "to see to" in shown["text"]
    assert {"Sign in", "Send again", "Look again"} <= {button["text"] for button in shown["buttons"]}
    before = len(await room.chat.messages())
    await room.tap(shown, "Send again")
    assert "Orders go out again" in (await room.comes(before))["text"]
    with room.parts.database.snapshot() as connection:
        assert controls.holds(connection) == {}
    await room.tap(shown, "Look again")
    await room.shows(shown, "🔴 Not signed in", without="Send again")


def test_every_cure_has_a_button() -> None:
    assert set(CURES) == set(Cure)


async def test_an_export_comes_as_documents_that_verify(room: Room) -> None:
    with room.parts.database.transaction() as connection:
        an_order(connection, at=room.parts.clock.now(), state=OrderState.REJECTED, reason="=1+1")
    shown = await room.ask("/export")
    document = shown["message"]["document"]
    text = (await room.chat.http.get(f"/chat/files/{document['file_id']}")).text
    day = room.parts.clock.now().astimezone(INDIA).date()
    assert document["file_name"] == f"orders-{day}.csv"
    assert verify(text)[0] == 1
    assert next(csv.DictReader(io.StringIO(text)))["reason"] == "'=1+1"


async def test_an_export_of_nothing_says_so_and_of_a_wrong_day_too(room: Room) -> None:
    assert "Nothing of" in (await room.ask("/export 2020-01-01"))["text"]
    assert "/export yesterday" in (await room.ask("/export someday"))["text"]


async def test_the_curves_and_the_timeline_are_pictures(room: Room) -> None:
    for command in ("/pnl day", "/pnl 30"):
        assert "nothing is known yet" in (await room.ask(command))["text"]
    assert "Nothing has happened today" in (await room.ask("/status day"))["text"]
    now = room.parts.clock.now()
    with room.parts.database.transaction() as connection:
        pnl.record(connection, [a_position(realised=Decimal(120))], now)
        an_order(connection, at=now, state=OrderState.REJECTED)
    for command, title in (("/pnl day", "Profit and loss"), ("/pnl 30", "30 days"), ("/status day", "PAPER")):
        shown = await room.ask(command)
        assert title in shown["text"]
        photo = shown["message"]["photo"][-1]
        content = (await room.chat.http.get(f"/chat/files/{photo['file_id']}")).content
        assert picture_size(content) == (1080, 840)
