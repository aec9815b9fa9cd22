"""Four web processes and two desks on one database, any of which dies at any moment: each alert becomes one order.

MUNSHI_TEST_ALERTS says how many are fired (2,000 for the full run), MUNSHI_TEST_SEED which of them dies when.
"""

import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

import httpx
import pytest
from sqlalchemy import Connection, select

from core import approvals, controls, policies
from core.approvals import Tap
from core.clock import monotonic
from core.db.attempts import of_orders
from core.db.engine import Database
from core.db.tables import alerts, orders
from core.domain.order import OrderState
from core.settings import PaperAccount
from tests.ports import find_port
from tests.world import World
from tests.world.processes import Process, client, until

ALERTS = int(os.environ.get("MUNSHI_TEST_ALERTS", "50"))
SEED = int(os.environ.get("MUNSHI_TEST_SEED", "1"))
WEBS, DESKS, SENDERS = 4, 2, 8
PATIENCE = 60.0 + ALERTS / 5
LONGEST = 5 * PATIENCE
SETTLED = 75.0  # seconds; absence is believed from 60 on
SETTLED_OR_ASKED = [state for state in OrderState if state.is_final or state is OrderState.NEEDS_OPERATOR]
UNPACED = ("-m", "tests.bench.desk")
"""The desk's own loop, without the pace that Dhan asks for and without a chat, which would take an hour."""


class Fleet:
    """The processes, and how often each kind was killed."""

    def __init__(self, world: World, address: str) -> None:
        self.world = world
        env = {"MUNSHI_DATA_DIR": str(world.settings.munshi_data_dir), "DATABASE_URL": address}
        env |= {"SANDBOX_PORT": str(world.settings.sandbox_port)}
        folder = world.settings.munshi_data_dir
        self.ports = [find_port() for _ in range(WEBS)]
        self.webs = [
            Process(f"web-{port}", ("-m", "webhook"), env | {"PORT": str(port)}, folder) for port in self.ports
        ]
        self.desks = [Process(f"desk-{number}", UNPACED, env, folder) for number in range(DESKS)]
        self.kills: Counter[str] = Counter()

    @property
    def all(self) -> list[Process]:
        return self.webs + self.desks

    def start(self) -> None:
        for process in self.all:
            process.start()
        for port in self.ports:
            self.world.until(lambda port=port: self._is_ready(port), f"the web process at {port} is ready")

    def end(self) -> None:
        for process in self.all:
            process.kill()

    def kill_one(self, dice: random.Random) -> None:
        victim = dice.choice(self.all)
        victim.kill()
        self.kills[victim.name.partition("-")[0]] += 1
        victim.start()

    def revive(self) -> None:
        """A desk ends by itself when another one took over."""
        for process in self.all:
            if not process.is_alive:
                process.start()

    def _is_ready(self, port: int) -> bool:
        self.revive()
        try:
            return httpx.get(f"http://127.0.0.1:{port}/ready", trust_env=False, verify=False).status_code == 200
        except httpx.TransportError:
            return False


