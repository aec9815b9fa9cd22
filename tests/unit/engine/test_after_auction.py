"""What waited beside a closing auction, once the auction takes no more orders."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from core import notifications
from core.db.tables import cards
from core.domain.alert import OrderType
from core.domain.order import Mode, Order, OrderState
from core.engine.timers import anything_is_due, run_due
from tests.builders import CALENDAR, an_order
from tests.integration.paper_dhan import india
from tests.unit.engine.rows import again

IN_AUCTION, OPEN = india("2026-11-25 15:20"), india("2026-11-26 09:15")
DURING = "Closing auction until 15:35: it waits for the open, Thu 26 Nov 09:15."
AFTER = "The session is over: it waits for the open, Thu 26 Nov 09:15."
MARKET, LIMIT, STOP = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT
ASKED, QUEUED = OrderState.AWAITING_APPROVAL, OrderState.QUEUED


def waiting(connection: Connection, **values: Any) -> Order:
    """Came while the closing auction ran, and waits for the next open."""
    ends = india("2026-11-26 15:14:58")
    facts = {"mode": Mode.QUEUE, "release_at": OPEN, "reaches_exchange_at": OPEN, "reason": DURING}
    order = an_order(connection, **{"at": IN_AUCTION, **facts, "expires_at": ends, "window_ends_at": ends, **values})
    notifications.open_cards(connection, order.alert_id, IN_AUCTION)
    connection.execute(cards.update().values(due_at=None))
    return order


def pass_to(connection: Connection, now: datetime) -> None:
    if anything_is_due(connection, CALENDAR, now):
        run_due(connection, CALENDAR, now)


def is_redrawn(connection: Connection) -> bool:
    return any(connection.execute(select(cards.c.due_at)).scalars())


@pytest.mark.parametrize(("order_type", "ends"), [(MARKET, "15:25"), (LIMIT, "15:28"), (STOP, "15:35")])
def test_the_card_is_drawn_anew_once_when_the_auction_takes_the_order_no_more(
    connection: Connection, order_type: OrderType, ends: str
) -> None:
    order, end = waiting(connection, order_type=order_type), india(f"2026-11-25 {ends}")
    pass_to(connection, end - timedelta(seconds=1))
    assert (again(connection, order), is_redrawn(connection)) == (order, False)
    pass_to(connection, end)
    told = again(connection, order)
    assert (told.reason, told.state, told.release_at, is_redrawn(connection)) == (AFTER, QUEUED, OPEN, True)
    pass_to(connection, india("2026-11-25 15:40"))
    assert again(connection, order) == told


def test_a_desk_that_was_down_meanwhile_tells_it_in_the_morning(connection: Connection) -> None:
    order = waiting(connection)
    pass_to(connection, india("2026-11-26 08:00"))
    assert again(connection, order).reason == AFTER


def test_why_it_asks_stays_with_a_question(connection: Connection) -> None:
    order = waiting(connection, state=ASKED, reason=f"You approve every order. {DURING}")
    pass_to(connection, india("2026-11-25 15:25"))
    told = again(connection, order)
    assert (told.state, told.reason) == (ASKED, f"You approve every order. {AFTER}")


def test_what_was_approved_in_the_auction_loses_its_offer_too(connection: Connection) -> None:
    order = waiting(connection, reason="Approved.")
    pass_to(connection, india("2026-11-25 15:25"))
    assert again(connection, order).reason == "Approved. The closing auction is over."
    assert is_redrawn(connection)


@pytest.mark.parametrize(
    "values",
    [
        {"at": india("2026-11-25 15:14:59")},
        {"into_auction": True},
        {"has_derivatives": False},
        {"mode": Mode.IMMEDIATE},
        {"state": OrderState.WORKING},
    ],
    ids=["before", "into it", "without derivatives", "goes now", "at Dhan"],
)
def test_what_the_auction_did_not_concern_is_left_alone(connection: Connection, values: dict[str, Any]) -> None:
    order = waiting(connection, **values)
    pass_to(connection, india("2026-11-25 15:40"))
    assert (again(connection, order), is_redrawn(connection)) == (order, False)
