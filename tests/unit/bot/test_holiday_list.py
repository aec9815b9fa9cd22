"""`/calendar fetch`: a list over real HTTP, shown as a difference, applied by nobody but the operator."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.access import Gate
from bot.handlers.market import MarketCommands
from bot.handlers.questions import Questions
from core.db import overrides
from core.engine.parts import Parts, build_desk
from core.errors import Refusal, Unavailable
from core.seal import Seal
from core.second_factor import SecondFactor
from core.settings import Role, load
from tests.builders import database_file

LIST = {"CM": [{"tradingDate": "03-Dec-2026", "description": "Election"}]}


@pytest.fixture(scope="module")
def feed() -> Iterator[str]:
    """A server whose path says how it answers."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = {"/list": json.dumps(LIST), "/same": json.dumps({"CM": [LIST["CM"][0] | CHRISTMAS]})}
            self.send_response(200 if self.path != "/gone" else 404)
            self.end_headers()
            self.wfile.write(body.get(self.path, "<html>").encode())

        def log_message(self, *_arguments: object) -> None:
            """Nothing to say."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


CHRISTMAS = {"tradingDate": "25-Dec-2026"}


@dataclass
class Chat:
    """The operator's side of one message."""

    text: str = "/calendar fetch"
    from_user: Any = field(default_factory=lambda: SimpleNamespace(id=42))
    said: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])

    async def reply_html(self, text: str, reply_markup: Any = None, **_more: Any) -> None:
        self.said.append((text, reply_markup))


@dataclass
class Console:
    parts: Parts
    feed: str
    folder: Path

    async def fetch(self, path: str | None) -> Chat:
        url = None if path is None else self.feed + path
        settings = load(munshi_data_dir=self.folder, holiday_feed_url=url)
        gate, factor = Gate({42: Role.ADMIN}), SecondFactor(Seal(settings.token_keys))
        questions = Questions(self.parts.database, self.parts.clock, gate, factor, {})
        commands = MarketCommands(settings=settings, parts=self.parts, gate=gate, questions=questions)
        chat = Chat()
        await commands.calendar(cast("Any", chat), ["fetch"], Role.ADMIN)
        return chat


@pytest.fixture
async def console(tmp_path: Path, feed: str) -> AsyncIterator[Console]:
    database_file(tmp_path)
    parts = build_desk(load(munshi_data_dir=tmp_path), cast("Any", None))
    parts.clock.jump_to(parts.clock.now().replace(year=2026, month=12, day=1))  # pyright: ignore[reportAttributeAccessIssue]
    yield Console(parts, feed, tmp_path)
    await parts.close()


async def test_a_difference_is_shown_with_a_button_and_nothing_is_changed(console: Console) -> None:
    [(text, keyboard)] = (await console.fetch("/list")).said
    assert "Thu 3 Dec 2026, equity: closed (Election, by the list)." in text
    [[button]] = keyboard.inline_keyboard
    assert button.callback_data.startswith("calendar:")
    with console.parts.database.snapshot() as connection:
        assert overrides.in_force(connection) == []


async def test_a_list_that_says_the_same_needs_no_tap(console: Console) -> None:
    assert (await console.fetch("/same")).said == [("The list says the same as the calendar.", None)]


@pytest.mark.parametrize(
    ("path", "says"),
    [(None, "set HOLIDAY_FEED_URL"), ("/gone", "its address answered 404"), ("/odd", "cannot be read")],
)
async def test_what_is_no_list_changes_nothing_and_says_why(console: Console, path: str | None, says: str) -> None:
    with pytest.raises((Refusal, Unavailable), match=says):
        await console.fetch(path)
