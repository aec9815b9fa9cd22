"""What Prometheus is told, as its own parser reads it."""

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from core.clock import PaperClock, SystemClock
from core.controls import Hold, set_hold
from core.db import attempts, leases, orders
from core.db.tokens import TokenVault
from core.domain.alert import AlertState
from core.domain.attempt import AttemptState
from core.domain.order import OrderState
from core.measures import quantile
from tests.builders import NOON, an_alert, an_order
from tests.integration.webhook.running_web import RunningWeb, an_alert_text


def figures(web: RunningWeb) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels."""
    reply = web.client.get("/metrics")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = text_string_to_metric_families(reply.text)
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_an_empty_desk_has_figures_too(web: RunningWeb) -> None:
    found = figures(web)
    assert found["munshi_alerts_total",] == 0
    assert found["munshi_desk_up",] == 0
    assert found["munshi_token_seconds_left",] == 0
    assert found["munshi_orders", "filled"] == 0
    assert {name[1] for name in found if name[0] == "munshi_orders"} == set(OrderState)
    assert {name[1] for name in found if name[0] == "munshi_attempts"} == set(AttemptState)


def test_alerts_orders_and_what_waits_are_counted(web: RunningWeb) -> None:
    with web.database.transaction() as connection:
        an_order(connection)
        an_order(connection, state=OrderState.FILLED)
        an_alert(connection, received_at=NOON - timedelta(minutes=10))
        leases.acquire(connection, holder="desk", nudge_port=9, at=SystemClock().now())
        set_hold(connection, Hold.PAUSED, "Paused.", at=NOON, actor="test")
        at = PaperClock(web.settings.clock_file).now()
        TokenVault(web.settings.token_keys).store(
            connection, "canary", client_id="1", source="totp", issued_at=at, expires_at=at + timedelta(hours=1)
        )
    found = figures(web)
    assert found["munshi_alerts_total",] == 3
    assert (found["munshi_orders", "queued"], found["munshi_orders", "filled"]) == (1, 1)
    assert found["munshi_undecided_alerts",] == 1
    assert 600 <= found["munshi_undecided_seconds",] < 660
    assert found["munshi_desk_up",] == 1
    assert 0 <= found["munshi_desk_heartbeat_seconds",] < 60
    assert found["munshi_hold", "paused"] == 1
    assert 3500 < found["munshi_token_seconds_left",] <= 3600


def test_how_long_the_stages_took_is_told(web: RunningWeb) -> None:
    second = timedelta(seconds=1)
    with web.database.transaction() as connection:
        alert = an_alert(connection, state=AlertState.DECIDED, decided_at=NOON + 2 * second)
        order = an_order(connection, alert_id=alert.id, at=NOON)
        wanted = attempts.Try(order_id=order.id, number=1, name="MU1", request={})
        [attempt] = attempts.start(connection, [wanted], epoch=1, at=NOON + 3 * second)
        attempts.settle(connection, attempt, AttemptState.ACCEPTED, at=NOON + 7 * second)
        for seconds, state in ((3, OrderState.SUBMITTING), (7, OrderState.WORKING), (20, OrderState.FILLED)):
            orders.move(
                connection, orders.get(connection, order.id), state, at=NOON + seconds * second, actor="dhan", reason=""
            )
    found = figures(web)
    stages = {name[2]: value for name, value in found.items() if name[:2] == ("munshi_stage_seconds", "0.5")}
    assert stages == {"decision": 2, "release": 3, "broker": 4, "fill": 13}
    assert web.post(an_alert_text()).status_code == 200
    assert 0 < figures(web)["munshi_stage_seconds", "1", "commit"] < 5


def test_wrong_credentials_are_counted_and_nothing_secret_is_told(web: RunningWeb) -> None:
    web.post(an_alert_text(secret="wrong"))
    assert figures(web)["munshi_refused_calls_total", "answered"] == 1
    text = web.client.get("/metrics").text
    assert not [word for word in ("RELIANCE", "canary", web.settings.client_id) if word in text]


def test_a_quantile_is_one_of_the_values() -> None:
    seconds = [1.0, 2.0, 3.0, 4.0]
    assert [quantile(seconds, share) for share in (0.5, 0.9, 0.99, 1.0)] == [2.0, 4.0, 4.0, 4.0]
    assert quantile([7.0], 0.5) == 7.0
