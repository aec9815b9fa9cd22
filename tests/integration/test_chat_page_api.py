"""The chat page's calls, the panel beside it, and the sandbox as a process."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from paper_telegram import OPERATOR, SECRET, Sandbox, running
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from telegram import BotCommand, InlineKeyboardButton, InlineKeyboardMarkup

from core.clock import to_india
from core.sandbox.tradingview import TradingView
from tests.patience import PATIENCE


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncGenerator[Sandbox]:
    async with running(tmp_path) as started:
        yield started


@dataclass
class Webhook:
    """The product's webhook, with answers in a row; the last one repeats."""

    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=lambda: [(200, {})])
    delay: float = 0
    received: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    url: str = ""

    async def take(self, request: Request) -> Response:
        self.received.append((request.headers["content-type"], (await request.body()).decode()))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(self.delay)
        return JSONResponse(body, status)


@asynccontextmanager
async def serving(webhook: Webhook) -> AsyncGenerator[Webhook]:
    app = Starlette(routes=[Route("/webhook", webhook.take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="critical"))
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(PATIENCE):
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.005)
    webhook.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield webhook
    server.should_exit = True
    await task


class News:
    """An open page: its server-sent events, one by one."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self, kind: str) -> Any:
        """The next event of this kind; others are skipped."""
        async with asyncio.timeout(PATIENCE):
            current = ""
            async for line in self._lines:
                if line.startswith("event: "):
                    current = line.removeprefix("event: ")
                if line.startswith("data: ") and current == kind:
                    return json.loads(line.removeprefix("data: "))
        raise AssertionError(f"the page's news ended before {kind}")


@asynccontextmanager
async def open_page(sandbox: Sandbox) -> AsyncGenerator[News]:
    async with sandbox.http.stream("GET", "/chat/events") as answer:
        yield News(answer.aiter_lines())


async def test_the_page_is_served_with_a_strict_policy(sandbox: Sandbox) -> None:
    page = await sandbox.http.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    parts = [part.split('"')[0] for part in page.text.split('"/page/')[1:]]
    assert {"app.js", "chat.css", "icon.svg"} <= set(parts)
    for part in set(parts):
        assert (await sandbox.http.get(f"/page/{part}")).status_code == 200
    assert (await sandbox.http.get("/page/%2e%2e%2froutes.py")).status_code == 404


async def test_a_page_that_opens_gets_the_whole_chat_and_then_the_news(sandbox: Sandbox) -> None:
    await sandbox.bot.send_message(OPERATOR, "before")
    async with open_page(sandbox) as news:
        hello = await news.next("hello")
        assert [message["text"] for message in hello["messages"]] == ["before"]
        sent = await sandbox.bot.send_message(OPERATOR, "after")
        assert (await news.next("message"))["text"] == "after"
        await sandbox.bot.edit_message_text("changed", OPERATOR, sent.message_id)
        edited = await news.next("edit")
        assert (edited["text"], edited["edits"]) == ("changed", 1)
        await sandbox.bot.set_my_commands([BotCommand("status", "How things are")])
        assert (await news.next("commands"))[0]["command"] == "status"


async def test_other_peoples_chats_stay_out_of_the_page(sandbox: Sandbox) -> None:
    async with open_page(sandbox) as news:
        await news.next("hello")
        await sandbox.act(text="psst", user_id=7)
        await sandbox.act(text="mine")
        assert (await news.next("message"))["text"] == "mine"


async def test_what_the_operator_writes_reaches_the_bot_and_is_ticked(sandbox: Sandbox) -> None:
    async with open_page(sandbox) as news:
        written = (await sandbox.http.post("/chat/messages", json={"text": "/status"})).json()
        (update,) = await sandbox.bot.get_updates()
        assert update.effective_user is not None
        assert update.effective_user.id == OPERATOR
        assert await news.next("delivered") == {"message_id": written["message_id"]}


async def test_an_empty_message_is_refused(sandbox: Sandbox) -> None:
    assert (await sandbox.http.post("/chat/messages", json={"text": "  "})).status_code == 422


async def test_a_foreign_site_cannot_write_in_the_operators_name(sandbox: Sandbox) -> None:
    for path in ("/chat/messages", "/chat/taps", "/panel/alerts", "/panel/clock", "/telegram/sandbox/updates"):
        answer = await sandbox.http.post(path, content='{"text":"/kill"}', headers={"content-type": "text/plain"})
        assert answer.status_code == 415


async def test_a_tap_is_answered_with_a_toast(sandbox: Sandbox) -> None:
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Approve", callback_data="a:1")]])
    card = await sandbox.bot.send_message(OPERATOR, "card", reply_markup=keyboard)
    async with open_page(sandbox) as news:
        tap = {"message_id": card.message_id, "data": "a:1"}
        query_id = (await sandbox.http.post("/chat/taps", json=tap)).json()["query_id"]
        await sandbox.bot.answer_callback_query(query_id, "Approved", show_alert=True)
        answer = await news.next("answer")
        assert answer == {"query_id": query_id, "text": "Approved", "show_alert": True}


async def test_only_a_button_that_is_there_can_be_tapped(sandbox: Sandbox) -> None:
    card = await sandbox.bot.send_message(OPERATOR, "card")
    for data in ("a:1", None):
        answer = await sandbox.http.post("/chat/taps", json={"message_id": card.message_id, "data": data})
        assert answer.status_code == 422


async def test_the_page_sees_the_desk_come_and_the_clock_jump(sandbox: Sandbox) -> None:
    async with open_page(sandbox) as news:
        assert (await news.next("hello"))["listening"] is False
        await sandbox.bot.get_updates()
        assert (await news.next("surroundings"))["listening"] is True
        await sandbox.http.post("/panel/clock", json={"to": "2026-12-07 15:20"})
        now = datetime.fromisoformat((await news.next("surroundings"))["now"])
        assert to_india(now).strftime("%d %b %H:%M") == "07 Dec 15:20"


async def test_the_page_learns_of_a_jump_before_the_messages_that_follow_it(sandbox: Sandbox) -> None:
    async with open_page(sandbox) as news:
        await news.next("hello")
        await sandbox.http.post("/panel/clock", json={"to": "2026-12-07 15:20"})
        await sandbox.bot.send_message(OPERATOR, "after the jump")
        await news.next("surroundings")
        assert (await news.next("message"))["text"] == "after the jump"


async def test_a_document_is_downloaded_and_never_shown(sandbox: Sandbox) -> None:
    sent = await sandbox.bot.send_document(OPERATOR, b"<script>alert(1)</script>", filename="x.html")
    assert sent.document is not None
    answer = await sandbox.http.get(f"/chat/files/{sent.document.file_id}")
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_the_panel_fires_the_sample_that_the_documentation_shows(tmp_path: Path) -> None:
    stored = {"status": "success", "alert_id": 41, "order_status": "queued", "placement_mode": "queue"}
    async with serving(Webhook([(200, stored)])) as webhook, running(tmp_path, web_url=webhook.url) as sandbox:
        await sandbox.http.post("/panel/clock", json={"to": "2026-12-01T16:00:00"})
        answer = (await sandbox.http.post("/panel/alerts", json={"sample": "buy"})).json()
    kind, body = webhook.received[0]
    alert = json.loads(body)
    meta = alert["order_legs"][0]["meta"]
    fired = datetime.fromisoformat(meta.pop("timenow"))
    assert kind.startswith("application/json")
    assert timedelta(0) <= fired - datetime(2026, 12, 1, 10, 30, tzinfo=UTC) < timedelta(seconds=10)
    assert alert == {
        "secret": SECRET.get_secret_value(),
        "alertType": "multi_leg_order",
        "order_legs": [
            {
                "transactionType": "B",
                "orderType": "MKT",
                "quantity": "1",
                "exchange": "NSE",
                "symbol": "RELIANCE",
                "instrument": "EQ",
                "productType": "C",
                "sort_order": "1",
                "price": "0",
                "amoTime": "OPEN_30",
                "meta": {"interval": "1D", "time": "2026-12-01T03:45:00Z"},
            }
        ],
    }
    (delivery,) = answer["deliveries"]
    assert delivery["words"] == "Queued: it goes out by itself when its window opens."
    assert delivery["trace"] == f"{webhook.url}/trace/41"


async def test_the_same_alert_twice_is_the_same_to_the_byte(tmp_path: Path) -> None:
    async with serving(Webhook()) as webhook, running(tmp_path, web_url=webhook.url) as sandbox:
        await sandbox.http.post("/panel/alerts", json={"sample": "twice"})
    assert len(webhook.received) == 2
    assert webhook.received[0] == webhook.received[1]


async def test_an_alert_of_ones_own_is_fired(tmp_path: Path) -> None:
    leg = {"side": "S", "symbol": "m&m", "quantity": "3", "order_type": "LMT", "price": "2900.5"}
    async with serving(Webhook()) as webhook, running(tmp_path, web_url=webhook.url) as sandbox:
        await sandbox.http.post("/panel/alerts", json={"leg": leg})
        assert (await sandbox.http.post("/panel/alerts", json={"leg": {"symbol": "?"}})).status_code == 422
        assert (await sandbox.http.post("/panel/alerts", json={"sample": "?"})).status_code == 422
    sent = json.loads(webhook.received[0][1])["order_legs"][0]
    assert (sent["transactionType"], sent["symbol"], sent["quantity"]) == ("S", "M&M", "3")
    assert (sent["orderType"], sent["price"]) == ("LMT", "2900.5")
    assert len(webhook.received) == 1


async def test_a_missing_webhook_is_said_in_words(sandbox: Sandbox) -> None:
    (delivery,) = (await sandbox.http.post("/panel/alerts", json={"sample": "buy"})).json()["deliveries"]
    assert delivery["http_status"] is None
    assert "Is the web process running?" in delivery["words"]


async def test_the_panel_knows_the_desks_addresses(sandbox: Sandbox) -> None:
    state = (await sandbox.http.get("/panel/state")).json()
    assert state["webhook_url"] == "http://127.0.0.1:9/webhook"
    assert state["curl"].startswith("curl -sS http://127.0.0.1:9/webhook ")
    assert state["links"] == {"health": "http://127.0.0.1:9/health", "docs": "http://127.0.0.1:9/docs"}


async def test_the_clock_refuses_nonsense_and_finds_back_to_real_time(sandbox: Sandbox) -> None:
    refused = await sandbox.http.post("/panel/clock", json={"to": "soon"})
    assert (refused.status_code, "“soon” is no time" in refused.json()["message"]) == (422, True)
    await sandbox.http.post("/panel/clock", json={"to": "2026-01-05 10:00"})
    real = (await sandbox.http.post("/panel/clock", json={"to": "Real time"})).json()["now"]
    assert abs(datetime.fromisoformat(real) - datetime.now(UTC)) < timedelta(seconds=5)


async def test_the_broker_stands_beside_the_chat(sandbox: Sandbox) -> None:
    assert (await sandbox.http.get("/dhan/sandbox/orders")).json()["orders"] == []


async def test_tradingview_sends_again_while_the_server_is_at_fault() -> None:
    async with serving(Webhook([(503, {}), (500, {}), (200, {"ok": 1})])) as webhook:
        delivery = await TradingView(f"{webhook.url}/webhook", pause=0.01).fire("{}")
    assert (delivery.status, delivery.sends) == (200, 3)


async def test_tradingview_gives_up_after_three_resends() -> None:
    async with serving(Webhook([(503, {})])) as webhook:
        delivery = await TradingView(f"{webhook.url}/webhook", pause=0.01).fire("{}")
    assert (delivery.status, delivery.sends, len(webhook.received)) == (503, 4, 4)


@pytest.mark.parametrize("status", [504, 401, 422, 302])
async def test_tradingview_takes_other_answers_as_they_are(status: int) -> None:
    async with serving(Webhook([(status, {})])) as webhook:
        delivery = await TradingView(f"{webhook.url}/webhook", pause=0.01).fire("{}")
    assert (delivery.status, len(webhook.received)) == (status, 1)


async def test_tradingview_loses_an_alert_that_is_answered_too_late() -> None:
    async with serving(Webhook(delay=0.4)) as webhook:
        delivery = await TradingView(f"{webhook.url}/webhook", patience=0.05).fire("{}")
    assert (delivery.status, len(webhook.received)) == (None, 1)


async def test_a_message_that_is_no_json_goes_out_as_text() -> None:
    async with serving(Webhook()) as webhook:
        await TradingView(f"{webhook.url}/webhook").fire('{"quantity": }')
    assert webhook.received[0][0].startswith("text/plain")


def environment(folder: Path, **settings: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "MUNSHI_DATA_DIR": str(folder)} | settings


def test_the_sandbox_refuses_live_mode_with_one_line(tmp_path: Path) -> None:
    live = {"DHAN_CLIENT_ID": "1", "TELEGRAM_BOT_TOKEN": "1:x", "TELEGRAM_OPERATORS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "core.sandbox"],
        env=environment(tmp_path, MUNSHI_MODE="live", **live),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "The sandbox stands in for Dhan and Telegram in paper mode only; MUNSHI_MODE is live."
    ]


async def test_the_process_stops_at_once_while_a_page_and_a_bot_wait(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = (sys.executable, "-m", "core.sandbox")
    process = await asyncio.create_subprocess_exec(*command, env=environment(tmp_path, SANDBOX_PORT=str(port)))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=False) as http:
        await until_answering(http)
        async with http.stream("GET", "/chat/events") as page:
            news = News(page.aiter_lines())
            await news.next("hello")
            poll = asyncio.create_task(
                http.get("/telegram/bot1000000001:paper-desk/getUpdates", params={"timeout": 50}, timeout=60)
            )
            assert (await news.next("surroundings"))["listening"] is True
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 30)  # the bot would have waited for 50 s
        assert (await poll).json() == {"ok": True, "result": []}


async def until_answering(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await http.get("/panel/state")
            except httpx.ConnectError:
                await asyncio.sleep(0.02)
            else:
                return
