"""What senders are told: the truth at answering time, and which of several copies theirs was."""

import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from core.clock import SystemClock, monotonic
from core.controls import Hold, set_hold
from core.db import alerts, leases
from core.domain.alert import AlertState
from core.domain.order import OrderState
from tests.builders import NOON, an_order
from tests.integration.webhook.running_web import SECRET, RunningWeb, an_alert_text, wait_until

OVER_A_MINUTE = 61


class StandInDesk:
    """Holds the lease and listens for nudges; what it decides, the test says."""

    def __init__(self, web: RunningWeb, ear: socket.socket) -> None:
        self._web = web
        self._ear = ear

    def hear(self) -> None:
        """Wait for the next nudge."""
        assert self._ear.recv(16)

    def decide(self, alert_id: int, state: OrderState, reason: str = "") -> None:
        with self._web.database.transaction() as connection:
            stored = alerts.get(connection, alert_id)
            assert stored
            an_order(connection, alert_id=alert_id, state=state, reason=reason)
            alerts.decided(connection, stored, AlertState.DECIDED, at=NOON, reason="")

    def hold(self, reason: str) -> None:
        with self._web.database.transaction() as connection:
            set_hold(connection, Hold.SIGNED_OUT, reason, at=NOON, actor="desk")


@contextmanager
def a_desk(web: RunningWeb) -> Generator[StandInDesk]:
    """A desk whose lease lasts for the test, and that the web process has noticed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(5)

        def take_lease(connection: Connection) -> None:
            leases.acquire(connection, holder="desk", nudge_port=ear.getsockname()[1], at=SystemClock().now())
            connection.execute(leases.leases.update().values(expires_at=SystemClock().now() + leases.LASTS * 10))

        with web.database.transaction() as connection:
            take_lease(connection)
        ear.setblocking(False)
        wait_until(lambda: noticed(web, ear))
        ear.settimeout(5)
        yield StandInDesk(web, ear)


def noticed(web: RunningWeb, ear: socket.socket) -> bool:
    web.post("{" + f'"secret": "{SECRET}"' + "}", Prefer="wait=0")
    try:
        return bool(ear.recv(16))
    except BlockingIOError:
        return False


def test_an_alert_is_on_disk_when_its_answer_comes(web: RunningWeb) -> None:
    reply = web.post(an_alert_text())
    [stored] = web.stored()
    assert reply.status_code == 200
    assert reply.json() == {
        "status": "success",
        "alert_id": str(stored.id),
        "order_status": "accepted",
        "placement_mode": None,
        "duplicate": False,
        "orders": [],
        "message": "Stored.",
    }
    assert stored.state is AlertState.RECEIVED
    assert stored.received_at - NOON < leases.LASTS


def test_without_a_desk_nobody_is_kept_waiting(web: RunningWeb) -> None:
    began = monotonic()
    assert web.post(an_alert_text()).json()["order_status"] == "accepted"
    assert monotonic() - began < 0.5


def test_a_copy_right_after_the_first_is_answered_with_the_firsts_id(web: RunningWeb) -> None:
    first, again, third = (web.post(an_alert_text()).json() for _ in range(3))
    assert (first["duplicate"], again["duplicate"], third["duplicate"]) == (False, True, True)
    assert first["alert_id"] == again["alert_id"] == third["alert_id"]
    assert [alert.state for alert in web.stored()] == [AlertState.RECEIVED, AlertState.REPEAT, AlertState.REPEAT]


def test_a_body_that_differs_in_a_blank_is_another_alert(web: RunningWeb) -> None:
    first, other = web.post(an_alert_text()).json(), web.post(an_alert_text() + " ").json()
    assert (first["duplicate"], other["duplicate"]) == (False, False)
    assert first["alert_id"] != other["alert_id"]


def test_the_same_body_is_a_new_alert_after_a_minute(web: RunningWeb) -> None:
    first = web.post(an_alert_text()).json()
    web.move_clock(OVER_A_MINUTE)
    again = web.post(an_alert_text()).json()
    assert again["duplicate"] is False
    assert again["alert_id"] != first["alert_id"]


def test_a_refused_alert_sent_again_is_folded_and_refused_in_the_same_words(web: RunningWeb) -> None:
    first, again = (web.post(an_alert_text(quantity="many")) for _ in range(2))
    assert (first.status_code, again.status_code) == (422, 422)
    assert first.json() == again.json()
    assert [alert.folded for alert in web.stored()] == [1]


def test_the_answer_says_what_the_desk_decided_meanwhile(web: RunningWeb) -> None:
    with a_desk(web) as desk, Posting(web) as posting:
        desk.hear()
        stored = posting.row()
        desk.decide(stored, OrderState.WORKING, "Dhan has the order.")
        answer = posting.answer()
    assert (answer["order_status"], answer["placement_mode"]) == ("placed", "immediate")
    assert answer["message"] == "Dhan has the order."
    [order] = answer["orders"]
    assert (order["id"], order["state"], order["symbol"]) == (f"{stored}.1", "working", "RELIANCE")
    assert order["release_at"] == "2026-11-25T12:00:00+05:30"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (OrderState.AWAITING_APPROVAL, "awaiting_approval"),
        (OrderState.REJECTED, "rejected"),
        (OrderState.REFUSED, "refused"),
    ],
)
def test_the_answer_does_not_say_placed_of_what_is_not(web: RunningWeb, state: OrderState, status: str) -> None:
    with a_desk(web) as desk, Posting(web) as posting:
        desk.hear()
        desk.decide(posting.row(), state, "Because.")
        assert posting.answer()["order_status"] == status


def test_an_order_that_only_a_hold_keeps_back_is_called_held_with_the_reason(web: RunningWeb) -> None:
    with a_desk(web) as desk, Posting(web) as posting:
        desk.hear()
        desk.hold("Signed out: open the link.")
        desk.decide(posting.row(), OrderState.QUEUED)
        answer = posting.answer()
    assert answer["order_status"] == "held"
    assert "Signed out: open the link." in answer["message"]


def test_a_desk_that_decides_nothing_is_waited_for_as_long_as_set_and_no_longer(web: RunningWeb) -> None:
    with a_desk(web):
        began = monotonic()
        assert web.post(an_alert_text()).json()["order_status"] == "accepted"
        assert 0.7 < monotonic() - began < 1.6


def test_whoever_asks_not_to_wait_is_answered_after_the_commit(web: RunningWeb) -> None:
    with a_desk(web):
        began = monotonic()
        answer = web.post(an_alert_text(), Prefer="wait=0").json()
        assert monotonic() - began < 0.5
    assert answer["order_status"] == "accepted"
    assert web.stored()[-1].id == int(answer["alert_id"])


def test_a_sender_that_left_without_its_answer_sends_a_resend(web: RunningWeb) -> None:
    body = an_alert_text().encode()
    with a_desk(web) as desk:
        with socket.create_connection(("127.0.0.1", web.port), timeout=5) as leaving:
            leaving.sendall(b"POST /webhook HTTP/1.1\r\nHost: desk\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            desk.hear()
        first = web.stored()[-1].id
        wait_until(lambda: web.post(body, Prefer="wait=0").json()["alert_id"] == str(first))
        wait_until(lambda: web.stored()[-1].folded or web.post(body, Prefer="wait=0"))
    assert [alert.state for alert in web.stored() if alert.repeat_of is None][-1] is AlertState.RECEIVED
