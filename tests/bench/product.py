"""Munshi on trial: a migrated data directory, its processes, and the broker beside it."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.clock import INDIA, PaperClock
from core.db.driver import sqlite_driver
from tests.bench.processes import Process, free_port, running

SECRET = "a-secret-of-the-benchmark"
_LIVE = {
    "MUNSHI_MODE": "live",
    "TELEGRAM_BOT_TOKEN": "1000000001:of-the-benchmark",
    "TELEGRAM_OPERATORS": "42",
    "DHAN_CLIENT_ID": "1100000000",
}
TRADING = datetime(2026, 12, 1, 10, 30, tzinfo=INDIA)


@dataclass(frozen=True)
class Munshi:
    """One installation. On paper its clock starts in the middle of a trading day; live it has no broker and no desk."""

    data_dir: Path
    is_live: bool = False
    port: int = field(default_factory=free_port)
    broker_port: int = field(default_factory=free_port)
    sandbox_port: int = field(default_factory=free_port)

    @property
    def settings(self) -> dict[str, str]:
        broker = f"http://127.0.0.1:{self.broker_port}"
        return {
            "MUNSHI_DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "WEBHOOK_SECRET": SECRET,
            "DHAN_API_URL": f"{broker}/dhan/v2",
            "DHAN_AUTH_URL": f"{broker}/dhan-login",
            "DHAN_INSTRUMENTS_URL": f"{broker}/dhan/api-data/api-scrip-master-detailed.csv",
            "DHAN_ORDER_UPDATES_URL": f"ws://127.0.0.1:{self.broker_port}/dhan/order-updates",
            **(_LIVE if self.is_live else {}),
        }

    @property
    def database(self) -> Path:
        return self.data_dir / "munshi.db"

    def process(self, *command: str, **more: str) -> Process:
        return Process(self.data_dir, *command, settings=self.settings | more)

    @contextmanager
    def web(self, **more: str) -> Generator[Process]:
        with running(self.process("webhook", **more)) as web:
            web.wait_for_page(self.port, "/ready", 200, 503)
            yield web

    @contextmanager
    def desk(self, *command: str) -> Generator[Process]:
        """Needs `broker`; `command` is its module with arguments. Given once orders may go out."""
        opened = self.times_opened()
        with running(self.process(*command)) as desk:
            desk.wait_until(lambda: self.times_opened() > opened)
            yield desk

    @contextmanager
    def broker(self, *ledger_dir: str) -> Generator[Process]:
        command = "tests.bench.broker", str(self.data_dir), str(self.broker_port), *ledger_dir
        with running(self.process(*command)) as broker:
            broker.wait_for_port(self.broker_port)
            yield broker

    @contextmanager
    def sandbox(self) -> Generator[Process]:
        with running(self.process("core.sandbox")) as sandbox:
            sandbox.wait_for_port(self.sandbox_port)
            yield sandbox

    def times_opened(self) -> int:
        """How often a desk has opened for business: signed in, and its rows compared with the broker's book."""
        with closing(sqlite_driver().connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT count(*) FROM events WHERE kind = 'starting hold lifted'").fetchone()[0]


def install(data_dir: Path, *, is_live: bool = False) -> Munshi:
    data_dir.mkdir(parents=True, mode=0o700)
    munshi = Munshi(data_dir, is_live)
    PaperClock(data_dir / "clock.json").jump_to(TRADING)
    munshi.process("core", "migrate").finish()
    return munshi
