"""A running sandbox for tests: its chat, a real bot client, and a clock for its queues that a test moves by hand."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr
from telegram import Bot
from telegram.request import HTTPXRequest

from bot.updates import UpdatesRequest
from core.clock import PaperClock
from core.sandbox.__main__ import Server
from core.sandbox.app import build
from core.sandbox.dhan import HangUpProtocol
from core.sandbox.telegram.chat import Chat
from core.settings import PaperAccount, load
from tests.patience import PATIENCE

OPERATOR = PaperAccount.OPERATOR_ID
STRANGER = 7
SECRET = SecretStr("a-webhook-secret-for-tests")


@dataclass
class HandClock:
    """A clock that a test moves by hand."""

    instant: datetime = field(default_factory=lambda: datetime(2026, 11, 25, 5, 0, tzinfo=UTC))

    def now(self) -> datetime:
        return self.instant

    def pass_time(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


@dataclass
class Sandbox:
    url: str
    bot: Bot
    machine: HandClock
    clock: PaperClock
    http: httpx.AsyncClient
    chat: Chat

    async def act(self, **action: Any) -> dict[str, Any]:
        answer = await self.http.post("/telegram/sandbox/updates", json=action)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def fault(self, **fault: Any) -> None:
        assert (await self.http.post("/telegram/sandbox/faults", json=fault)).status_code == 200

    async def messages(self) -> list[dict[str, Any]]:
        return (await self.http.get("/telegram/sandbox/messages")).json()["messages"]


@asynccontextmanager
async def running(
    folder: Path, *, web_url: str = "http://127.0.0.1:9", in_real_time: bool = False
) -> AsyncGenerator[Sandbox]:
    """Serve it on a free port; its data is in `folder`, the product's web process is expected at `web_url`."""
    machine, clock = HandClock(), PaperClock(folder / "clock.json")
    settings = load(munshi_data_dir=folder, public_url=web_url, webhook_secret=SECRET)
    chat = Chat(folder, clock, None if in_real_time else machine)
    app = build(settings, clock, chat)
    server = Server(uvicorn.Config(app, port=0, http=HangUpProtocol, lifespan="off", log_level="critical"), chat)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(PATIENCE):
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.005)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=url, verify=False) as http, make_bot(url) as bot:
            yield Sandbox(url, bot, machine, clock, http, chat)
    finally:
        server.should_exit = True
        await task
        chat.store.close()


def make_bot(url: str, token: str = PaperAccount.BOT_TOKEN) -> Bot:
    bare = {"verify": False}  # plain HTTP needs no certificates
    return Bot(
        token,
        base_url=f"{url}/telegram/bot",
        base_file_url=f"{url}/telegram/file/bot",
        request=HTTPXRequest(httpx_kwargs=bare),
        get_updates_request=UpdatesRequest(httpx_kwargs=bare),
    )
