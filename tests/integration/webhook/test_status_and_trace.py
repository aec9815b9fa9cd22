"""The pages that tell how the desk is and what became of an alert: who may see them, and that they are safe."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.clock import SystemClock
from core.controls import SAID_TO_ANYONE, Hold, set_hold
from core.db import leases
from core.db.tokens import TokenVault
from tests.builders import NOON, an_alert, an_order
from tests.integration.webhook.running_web import SECRET, RunningWeb, an_alert_text, running_web

ADMIN = "canary-admin-token"
LIVE = {
    "munshi_mode": "live",
    "admin_token": ADMIN,
    "dhan_client_id": "1234567890",
    "telegram_bot_token": "12345:canary",
    "telegram_operators": "42",
}
HOSTILE = '<script>alert("1")</script>'


def a_desk_runs(web: RunningWeb) -> None:
    with web.database.transaction() as connection:
        leases.acquire(connection, holder="desk", nudge_port=9, at=SystemClock().now())


def test_without_a_desk_it_is_not_ready_and_degraded(web: RunningWeb) -> None:
    ready = web.client.get("/ready")
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["no desk is running"])
    health = web.client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["desk_heartbeat_age"] is None


def test_with_a_desk_and_no_holds_it_is_ready(web: RunningWeb) -> None:
    a_desk_runs(web)
    ready = web.client.get("/ready")
    assert (ready.status_code, ready.json()["ready"], ready.json()["reasons"]) == (200, True, [])
    assert web.client.get("/health").json()["status"] == "ok"


@pytest.mark.parametrize("hold", Hold)
def test_a_hold_makes_it_not_ready_in_words_that_name_nobody(web: RunningWeb, hold: Hold) -> None:
    a_desk_runs(web)
    with web.database.transaction() as connection:
        set_hold(connection, hold, "Paused by operator 1000042: order 52261125.", at=NOON, actor="operator 1000042")
    ready, health = web.client.get("/ready"), web.client.get("/health")
    assert (ready.status_code, ready.json()["reasons"]) == (503, [SAID_TO_ANYONE[hold]])
    assert (health.json()["status"], health.json()["holds"]) == ("degraded", {hold: SAID_TO_ANYONE[hold]})
    assert "1000042" not in ready.text + health.text


def test_health_counts_what_waits(web: RunningWeb) -> None:
    with web.database.transaction() as connection:
        an_order(connection)
        an_alert(connection)
    health = web.client.get("/health").json()
    assert health["alerts_undecided"] == 1
    assert health["orders"]["queued"] == 1
    assert health["orders"]["unknown"] == 0
    assert "filled" not in health["orders"]


def test_health_and_ready_tell_no_secret(tmp_path: Path) -> None:
    with running_web(tmp_path, **LIVE) as web:
        now = SystemClock().now()
        with web.database.transaction() as connection:
            TokenVault(SecretStr(web.settings.token_keys.get_secret_value())).store(
                connection,
                "canary-token",
                client_id="1234567890",
                source="totp",
                issued_at=now,
                expires_at=now + timedelta(hours=1),
            )
        pages = [web.client.get(path) for path in ("/health", "/ready", "/openapi.json", "/docs")]
        assert pages[0].json()["mode"] == "live"
        assert pages[0].json()["token_valid"] is True
        assert 3500 < pages[0].json()["token_expires_in"] <= 3600
        assert pages[0].json()["dhan_client"] == "…7890"
        text = "".join(page.text for page in pages)
    assert not [word for word in ("canary", SECRET, ADMIN, "1234567890") if word in text]


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"Authorization": ADMIN},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {ADMIN}"},
        {"Authorization": f"Bearer {SECRET}"},
    ],
)
def test_in_live_mode_the_trace_opens_to_the_admin_token_only(
    live_web: RunningWeb, credentials: dict[str, str]
) -> None:
    for path in ("/trace", "/trace/1", "/trace/nothing"):
        refused = live_web.client.get(path, headers=credentials)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    opened = live_web.client.get("/trace", headers={"Authorization": f"Bearer {ADMIN}"})
    assert opened.status_code == 200


@pytest.fixture(scope="module")
def live_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWeb]:
    with running_web(tmp_path_factory.mktemp("live"), **LIVE) as web:
        yield web


def test_a_hostile_alert_stays_text_on_its_trace(web: RunningWeb) -> None:
    refused = web.post(an_alert_text(symbol=HOSTILE))
    taken = web.post(an_alert_text(symbol="RELIANCE", note=HOSTILE))
    assert (refused.status_code, taken.status_code) == (422, 200)
    for path in ("/trace", f"/trace/{refused.json()['alert_id']}", f"/trace/{taken.json()['alert_id']}"):
        page = web.client.get(path)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "&lt;script&gt;" in web.client.get(f"/trace/{taken.json()['alert_id']}").text


def test_every_word_of_an_order_is_escaped_on_its_trace(web: RunningWeb) -> None:
    with web.database.transaction() as connection:
        order = an_order(connection, symbol=HOSTILE, reason=HOSTILE, broker_order_id=HOSTILE)
    for path in ("/trace", f"/trace/{order.alert_id}"):
        assert "<script" not in web.client.get(path).text
    assert web.client.get(f"/trace/{order.alert_id}").text.count("&lt;script&gt;") >= 3


def test_a_trace_shows_the_alert_as_it_came_without_its_secret(web: RunningWeb) -> None:
    alert_id = web.post(an_alert_text()).json()["alert_id"]
    page = web.client.get(f"/trace/{alert_id}").text
    assert "RELIANCE" in page
    assert "***" in page
    assert SECRET not in page
    assert "Wed 25 Nov 12:00" in page


@pytest.mark.parametrize("alert_id", ["7", "-1", "1e3", "x" * 500, "%3Cscript%3E", "9" * 30, "١"])
def test_an_alert_that_is_not_there_is_not_found(shared_web: RunningWeb, alert_id: str) -> None:
    page = shared_web.client.get(f"/trace/{alert_id}")
    assert page.status_code == 404
    assert "<script" not in page.text


@pytest.mark.parametrize("path", ["/health", "/ready", "/trace", "/trace/1"])
def test_pages_are_read_only(shared_web: RunningWeb, path: str) -> None:
    assert shared_web.client.post(path, content=an_alert_text()).status_code == 405