class Senders:
    """Fire alerts at any of the web processes, each until it is taken, as a patient TradingView would."""

    def __init__(self, world: World, ports: list[int]) -> None:
        self._world = world
        self._ports = ports
        self._bodies: SimpleQueue[str] = SimpleQueue()
        self.taken: list[int] = []
        self.tries = 0
        for _ in range(ALERTS):
            self._bodies.put(world.alert())
        self._threads = [threading.Thread(target=self._send, args=(number,), daemon=True) for number in range(SENDERS)]

    @contextmanager
    def firing(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        yield
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def are_done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _send(self, number: int) -> None:
        dice = random.Random(f"{SEED}-{number}")
        clients = [client(f"http://127.0.0.1:{port}") for port in self._ports]
        while True:
            try:
                body = self._bodies.get_nowait()
            except Empty:
                break
            while not self._is_taken(dice.choice(clients), body):
                pass
        for each in clients:
            each.close()

    def _is_taken(self, web: httpx.Client, body: str) -> bool:
        self.tries += 1
        headers = {"Content-Type": "application/json", "Prefer": "wait=0"}
        try:
            reply = web.post("/webhook", content=body, headers=headers, timeout=10)
        except httpx.TransportError:
            return False
        if reply.status_code != 200:
            return False
        self.taken.append(int(reply.json()["alert_id"]))
        return True


@pytest.fixture
def fleet(address: str, tmp_path: Path) -> Iterator[Fleet]:
    with World.closed(tmp_path, address=address) as world:
        world.sandbox.start()
        world.outside_is_there()
        world.limits({})
        _let_no_alert_grow_old(world, address)
        fleet = Fleet(world, address)
        try:
            fleet.start()
            yield fleet
        finally:
            fleet.end()


def test_every_alert_becomes_one_order_whoever_is_killed(fleet: Fleet, address: str) -> None:
    world, dice = fleet.world, random.Random(SEED)
    senders = Senders(world, fleet.ports)
    with senders.firing(), closing(Database(address)) as database:
        until_then = monotonic() + LONGEST
        while not (senders.are_done() and len(_now_in(database, *SETTLED_OR_ASKED)) >= ALERTS * 9 // 10):
            assert monotonic() < until_then, "the processes come to nothing while all keep dying"
            _let_some_happen(world, dice)
            fleet.kill_one(dice)
            fleet.revive()
    assert len(set(senders.taken)) == ALERTS

    asked = _answer_what_is_asked(fleet, address)
    ledger = world.ledger()
    print(f"{ALERTS} alerts, {senders.tries} posts, killed {dict(fleet.kills)}, sent again by a person: {asked}")
    names = Counter(row["correlationId"] for row in ledger)
    assert [name for name, times in names.items() if times > 1] == []
    owners = _alerts_by_name(address)
    assert Counter(owners[name] for name in names) == Counter(set(senders.taken))
    assert len(ledger) == ALERTS


def _let_no_alert_grow_old(world: World, address: str) -> None:
    """While all keep dying, some alerts are decided only after minutes, and would ask a person."""
    with closing(Database(address)) as database, database.transaction() as connection:
        controls.put(connection, policies.KEY, {"stale": 86_400}, at=world.clock.now(), actor="test")


def _let_some_happen(world: World, dice: random.Random) -> None:
    """Until the ledger has grown by a few, or for a moment: whoever is killed is in the middle of something."""
    before, more, looks = len(world.ledger()), dice.randint(1, 8 + ALERTS // 50), iter(range(dice.randint(5, 60)))
    until(lambda: len(world.ledger()) >= before + more or next(looks, None) is None, "something happens")


def _answer_what_is_asked(fleet: Fleet, address: str) -> int:
    """Settle what was under way when a desk was killed; Dhan provably lacks the rest, which a person sends again."""
    in_flight = [OrderState.QUEUED, OrderState.SUBMITTING, OrderState.WORKING]

    def is_quiet() -> bool:
        fleet.revive()
        with database.snapshot() as connection:
            undecided = connection.execute(select(alerts.c.id).where(alerts.c.state == "received")).first()
            return not undecided and not _in(connection, *in_flight)

    database = Database(address)
    world = fleet.world
    try:
        world.until(is_quiet, "the desks have done what they can", PATIENCE)
        for desk in fleet.desks:
            desk.stop()
        world.let_time_pass(SETTLED)
        fleet.revive()
        world.until(lambda: is_quiet() and not _now_in(database, OrderState.UNKNOWN), "no order is in doubt", PATIENCE)
        asked = _now_in(database, OrderState.NEEDS_OPERATOR)
        for alert_id in asked:
            with database.transaction() as connection:
                version = connection.execute(select(alerts.c.card_version).where(alerts.c.id == alert_id)).scalar_one()
                tap = Tap(alert_id=alert_id, version=version, user_id=PaperAccount.OPERATOR_ID, at=world.clock.now())
                approvals.send_again(connection, tap)
        world.until(lambda: len(world.ledger()) >= ALERTS and is_quiet(), "what was sent again arrives", PATIENCE)
    finally:
        database.close()
    return len(asked)


def _now_in(database: Database, *states: OrderState) -> list[int]:
    with database.snapshot() as connection:
        return _in(connection, *states)


def _in(connection: Connection, *states: OrderState) -> list[int]:
    return list(connection.execute(select(orders.c.alert_id).where(orders.c.state.in_(states))).scalars())


def _alerts_by_name(address: str) -> dict[str, int]:
    """Whose order each name at Dhan is."""
    database = Database(address)
    with database.snapshot() as connection:
        of_alert = {row.id: row.alert_id for row in connection.execute(select(orders.c.id, orders.c.alert_id))}
        found = {each.correlation_id: of_alert[each.order_id] for each in of_orders(connection, list(of_alert))}
    database.close()
    return found
