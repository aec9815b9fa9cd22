"""What senders are told of an alert that is on disk, and which of several copies theirs was."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.db import alerts
from core.db.alerts import StoredAlert
from core.db.engine import Database
from core.domain.alert import AlertState
from core.settings import load
from tests.builders import NOON, fresh_address
from tests.integration.webhook.running_web import SECRET, RunningWeb, an_alert_text, wait_until
from webhook.app import build_app

OVER_A_MINUTE = 61


@pytest.fixture
def text(request: pytest.FixtureRequest) -> str:
    """An alert of the test's own."""
    return an_alert_text(note=request.node.name)


def rows(web: RunningWeb, text: str) -> list[StoredAlert]:
    note = text[text.index('"note"') :]
    return [alert for alert in web.stored() if note in alert.body]


def test_an_alert_is_on_disk_when_its_answer_comes(shared_web: RunningWeb, text: str) -> None:
    reply = shared_web.post(text)
    [stored] = rows(shared_web, text)
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
    assert stored.received_at - NOON < timedelta(minutes=5)


def test_without_a_desk_nobody_is_kept_waiting(shared_web: RunningWeb) -> None:
    replies = [shared_web.post(an_alert_text(note=f"nobody waits {number}")) for number in range(3)]
    assert {reply.json()["order_status"] for reply in replies} == {"accepted"}
    assert min(reply.elapsed for reply in replies) < timedelta(milliseconds=shared_web.settings.webhook_wait_ms)


def test_a_copy_right_after_the_first_is_answered_with_the_firsts_id(shared_web: RunningWeb, text: str) -> None:
    first, again, third = (shared_web.post(text).json() for _ in range(3))
    assert (first["duplicate"], again["duplicate"], third["duplicate"]) == (False, True, True)
    assert first["alert_id"] == again["alert_id"] == third["alert_id"]
    assert [alert.state for alert in rows(shared_web, text)] == [
        AlertState.RECEIVED,
        AlertState.REPEAT,
        AlertState.REPEAT,
    ]


def test_a_body_that_differs_in_a_blank_is_another_alert(shared_web: RunningWeb, text: str) -> None:
    first, other = shared_web.post(text).json(), shared_web.post(text + " ").json()
    assert (first["duplicate"], other["duplicate"]) == (False, False)
    assert first["alert_id"] != other["alert_id"]


def test_the_same_body_is_a_new_alert_after_a_minute(web: RunningWeb, text: str) -> None:
    first = web.post(text).json()
    wait_until(lambda: web.was_answered(int(first["alert_id"])))
    web.move_clock(OVER_A_MINUTE)
    assert not web.post(text).json()["duplicate"]
    received = [alert.id for alert in web.stored() if alert.state is AlertState.RECEIVED]
    assert len(received) == 2
    assert received[0] == int(first["alert_id"])


def test_a_refused_alert_sent_again_is_folded_and_refused_in_the_same_words(shared_web: RunningWeb, text: str) -> None:
    first, again = (shared_web.post(text.replace('"quantity": "1"', '"quantity": "many"')) for _ in range(2))
    assert (first.status_code, again.status_code) == (422, 422)
    assert first.json() == again.json()
    assert [alert.folded for alert in rows(shared_web, text)] == [1]


async def test_an_answer_that_could_not_leave_does_not_count_as_given(tmp_path: Path) -> None:
    """Nor does its sender wait for one any more: the same alert again is a resend, and no second wish."""
    fresh_address(tmp_path)
    settings = load(munshi_data_dir=tmp_path, webhook_secret=SECRET)
    app = build_app(settings)

    async def on_a_line_that_breaks(scope: Any, receive: Any, _send: Any) -> None:
        async def send(_message: Any) -> None:
            raise BrokenPipeError

        await app(scope, receive, send)

    async with app.router.lifespan_context(app):
        broken, whole = (
            httpx.AsyncClient(transport=httpx.ASGITransport(app=each), base_url="http://127.0.0.1")
            for each in (on_a_line_that_breaks, app)
        )
        async with broken, whole:
            with pytest.raises(BrokenPipeError):
                await broken.post("/webhook", content=an_alert_text())
            again = (await whole.post("/webhook", content=an_alert_text())).json()
    assert (again["alert_id"], again["duplicate"]) == ("1", True)
    with closing(Database(settings.database)) as database, database.snapshot() as connection:
        assert [stored.state for stored in alerts.recent(connection, 9)] == [AlertState.RECEIVED]
