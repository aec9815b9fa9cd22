"""An alert's sender is told what the desk made of it, when the desk makes up its mind in time."""

import socket
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.clock import SystemClock, monotonic
from core.controls import Hold, lift_hold, set_hold
from core.db import alerts, leases
from core.db.tables import leases as lease_rows
from core.domain.alert import AlertState
from core.domain.order import OrderState
from tests.builders import NOON, an_order
from tests.integration.webhook.running_web import SECRET, RunningWeb, an_alert_text, running_web, wait_until

PATIENCE = 0.4


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWeb]:
    with running_web(tmp_path_factory.mktemp("web"), webhook_wait_ms=int(PATIENCE * 1000)) as web:
        yield web


class StandInDesk:
    """Holds the lease and listens for nudges; what it decides, the test says."""

    def __init__(self, web: RunningWeb, ear: socket.socket) -> None:
        self._web = web
        self._ear = ear

    def hear(self) -> int:
        """Wait for the next nudge; the newest alert's id."""
        assert self._ear.recv(16)
        return self._web.stored()[-1].id

    def hears_something(self) -> bool:
        self._ear.setblocking(False)
        try:
            return bool(self._ear.recv(16))
        except BlockingIOError:
            return False
        finally:
            self._ear.settimeout(30)

    def decide(self, alert_id: int, state: OrderState, reason: str = "") -> None:
        with self._web.database.transaction() as connection:
            stored = alerts.get(connection, alert_id)
            assert stored
            an_order(connection, alert_id=alert_id, state=state, reason=reason)
            alerts.decided(connection, stored, AlertState.DECIDED, at=NOON, reason="")

    @contextmanager
    def hold(self, reason: str) -> Generator[None]:
        with self._web.database.transaction() as connection:
            set_hold(connection, Hold.SIGNED_OUT, reason, at=NOON, actor="desk")
        yield
        with self._web.database.transaction() as connection:
            lift_hold(connection, Hold.SIGNED_OUT, at=NOON, actor="desk")


@pytest.fixture(scope="module")
def desk(web: RunningWeb) -> Iterator[StandInDesk]:
    """One that the web process has noticed: its lease is good for longer than any test."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(30)
        now = SystemClock().now()
        with web.database.transaction() as connection:
            leases.acquire(connection, holder="desk", nudge_port=ear.getsockname()[1], at=now)
            connection.execute(update(lease_rows).values(expires_at=now + timedelta(minutes=5)))
        desk = StandInDesk(web, ear)
        wait_until(lambda: web.post(f'{{"secret": "{SECRET}"}}', Prefer="wait=0") and desk.hears_something())
        yield desk


class Posting:
    """An alert on its way, whose sender waits."""

    def __init__(self, web: RunningWeb) -> None:
        self._waiter = ThreadPoolExecutor(max_workers=1)
        self._reply = self._waiter.submit(web.post, an_alert_text(note=f"{monotonic()}"))

    def answer(self) -> dict[str, Any]:
        reply = self._reply.result(timeout=30)
        self._waiter.shutdown()
        assert reply.status_code == 200
        return reply.json()


def test_the_answer_says_what_the_desk_decided_meanwhile(web: RunningWeb, desk: StandInDesk) -> None:
    posting = Posting(web)
    alert_id = desk.hear()
    desk.decide(alert_id, OrderState.WORKING, "Dhan has the order.")
    answer = posting.answer()
    assert (answer["alert_id"], answer["order_status"]) == (str(alert_id), "placed")
    assert (answer["placement_mode"], answer["message"]) == ("immediate", "Dhan has the order.")
    [order] = answer["orders"]
    assert (order["id"], order["state"], order["symbol"]) == (f"{alert_id}.1", "working", "RELIANCE")
    assert order["release_at"] == "2026-11-25T12:00:00+05:30"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (OrderState.AWAITING_APPROVAL, "awaiting_approval"),
        (OrderState.REJECTED, "rejected"),
        (OrderState.REFUSED, "refused"),
    ],
)
def test_the_answer_does_not_call_placed_what_is_not(
    web: RunningWeb, desk: StandInDesk, state: OrderState, status: str
) -> None:
    posting = Posting(web)
    desk.decide(desk.hear(), state, "Because.")
    assert posting.answer()["order_status"] == status


def test_an_order_that_only_a_hold_keeps_back_is_called_held_with_the_reason(
    web: RunningWeb, desk: StandInDesk
) -> None:
    with desk.hold("Signed out: open the link."):
        posting = Posting(web)
        desk.decide(desk.hear(), OrderState.QUEUED)
        answer = posting.answer()
    assert answer["order_status"] == "held"
    assert answer["message"] == "Held. Signed out: open the link."


def test_a_desk_that_decides_nothing_is_waited_for_as_long_as_set_and_no_longer(
    web: RunningWeb, desk: StandInDesk
) -> None:
    began = monotonic()
    assert web.post(an_alert_text(note=f"{monotonic()}")).json()["order_status"] == "accepted"
    assert monotonic() - began > PATIENCE * 0.9
    desk.hear()


def test_an_alert_in_doubt_is_never_called_placed(web: RunningWeb, desk: StandInDesk) -> None:
    posting = Posting(web)
    desk.decide(desk.hear(), OrderState.UNKNOWN, "Nobody knows.")
    assert posting.answer()["order_status"] == "accepted"


def test_whoever_asks_not_to_wait_is_answered_after_the_commit(web: RunningWeb, desk: StandInDesk) -> None:
    took: list[timedelta] = []
    for _ in range(3):
        reply = web.post(an_alert_text(note=f"{monotonic()}"), Prefer="wait=0")
        assert (reply.json()["order_status"], reply.json()["alert_id"]) == ("accepted", str(desk.hear()))
        took.append(reply.elapsed)
    assert min(took) < timedelta(seconds=PATIENCE)


def test_a_copy_after_its_sender_left_unanswered_is_folded_into_the_first(web: RunningWeb, desk: StandInDesk) -> None:
    body = an_alert_text(note=f"{monotonic()}").encode()
    with socket.create_connection(("127.0.0.1", web.port), timeout=30) as leaving:
        leaving.sendall(b"POST /webhook HTTP/1.1\r\nHost: desk\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        first = desk.hear()
    desk.decide(first, OrderState.WORKING)

    def a_copy_was_folded() -> bool:
        assert web.post(body, Prefer="wait=0").json()["alert_id"] == str(first)
        return any(alert.folded for alert in web.stored() if alert.id == first)

    wait_until(a_copy_was_folded)
    copies = [alert for alert in web.stored() if alert.body == alerts_body(web, first)]
    assert [alert.state for alert in copies if alert.state is not AlertState.REPEAT] == [AlertState.DECIDED]
    while desk.hears_something():
        pass


def alerts_body(web: RunningWeb, alert_id: int) -> str:
    return next(alert.body for alert in web.stored() if alert.id == alert_id)
