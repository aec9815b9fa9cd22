"""The web process's application behind real HTTP on loopback, on a thread of this process."""

import json
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from sqlalchemy import select

from core.clock import PaperClock, monotonic
from core.db import alerts, tables
from core.db.alerts import StoredAlert
from core.db.engine import Database
from core.settings import Settings, load
from tests.builders import NOON, address_of, fresh_address, locked
from tests.canary import Answers
from tests.patience import PATIENCE
from webhook.app import build_app
from webhook.crowd import Crowd
from webhook.failures import Failures
from webhook.server import server_config

SECRET = "canary-secret-of-the-webhook"
LEG = {
    "transactionType": "B",
    "orderType": "MKT",
    "quantity": "1",
    "exchange": "NSE",
    "symbol": "RELIANCE",
    "instrument": "EQ",
    "productType": "C",
    "sort_order": "1",
    "price": "0",
}


def an_alert_text(*, secret: str | None = SECRET, note: str = "", **leg: Any) -> str:
    """An alert as TradingView sends it; `note` makes its bytes different from another one's."""
    alert = {"secret": secret, "alertType": "multi_leg_order", "order_legs": [LEG | leg], "note": note}
    return json.dumps({name: value for name, value in alert.items() if value not in (None, "")})


class RunningWeb:
    """Speaks to the server as senders do, and looks into its database."""

    def __init__(
        self, settings: Settings, port: int, client: httpx.Client, database: Database, answers: Answers
    ) -> None:
        self.settings = settings
        self.answers = answers
        self.port = port
        self.client = client
        self.database = database

    def post(self, text: str | bytes, **headers: str) -> httpx.Response:
        return self.client.post("/webhook", content=text, headers=headers)

    def stored(self) -> list[StoredAlert]:
        with self.database.snapshot() as connection:
            return alerts.recent(connection, 1000)[::-1]

    def was_answered(self, alert_id: int) -> bool:
        """Whether it is written down that the sender had a reply."""
        with self.database.snapshot() as connection:
            query = select(tables.alerts.c.answered_at).where(tables.alerts.c.id == alert_id)
            return connection.execute(query).scalar_one() is not None

    def move_clock(self, seconds: float) -> None:
        clock = PaperClock(self.settings.clock_file)
        clock.jump_to(clock.now() + timedelta(seconds=seconds))

    def send_raw(self, *pieces: bytes, wait: float = 5.0) -> bytes:
        """Write to a socket of its own and read until the server closes it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            for piece in pieces:
                connection.sendall(piece)
            answer = b""
            while chunk := connection.recv(65_536):
                answer += chunk
            self.answers.hear_raw(answer)
            return answer

    @contextmanager
    def locked(self) -> Generator[None]:
        """Another process is in the middle of a write."""
        with locked(address_of(self.database)):
            yield


@contextmanager
def running_web(
    folder: Path, crowd: Crowd | None = None, failures: Failures | None = None, **settings: Any
) -> Generator[RunningWeb]:
    """A web process on a fresh database; in paper mode unless the settings say otherwise, and patient with failures."""
    fresh_address(folder)
    loaded = load(munshi_data_dir=folder, **{"webhook_secret": SECRET, **settings})
    app = build_app(loaded, failures or Failures(per_address=1_000_000, altogether=1_000_000))
    answers = Answers(loaded)
    if loaded.paper:
        PaperClock(loaded.clock_file).jump_to(NOON)
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        serving(uvicorn.Server(server_config(app, loaded, crowd)), listening),
        closing(Database(loaded.database)) as database,
        httpx.Client(
            base_url=f"http://127.0.0.1:{listening.getsockname()[1]}",
            event_hooks={"response": [answers.hear]},
            trust_env=False,
            verify=False,
        ) as client,
    ):
        yield RunningWeb(loaded, listening.getsockname()[1], client, database, answers)
    answers.check()


@contextmanager
def serving(server: uvicorn.Server, listening: socket.socket) -> Generator[None]:
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def wait_until(condition: Callable[[], object]) -> None:
    """Let other threads run until the condition holds; and give up after `PATIENCE` seconds."""
    began = monotonic()
    while not condition():
        assert monotonic() - began < PATIENCE, "it did not come to pass"
        time.sleep(0.002)
