"""What a card offers besides yes and no, and what a tap on it does."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from core import approvals, offers, reports
from core.broker.port import Refusal as Kind
from core.broker.port import Refused
from core.clock import Moment
from core.domain.alert import OrderType, Product, Side
from core.domain.notice import Notice
from core.domain.order import Mode, Order, OrderState
from core.engine.timers import run_due
from core.errors import Refusal, StaleTap
from core.reports import Offers
from tests.builders import CALENDAR, an_order
from tests.integration.paper_dhan import india
from tests.unit.engine.rows import WALL, again, claimed, record, rings, tap_on

SATURDAY = india("2026-11-28 14:00")
MONDAY_OPEN, MONDAY_EVENING = india("2026-11-30 09:15"), india("2026-11-30 17:00")
ASKED, QUEUED, DECLINED = OrderState.AWAITING_APPROVAL, OrderState.QUEUED, OrderState.DECLINED


def waiting(connection: Connection, state: OrderState = ASKED, **values: Any) -> Order:
    """Asked about on Saturday, to go after-market on Monday evening."""
    facts = {
        "at": SATURDAY,
        "mode": Mode.QUEUE,
        "as_amo": True,
        "release_at": MONDAY_EVENING,
        "reaches_exchange_at": india("2026-12-01 09:45"),
        "expires_at": india("2026-12-01 08:59"),
        "window_ends_at": india("2026-12-01 08:59"),
        "product": Product.DELIVERY,
    }
    return an_order(connection, state=state, **facts | values)


def offered(connection: Connection, order: Order, at: datetime = SATURDAY) -> Offers:
    report = reports.alert_report(connection, order.alert_id, at)
    assert report
    return offers.find(connection, report, CALENDAR)


@pytest.mark.parametrize("state", [ASKED, QUEUED])
def test_the_open_is_sooner_than_the_evening_before_it(connection: Connection, state: OrderState) -> None:
    order = waiting(connection, state)
    way = offered(connection, order).sooner
    assert way
    assert (way.release_at, way.as_amo) == (MONDAY_OPEN, False)

    answer = offers.sooner(connection, tap_on(connection, order, SATURDAY), CALENDAR)
    assert answer == "Approved: reaches the exchange Mon 30 Nov 09:15"
    changed = again(connection, order)
    assert (changed.state, changed.release_at, changed.as_amo) == (QUEUED, MONDAY_OPEN, False)
    assert changed.expires_at == india("2026-11-30 15:14:58")
    assert claimed(connection, changed, MONDAY_OPEN).request.amo_time is None


def test_in_the_closing_auction_sooner_means_into_it(connection: Connection) -> None:
    at = india("2026-11-25 15:21")
    order = waiting(connection, order_type=OrderType.LIMIT, at=at, release_at=india("2026-11-25 17:00"))
    way = offered(connection, order, at).sooner
    assert way
    assert way.into_auction
    offers.sooner(connection, tap_on(connection, order, at), CALENDAR)
    assert claimed(connection, again(connection, order), at).request.amo_time is None


def test_an_auction_that_dhan_called_closed_is_not_offered_again(connection: Connection) -> None:
    at, later = india("2026-11-25 15:21"), india("2026-11-25 15:22")
    order = waiting(connection, at=at, release_at=india("2026-11-25 17:00"))
    offers.sooner(connection, tap_on(connection, order, at), CALENDAR)
    closed = Refused(refusal=Kind.MARKET_CLOSED, code="DH-906", words="Market is Closed!")
    record(connection, claimed(connection, again(connection, order), at), closed, Moment(now=at, wall=WALL))
    refused = again(connection, order)
    assert (refused.state, refused.into_auction) == (ASKED, False)
    way = offered(connection, refused, later).sooner
    assert way
    assert (way.into_auction, way.reaches_exchange_at) == (False, india("2026-11-26 09:15"))
    offers.sooner(connection, tap_on(connection, refused, later), CALENDAR)
    assert not again(connection, order).into_auction


def test_what_has_expired_is_not_brought_back_by_a_sooner_way(connection: Connection) -> None:
    at = india("2026-11-25 15:21")
    order = waiting(connection, order_type=OrderType.LIMIT, at=at, release_at=india("2026-11-25 17:00"), expires_at=at)
    assert offered(connection, order, at).sooner is None
    with pytest.raises(Refusal, match="no sooner way"):
        offers.sooner(connection, tap_on(connection, order, at), CALENDAR)


def test_an_order_that_goes_as_soon_as_it_can_has_no_sooner_way(connection: Connection) -> None:
    order = waiting(connection, as_amo=False, release_at=MONDAY_OPEN, reaches_exchange_at=MONDAY_OPEN)
    assert offered(connection, order).sooner is None
    with pytest.raises(Refusal, match="no sooner way"):
        offers.sooner(connection, tap_on(connection, order, SATURDAY), CALENDAR)


@pytest.mark.parametrize("state", [state for state in OrderState if state not in (ASKED, QUEUED)])
def test_only_what_waits_has_offers(connection: Connection, state: OrderState) -> None:
    assert offered(connection, waiting(connection, state)) == Offers()


def test_a_snoozed_question_rings_again_and_then_when_its_window_opens(connection: Connection) -> None:
    order = waiting(connection)
    tap = tap_on(connection, order, SATURDAY)
    assert offers.snooze(connection, tap) == "You are reminded Sat 28 Nov 14:30"
    run_due(connection, CALENDAR, SATURDAY + timedelta(minutes=29))
    assert Notice.REMINDER not in rings(connection)
    run_due(connection, CALENDAR, SATURDAY + timedelta(minutes=30))
    assert again(connection, order).remind_at == MONDAY_EVENING
    run_due(connection, CALENDAR, MONDAY_EVENING)
    assert rings(connection).count(Notice.REMINDER) == 2
    with pytest.raises(StaleTap):
        offers.snooze(connection, tap)


def test_an_answer_ends_the_snooze(connection: Connection) -> None:
    order = waiting(connection)
    offers.snooze(connection, tap_on(connection, order, SATURDAY))
    approvals.approve(connection, tap_on(connection, order, SATURDAY))
    run_due(connection, CALENDAR, MONDAY_OPEN)
    assert Notice.REMINDER not in rings(connection)


def test_a_question_that_ends_first_cannot_be_snoozed(connection: Connection) -> None:
    order = waiting(connection, expires_at=SATURDAY + timedelta(minutes=30))
    with pytest.raises(Refusal, match="before a reminder would come"):
        offers.snooze(connection, tap_on(connection, order, SATURDAY))


def test_opposite_orders_that_wait_are_offered_to_be_netted_and_nothing_happens_by_itself(
    connection: Connection,
) -> None:
    buy, sell = waiting(connection, QUEUED), waiting(connection, side=Side.SELL)
    found = offered(connection, sell)
    assert (found.opposite, found.may_supersede) == (buy, True)
    assert offered(connection, buy).opposite is None  # the newer card asks
    assert (again(connection, buy), again(connection, sell)) == (buy, sell)


@pytest.mark.parametrize(
    ("bought", "sold", "left"), [(10, 10, (DECLINED, DECLINED)), (10, 4, (ASKED, DECLINED)), (4, 10, (DECLINED, ASKED))]
)
def test_netting_lets_the_difference_go(
    connection: Connection, bought: int, sold: int, left: tuple[OrderState, OrderState]
) -> None:
    buy = waiting(connection, quantity=bought)
    sell = waiting(connection, side=Side.SELL, quantity=sold)
    offers.net(connection, tap_on(connection, sell, SATURDAY))
    after = again(connection, buy), again(connection, sell)
    assert (after[0].state, after[1].state) == left
    assert [order.quantity for order in after if order.state is ASKED] == ([6] if bought != sold else [])


def test_an_exit_takes_the_place_of_an_entry_that_waits(connection: Connection) -> None:
    buy, sell = waiting(connection), waiting(connection, side=Side.SELL)
    offers.supersede(connection, tap_on(connection, sell, SATURDAY))
    assert (again(connection, buy).state, again(connection, sell).state) == (DECLINED, ASKED)


def test_an_entry_takes_the_place_of_nothing(connection: Connection) -> None:
    sell, buy = waiting(connection, side=Side.SELL), waiting(connection)
    assert not offered(connection, buy).may_supersede
    with pytest.raises(Refusal, match="Only an exit"):
        offers.supersede(connection, tap_on(connection, buy, SATURDAY))
    assert again(connection, sell).state is ASKED


def test_an_order_that_left_meanwhile_is_not_netted(connection: Connection) -> None:
    waiting(connection, OrderState.WORKING)
    sell = waiting(connection, side=Side.SELL)
    with pytest.raises(Refusal, match="does not wait any more"):
        offers.net(connection, tap_on(connection, sell, SATURDAY))


@pytest.mark.parametrize("other", [{"security_id": "1"}, {"product": Product.INTRADAY}, {"side": Side.SELL}])
def test_only_the_same_thing_on_the_other_side_is_opposite(connection: Connection, other: dict[str, Any]) -> None:
    waiting(connection, **other)
    assert offered(connection, waiting(connection, side=Side.SELL)).opposite is None
