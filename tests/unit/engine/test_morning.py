"""The morning report: each batch of after-market orders once, after it has been at the exchange for five minutes."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select

from core.db.tables import outbox
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.engine.morning import MOST_TOLD, report_morning
from tests.builders import an_order
from tests.integration.paper_dhan import india

NINE = india("2026-11-26 09:00")


def amo(connection: Connection, reaches: str, state: OrderState = OrderState.FILLED, **values: Any) -> str:
    at = india(f"2026-11-26 {reaches}")
    return an_order(connection, as_amo=True, reaches_exchange_at=at, state=state, **values).label


def reported(connection: Connection, at: str) -> list[list[str]]:
    """The labels of each report that rings at that time."""
    before = connection.execute(select(outbox.c.id)).scalars().all()
    report_morning(connection, at if isinstance(at, datetime) else india(f"2026-11-26 {at}"))
    rows = connection.execute(select(outbox.c.id, outbox.c.kind, outbox.c.payload)).all()
    new = [row for row in rows if row.id not in before]
    assert all(row.kind is Notice.MORNING for row in new)
    return [[order["order"] for order in row.payload["orders"]] for row in new]


def test_each_batch_is_reported_once_five_minutes_after_it_reached_the_exchange(connection: Connection) -> None:
    first, second, third, fourth = (amo(connection, at) for at in ("09:00", "09:15", "09:45", "10:15"))
    times = ["09:19", "09:20", "09:21", "09:50", "09:51", "10:20", "15:00"]
    assert [reported(connection, at) for at in times] == [[], [[first, second]], [], [[third]], [], [[fourth]], []]


def test_a_desk_that_comes_late_reports_all_at_once(connection: Connection) -> None:
    labels = [amo(connection, at) for at in ("09:15", "09:45", "10:15")]
    assert reported(connection, "11:00") == [labels]
    assert reported(connection, "11:01") == []


def test_a_morning_without_such_orders_says_nothing(connection: Connection) -> None:
    an_order(connection, reaches_exchange_at=NINE, state=OrderState.FILLED)
    assert reported(connection, "09:20") == []


def test_yesterdays_orders_are_not_told_again(connection: Connection) -> None:
    an_order(connection, as_amo=True, reaches_exchange_at=india("2026-11-25 09:15"), state=OrderState.FILLED)
    assert reported(connection, "09:20") == []


@pytest.mark.parametrize("state", [OrderState.DECLINED, OrderState.REFUSED, OrderState.QUEUED])
def test_what_was_never_meant_to_go_is_left_out(connection: Connection, state: OrderState) -> None:
    amo(connection, "09:15", state)
    assert reported(connection, "09:20") == []


def test_rejections_come_with_their_reason(connection: Connection) -> None:
    amo(connection, "09:15", OrderState.REJECTED, reason="Not enough money.")
    reported(connection, "09:20")
    payload = connection.execute(select(outbox.c.payload)).scalar_one()
    assert payload["orders"][0]["words"] == "Not enough money."


def test_a_long_list_is_cut_and_says_so(connection: Connection) -> None:
    for _ in range(MOST_TOLD + 3):
        amo(connection, "09:15")
    [told] = reported(connection, "09:20")
    assert len(told) == MOST_TOLD
    assert connection.execute(select(outbox.c.payload)).scalar_one()["more"] == 3


def test_a_report_says_when_its_orders_reached_the_exchange(connection: Connection) -> None:
    for at in ("09:45", "09:15", "09:15"):
        amo(connection, at)
    reported(connection, "09:50")
    reached = connection.execute(select(outbox.c.payload)).scalar_one()["reached"]
    times = [india(f"2026-11-26 {at}") for at in ("09:15", "09:45")]
    assert [datetime.fromisoformat(at) for at in reached] == times
