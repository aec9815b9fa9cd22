"""The console outlives whatever comes in: the desk shares its process, and orders must not stop for a message."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from telegram import Update
from telegram.ext import TypeHandler

from bot.app import BotApplication, Console, build_application
from bot.messenger import TelegramMessenger
from core.engine.parts import build_desk
from core.login_link import LoginLinks
from core.settings import load
from tests.builders import fresh_address, until
from tests.integration.paper_telegram import OPERATOR, STRANGER, Sandbox, running
from tests.patience import PATIENCE

TYPED = "123456 is my PIN"


@dataclass
class Listening:
    """A console in front of the chat, and what its handlers were given."""

    chat: Sandbox
    application: BotApplication
    task: asyncio.Task[None]
    seen: list[int] = field(default_factory=list[int])

    async def says(self, words: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while not any(words in str(message.get("text")) for message in await self.chat.messages()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Listening]:
    async with running(tmp_path) as chat:
        fresh_address(tmp_path)
        settings = load(munshi_data_dir=tmp_path, telegram_api_url=f"{chat.url}/telegram/bot")
        application = build_application(settings)
        messenger = TelegramMessenger(application.bot, settings.munshi_mode, LoginLinks(settings))
        parts = build_desk(settings, messenger)
        console = Console(settings=settings, application=application, messenger=messenger, parts=parts)
        listening = Listening(chat, application, asyncio.create_task(console.run()))

        async def note(update: Update, _context: object) -> None:
            listening.seen.append(update.update_id)

        application.add_handler(TypeHandler(Update, note), group=-5)
        await until(lambda: messenger.is_connected and chat.chat.updates.bot_is_listening)
        yield listening
        listening.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening.task
        await parts.close()


async def test_an_update_that_cannot_be_read_is_logged_counted_as_seen_and_hides_no_other(console: Listening) -> None:
    with capture_logs() as logs:
        odd = console.chat.chat.updates.push("callback_query", {"data": TYPED})
        await console.chat.act(kind="message", user_id=OPERATOR, text="/status")
        await console.says("Orders go out")
    assert [line["update"] for line in logs if line["event"] == "update_unreadable"] == [odd]
    assert TYPED not in str(logs)
    await until(lambda: console.chat.chat.updates.count() == 0)
    assert not console.task.done()


async def test_a_failing_handler_is_told_to_the_operator_and_leaves_its_trace(console: Listening) -> None:
    async def fail(_update: Update, _context: object) -> None:
        raise RuntimeError("a mistake of ours")

    console.application.add_handler(TypeHandler(Update, fail), group=-2)
    with capture_logs() as logs:
        await console.chat.act(kind="message", user_id=OPERATOR, text="/status")
        await console.says("That failed; the log says why.")
    [line] = [line for line in logs if line["event"] == "handler_failed"]
    assert "a mistake of ours" in repr(line["exc_info"])
    assert not console.task.done()


async def test_a_gate_that_fails_stays_shut_and_tells_strangers_nothing(console: Listening) -> None:
    async def fail(_update: Update, _context: object) -> None:
        raise RuntimeError("the gate broke")

    behind: list[Any] = []

    async def note(update: Update, _context: object) -> None:
        behind.append(update)

    console.application.add_handler(TypeHandler(Update, fail), group=-2)
    console.application.add_handler(TypeHandler(Update, note), group=-1)
    console.application.handlers[-1].reverse()
    with capture_logs() as logs:
        await console.chat.act(kind="message", user_id=STRANGER, text="/status")
        await until(lambda: any(line["event"] == "handler_failed" for line in logs))
        await until(lambda: console.chat.chat.updates.count() == 0)
    assert behind == []
    assert not any(
        m.get("chat_id") == STRANGER and "failed" in str(m.get("text")) for m in await console.chat.messages()
    )


async def test_an_answer_that_is_nonsense_only_makes_it_connect_again(console: Listening) -> None:
    calls = 0
    poll = console.application.bot.get_updates

    async def odd(*_self: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise KeyError("result")
        return await poll(*_self[1:], **options)

    with capture_logs() as logs, pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(console.application.bot), "get_updates", odd)
        await console.chat.act(kind="message", user_id=OPERATOR, text="/status")
        await until(lambda: calls > 1)
    assert any(line["event"] == "console_failed" for line in logs)
