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
from tests.builders import fresh_address
from tests.ports import find_port

ROW = {"weekDay": "Thursday", "morning_session": None, "evening_session": None, "Sr_no": 16}


def by_segment(*rows: tuple[str, str]) -> str:
    """As the exchange's own site answers: a list per segment, the same days in most of them."""
    days = [ROW | {"tradingDate": day, "description": words} for day, words in rows]
    return json.dumps({"CM": days, "CD": [], "FO": days, "COM": [ROW | {"tradingDate": "-", "description": "-"}]})


def by_day(day: str, words: str, closed: list[str]) -> str:
    """As a broker's market-information service answers: one list over all exchanges."""
    row = {"date": day, "description": words, "holiday_type": "TRADING_HOLIDAY", "closed_exchanges": closed}
    return json.dumps({"status": "success", "data": [row | {"open_exchanges": []}]})


ANSWERS = {
    "/exchange": by_segment(("03-Dec-2026", "Election\r")),
    "/broker": by_day("2026-12-03", "Election", ["NSE", "NFO", "BSE", "BFO"]),
    "/same": by_segment(("25-Dec-2026", "Christmas")),
    "/half": by_segment(("03-Dec-2026", "Election"))[:-40],
    "/page": "<!DOCTYPE html><html><title>Access denied</title></html>",
    "/other": '{"holidays": ["2026-12-03"]}',
    "/old-exchange": by_segment(("25-Dec-2025", "Christmas")),
    "/old-broker": by_day("2025-12-25", "Christmas", ["NSE"]),
}


@pytest.fixture(scope="module")
def feed() -> Iterator[str]:
    """A server whose path says how it answers."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in ANSWERS else 404)
            self.end_headers()
            self.wfile.write(ANSWERS.get(self.path, "").encode())

        def log_message(self, *_arguments: object) -> None:
            """Nothing to say."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


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
    fresh_address(tmp_path)
    parts = build_desk(load(munshi_data_dir=tmp_path), cast("Any", None))
    parts.clock.jump_to(parts.clock.now().replace(year=2026, month=12, day=1))  # pyright: ignore[reportAttributeAccessIssue]
    yield Console(parts, feed, tmp_path)
    await parts.close()


@pytest.mark.parametrize("shape", ["/exchange", "/broker"])
async def test_a_difference_is_shown_with_a_button_and_nothing_is_changed(console: Console, shape: str) -> None:
    [(text, keyboard)] = (await console.fetch(shape)).said
    assert "Thu 3 Dec 2026, equity: closed (Election, by the list)." in text
    [[button]] = keyboard.inline_keyboard
    assert button.callback_data.startswith("calendar:")
    with console.parts.database.snapshot() as connection:
        assert overrides.in_force(connection) == []


async def test_a_list_that_says_the_same_needs_no_tap(console: Console) -> None:
    assert (await console.fetch("/same")).said == [("The list says the same as the calendar.", None)]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (None, "set HOLIDAY_FEED_URL"),
        ("/gone", "its address answered 404"),
        ("/page", "a web page instead of a holiday list"),
        ("/half", "no JSON, or was cut off"),
        ("/other", "neither|names no day"),
        ("/old-exchange", "ends on Thu 25 Dec 2025, which is past: it is an old list"),
        ("/old-broker", "ends on Thu 25 Dec 2025, which is past: it is an old list"),
    ],
)
async def test_what_is_no_list_changes_nothing_and_says_why(console: Console, path: str | None, says: str) -> None:
    with pytest.raises((Refusal, Unavailable), match=says):
        await console.fetch(path)


async def test_an_address_where_nobody_answers_is_said_in_words(console: Console) -> None:
    console.feed = f"http://127.0.0.1:{find_port()}"
    with pytest.raises(Refusal, match="The list could not be fetched"):
        await console.fetch("/exchange")
