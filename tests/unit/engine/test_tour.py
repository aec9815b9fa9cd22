"""The tour's alert: it asks under every policy, and says so truly."""

import pytest
from sqlalchemy import Connection

from core import controls, tour
from core.broker.dhan.instruments import InstrumentList
from core.db import orders
from core.domain.order import OrderState
from tests.builders import CALENDAR, NOON
from tests.unit.engine.rows import OPERATOR


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("queued", "The tour asks under every policy."),
        ("never", "The tour asks under every policy."),
        ("always", "You approve every order."),
    ],
)
def test_it_asks_and_says_that_you_approve_every_order_only_where_you_do(
    connection: Connection, listed: InstrumentList, policy: str, why: str
) -> None:
    controls.put(connection, "policies", {"approval": policy}, at=NOON, actor="operator 42")
    alert, is_open = tour.fire(connection, user_id=OPERATOR, resolve=listed.resolve, calendar=CALENDAR, now=NOON)
    [order] = orders.of_alert(connection, alert)
    assert (order.state, is_open) == (OrderState.AWAITING_APPROVAL, True)
    assert order.reason == f"{why} The market is open until 15:15."
