"""A whole desk for a test: stand-ins, web and desk as real processes on free ports, spoken to in a trader's words."""

import json
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Column, func, select, update

from core.clock import INDIA, PaperClock
from core.db.attempts import Attempt, of_orders
from core.db.engine import Database
from core.db.migration import migrate
from core.db.orders import of_alert
from core.db.tables import alerts, attempts, cards, changes, events, leases, orders, outbox
from core.db.tokens import TokenVault
from core.sandbox.tradingview import content_type
from core.settings import load
from tests.builders import owes_words
from tests.canary import Answers
from tests.patience import PATIENCE
from tests.ports import find_port
from tests.world.phone import Phone
from tests.world.processes import Process, T, client, until

TUESDAY = "2026-12-01T10:30"
_STARTS_WITHIN = 30.0
_A_LEASE = 20.0  # seconds, after which nobody waits whether a desk still renews it
Commands = dict[str, tuple[str, ...]]
_PLAIN: Commands = {"sandbox": ("-m", "core.sandbox"), "web": ("-m", "webhook"), "desk": ("-m", "bot")}


class World:
    """Use `opened`. The Dhan stand-in's ledger is the oracle: what it does not have was not ordered."""

    def __init__(
        self, folder: Path, commands: Commands, env: dict[str, str] | None = None, address: str | None = None
    ) -> None:
        web_port, sandbox_port = find_port(), find_port()
        elsewhere = {} if address is None else {"database_url": address}
        self.settings = load(munshi_data_dir=folder, port=web_port, sandbox_port=sandbox_port, **elsewhere)
        self._env = {"MUNSHI_DATA_DIR": str(folder), "PORT": str(web_port), "SANDBOX_PORT": str(sandbox_port)}
        self._env |= {name.upper(): text for name, text in elsewhere.items()} | (env or {})
        self.processes = {name: Process(name, command, self._env, folder) for name, command in commands.items()}
        self.sandbox, self.web, self.desk = (self.processes[name] for name in _PLAIN)
        self._second: Process | None = None
        self.clock = PaperClock(self.settings.clock_file)
        self.phone = Phone(self.settings.sandbox_url)
        self._answers = Answers(self.settings)
        self._web_http = client(self.settings.web_url, self._answers.hear)
        self._sandbox_http = client(self.settings.sandbox_url)
        self._serial = count(1)
        self._ordered_before = 0
        self._posted_before = 0

    @classmethod
    @contextmanager
    def closed(
        cls,
        folder: Path,
        commands: Commands | None = None,
        env: dict[str, str] | None = None,
        address: str | None = None,
    ) -> Generator["World"]:
        """A new desk of which nothing runs yet; `commands` run in place of the plain processes of that name.

        Its database is at `address`, or in the folder.
        """
        world = cls(folder, _PLAIN | (commands or {}), env, address)
        migrate(world.settings)
        world.jump(TUESDAY)
        try:
            yield world
        finally:
            world.close()

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, commands: Commands | None = None) -> Generator["World"]:
        """A desk that is ready for business on a Tuesday morning."""
        with cls.closed(folder, commands) as world:
            world.sandbox.start()
            world.outside_is_there()
            world.web.start()
            world.desk.start()
            world.is_open()
            world.settle()
            yield world

    def close(self) -> None:
        for process in reversed(self.processes.values()):
            process.kill()
        self.phone.switch_off()
        self._web_http.close()
        self._sandbox_http.close()
        self._answers.check()

    # The trader's side

    def leg(self, symbol: str = "RELIANCE", **changes: str) -> dict[str, Any]:
        """One share at the market for delivery, in TradingView's fields, changed as named."""
        return {
            "transactionType": "B",
            "orderType": "MKT",
            "quantity": "1",
            "exchange": "NSE",
            "symbol": symbol,
            "instrument": "EQ",
            "productType": "C",
            "price": "0",
            "amoTime": "OPEN_30",
            **changes,
        }

    def alert(self, *legs: dict[str, Any]) -> str:
        """The text of an alert that no alert before was identical to."""
        fired = f"{self.clock.now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return json.dumps(
            {
                "secret": self.settings.webhook_secret.get_secret_value(),
                "alertType": "multi_leg_order",
                "order_legs": [
                    {**leg, "sort_order": str(place)} for place, leg in enumerate(legs or (self.leg(),), start=1)
                ],
                "meta": {"interval": "1D", "timenow": fired, "serial": next(self._serial)},
            }
        )

    def post(self, body: str | bytes, **headers: str) -> httpx.Response:
        """Send a body to the webhook as TradingView does."""
        text = body if isinstance(body, str) else body.decode(errors="replace")
        return self._web_http.post("/webhook", content=body, headers={"Content-Type": content_type(text), **headers})

    def fire(self, *legs: dict[str, Any], prefer_no_wait: bool = False) -> dict[str, Any]:
        """Fire an alert that must be taken; what the webhook answers, with `alert_id` as a number."""
        reply = self.post(self.alert(*legs), **({"Prefer": "wait=0"} if prefer_no_wait else {}))
        return taken(reply)

    def jump(self, to: str) -> None:
        """Make it this time in India, for every process; time runs on from there."""
        self.clock.jump_to(datetime.fromisoformat(to).replace(tzinfo=INDIA))

    def pass_time(self, seconds: float) -> None:
        """Move every process's paper clock on a little."""
        self.clock.jump_to(self.clock.now() + timedelta(seconds=seconds))

    def attempts(self, alert: int) -> list[Attempt]:
        """What our own rows say of the tries at Dhan, oldest first."""
        database = Database(self.settings.database)
        with database.snapshot() as connection:
            found = of_orders(connection, [order.id for order in of_alert(connection, alert)])
        database.close()
        return found

    def count_rows(self) -> dict[str, int]:
        """How much our own rows hold of what an alert leaves behind."""
        database = Database(self.settings.database)
        with database.snapshot() as connection:
            left = (alerts, orders, attempts, events, cards)
            counts = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in left
            }
        database.close()
        return counts

    # The outside world's side

    def ledger(self) -> list[dict[str, Any]]:
        """The orders that Dhan has, of this test."""
        return self._dhan()["orders"][self._ordered_before :]

    def placements(self) -> int:
        """How often an order was posted to Dhan in this test, whatever became of it."""
        return self._dhan()["placements"] - self._posted_before

    def at_dhan(self, method: str, path: str, **more: Any) -> httpx.Response:
        """What the trader does in Dhan's own app: the same account, and the desk's own token."""
        database = Database(self.settings.database)
        with database.snapshot() as connection:
            token = TokenVault(self.settings.token_keys).load(connection, self.settings.client_id)
        database.close()
        assert token
        headers = {"access-token": token.value}
        return self._sandbox_http.request(method, f"/dhan/v2{path}", headers=headers, **more)

    def fault(self, call: str, kind: str, **more: Any) -> None:
        """What Dhan's next such calls shall suffer."""
        self._script("/dhan/sandbox/faults", {"call": call, "kind": kind, **more})

    def faults(self) -> list[dict[str, Any]]:
        """Those that no call has suffered yet."""
        return self._sandbox_http.get("/dhan/sandbox/faults").json()

    def telegram_fault(self, kind: str, **more: Any) -> None:
        self._script("/telegram/sandbox/faults", {"kind": kind, **more})

    def sells_prices(self) -> None:
        """Dhan's paid data plan, without which nobody knows a price."""
        self._script("/dhan/sandbox/data-plan", {"active": True})

    def limits(self, allowed: dict[str, int]) -> None:
        """Dhan's rate limits; {} lifts them all."""
        self._script("/dhan/sandbox/limits", allowed)

    def clear_faults(self) -> None:
        for outside in ("dhan", "telegram"):
            self._sandbox_http.delete(f"/{outside}/sandbox/faults")

    # The machine's side

    def health(self) -> dict[str, Any]:
        return self._web_http.get("/health").json()

    def outside_is_there(self) -> None:
        """Wait for the stand-ins, and listen to the chat."""
        self.until(self._outside_answers, "the stand-ins answer", _STARTS_WITHIN)
        self.phone.switch_on()

    def web_is_there(self) -> None:
        """Wait until it answers, ready or not."""
        self.until(lambda: self._web_says("/ready"), "the web process answers", _STARTS_WITHIN)

    def is_ready(self) -> None:
        self.until(lambda: self._web_says("/ready") == 200, "/ready says 200", _STARTS_WITHIN)

    def is_open(self) -> None:
        """Wait until web and desk know each other: what no exchange lists is refused while its sender waits."""
        self.is_ready()
        self.until(lambda: self.fire(self.leg("NOSUCH"))["order_status"] == "refused", "an alert is decided at once")

    def has_told_all(self) -> None:
        """Wait until nothing is owed to the chat, nor will be repeated."""
        self.until(self._owes_nothing, "all is told")

    def _owes_nothing(self) -> bool:
        database = Database(self.settings.database)
        with database.snapshot() as connection:
            owes = owes_words(connection)
        database.close()
        return not owes

    def restart(self, process: Process) -> None:
        """Start it again, and wait until it does its work."""
        process.start()
        self.web_is_there()
        self.is_open()

    def another_desk(self) -> Process:
        """A second desk on the same database, not started; whoever starts it ends it."""
        self._second = Process("second-desk", _PLAIN["desk"], self._env, self.settings.munshi_data_dir)
        return self._second

    def settle(self) -> None:
        """Begin a test: the outside world in a good mood, a Tuesday morning, a ledger that counts from here."""
        self.clear_faults()
        self.limits({})
        self.jump(TUESDAY)
        self.is_ready()
        self.until(lambda: self.phone.is_calm, "the chat is calm")
        book = self._dhan()
        self._ordered_before, self._posted_before = len(book["orders"]), book["placements"]

    def is_in_order(self) -> bool:
        """Nothing is left over from a test: all run, nothing is held, and no order waits for anything."""
        if not all(process.is_alive for process in self.processes.values()):
            return False
        health = self.health()
        return not (health["holds"] or health["alerts_undecided"] or any(health["orders"].values()))

    def let_lease_run_out(self) -> None:
        """With the desk dead: as if the few seconds had passed for which its lease keeps the next one out."""
        self._age(_A_LEASE, leases.c.renewed_at, leases.c.expires_at)

    def let_time_pass(self, seconds: float) -> None:
        """With the desk down: as if it had been down for so long. Ages every time that the machine's clock gave."""
        lookups = (attempts.c.claimed_at, attempts.c.next_lookup_at)
        calls = (changes.c.due_at, changes.c.sent_at, changes.c.answered_at)
        messages = (cards.c.not_before, outbox.c.not_before)
        self._age(seconds, *lookups, *calls, *messages, leases.c.renewed_at, leases.c.expires_at)

    def _age(self, seconds: float, *columns: Column[datetime]) -> None:
        assert not self.desk.is_alive, "time cannot be skipped under a running desk"
        database = Database(self.settings.database)
        with database.transaction() as connection:
            for column in columns:
                key = next(iter(column.table.primary_key))
                for row, moment in connection.execute(select(key, column).where(column.is_not(None))).all():
                    earlier = {column.name: moment - timedelta(seconds=seconds)}
                    connection.execute(update(column.table).where(key == row).values(earlier))
        database.close()

    def until(self, condition: Callable[[], T | None], words: str, seconds: float = PATIENCE) -> T:
        """Wait for the condition; when it does not come, say so with what the processes said last."""
        try:
            return until(condition, words, seconds)
        except AssertionError as late:
            logs = "\n".join(process.last_words() for process in filter(None, [*self.processes.values(), self._second]))
            raise AssertionError(f"{late}\n{logs}") from None

    def _outside_answers(self) -> bool:
        try:
            return self._sandbox_http.get("/panel/state").is_success
        except httpx.TransportError:
            return False

    def _web_says(self, path: str) -> int | None:
        assert self.web.is_alive, "the web process has ended"
        try:
            return self._web_http.get(path).status_code
        except httpx.TransportError:
            return None

    def _dhan(self) -> dict[str, Any]:
        return self._sandbox_http.get("/dhan/sandbox/orders").json()

    def _script(self, path: str, wish: dict[str, Any]) -> None:
        reply = self._sandbox_http.post(path, json=wish)
        assert reply.status_code == 200, reply.text


def taken(reply: httpx.Response) -> dict[str, Any]:
    """The answer to an alert that must have been taken."""
    assert reply.status_code == 200, reply.text
    answer = reply.json()
    return {**answer, "alert_id": int(answer["alert_id"])}


class Shared:
    """One world for many tests, since a start costs a second; replaced when a test leaves it in disorder."""

    def __init__(self, folder: Path, commands: Commands | None = None) -> None:
        self._folder = folder
        self._commands = commands
        self._numbers = count(1)
        self._opened: AbstractContextManager[World] | None = None
        self._world: World | None = None

    def take(self) -> World:
        if self._world is not None and self._world.is_in_order():
            self._world.settle()
            return self._world
        self.close()
        folder = self._folder / f"world-{next(self._numbers)}"
        folder.mkdir(mode=0o700)
        self._opened = World.opened(folder, self._commands)
        self._world = world = self._opened.__enter__()
        return world

    def close(self) -> None:
        if self._opened is not None:
            self._opened.__exit__(None, None, None)
        self._opened = self._world = None
