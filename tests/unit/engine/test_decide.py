"""From a stored alert to orders, by the real calendar and the stand-in's instrument list."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from core import controls, journal
from core.broker.dhan.instruments import InstrumentList
from core.db import alerts, orders
from core.db.alerts import StoredAlert
from core.db.driver import sqlite_driver
from core.domain.alert import AlertState, Leg, OrderType, Product
from core.domain.instrument import Instrument
from core.domain.notice import Notice
from core.domain.order import Mode, Order, OrderState
from core.engine.decide import AT_ONCE, Decider
from core.engine.plan import ANSWER_WITHIN
from core.engine.timers import expire_overdue
from core.errors import Unavailable
from core.notifications import due_cards
from tests.builders import an_alert, an_order
from tests.integration.paper_dhan import india
from tests.unit.alerts.alert_samples import FUTURE, SHARE, body
from tests.unit.engine.rows import OPERATOR, WALL, again, rings, rules_at

NOON = india("2026-11-25 12:00")  # a Wednesday
AFTERNOON = india("2026-11-25 16:00")
EVENING = india("2026-11-25 19:00")
SATURDAY = india("2026-11-28 14:00")
LIMIT = SHARE | {"orderType": "LMT", "price": "1412.50"}


@pytest.fixture
def desk(connection: Connection, listed: InstrumentList) -> "Deciding":
    return Deciding(connection, Decider(resolve=listed.resolve))


class Deciding:
    def __init__(self, connection: Connection, decider: Decider) -> None:
        self.connection = connection
        self.decider = decider

    def look(self, at: datetime = NOON) -> int:
        """How many alerts the desk decided at that moment."""
        return self.decider.decide(self.connection, rules_at(self.connection, at))

    def policies(self, **words: Any) -> None:
        controls.put(self.connection, "policies", words, at=NOON, actor=journal.operator(OPERATOR))

    def receive(self, *legs: dict[str, Any], at: datetime = NOON, **values: Any) -> StoredAlert:
        return an_alert(self.connection, body=body(*legs).decode(), received_at=at, **values)

    def decide(self, *legs: dict[str, Any], at: datetime = NOON, **values: Any) -> tuple[StoredAlert, list[Order]]:
        """The alert and its orders after the desk looked at it at that moment."""
        stored = self.receive(*legs, at=at, **values)
        assert self.look(at) == 1
        after = alerts.get(self.connection, stored.id)
        assert after
        return after, orders.of_alert(self.connection, stored.id)

    def order(self, *legs: dict[str, Any], at: datetime = NOON, **values: Any) -> Order:
        [order] = self.decide(*legs, at=at, **values)[1]
        return order


def test_in_the_session_an_order_goes_at_once(desk: Deciding) -> None:
    order = desk.order(SHARE)
    assert (order.state, order.mode, order.as_amo) == (OrderState.QUEUED, Mode.IMMEDIATE, False)
    assert order.release_at == NOON
    assert order.expires_at == india("2026-11-25 15:14:58")


def test_in_the_evening_an_order_goes_at_once_as_after_market(desk: Deciding) -> None:
    order = desk.order(SHARE, at=EVENING)
    assert (order.state, order.mode, order.as_amo) == (OrderState.QUEUED, Mode.AMO, True)
    assert order.reaches_exchange_at == india("2026-11-26 09:45")


@pytest.mark.parametrize(
    ("at", "release"),
    [(AFTERNOON, "2026-11-25 17:00"), (SATURDAY, "2026-11-30 17:00"), (india("2026-11-24 11:00"), "2026-11-25 17:00")],
)
def test_what_has_to_wait_is_asked_about(desk: Deciding, at: datetime, release: str) -> None:
    order = desk.order(SHARE, at=at)
    assert (order.state, order.mode) == (OrderState.AWAITING_APPROVAL, Mode.QUEUE)
    assert (order.release_at, order.as_amo) == (india(release), True)


def test_a_day_that_the_calendar_does_not_know_is_held_and_asked_about(desk: Deciding) -> None:
    at = india("2027-03-01 11:00")
    order = desk.order(SHARE, at=at)
    assert (order.state, order.mode, order.release_at) == (OrderState.AWAITING_APPROVAL, None, None)
    assert order.reason == "The calendar has no list that covers Mon 1 Mar 2027."
    assert order.expires_at == at + timedelta(hours=24)


@pytest.mark.parametrize("policy", ["always", "never", "queued"])
def test_a_day_that_nobody_knows_is_asked_about_under_every_policy(desk: Deciding, policy: str) -> None:
    desk.policies(approval=policy)
    assert desk.order(SHARE, at=india("2027-03-01 11:00")).state is OrderState.AWAITING_APPROVAL


ASK, GO = OrderState.AWAITING_APPROVAL, OrderState.QUEUED


@pytest.mark.parametrize(
    ("policy", "states"), [("always", (ASK, ASK, ASK)), ("never", (GO, GO, GO)), ("queued", (GO, GO, ASK))]
)
def test_the_policy_says_what_is_asked_about(desk: Deciding, policy: str, states: tuple[OrderState, ...]) -> None:
    desk.policies(approval=policy)
    assert tuple(desk.order(SHARE, at=at).state for at in (NOON, EVENING, AFTERNOON)) == states


def test_an_order_that_could_go_now_is_answered_soon_or_not_at_all(desk: Deciding) -> None:
    desk.policies(approval="always")
    assert desk.order(SHARE).expires_at == NOON + ANSWER_WITHIN


def test_a_question_near_the_close_ends_with_the_session(desk: Deciding) -> None:
    desk.policies(approval="always")
    assert desk.order(SHARE, at=india("2026-11-25 15:10")).expires_at == india("2026-11-25 15:14:58")


@pytest.mark.parametrize("policy", ["always", "never", "queued"])
def test_above_a_soft_limit_every_policy_asks_and_above_a_hard_one_the_order_is_refused(
    desk: Deciding, policy: str
) -> None:
    desk.policies(approval=policy, limits={"order_quantity": {"soft": "10", "hard": "20"}})
    ordered = [desk.order(SHARE | {"quantity": quantity}) for quantity in ("11", "21")]
    assert [order.state for order in ordered] == [ASK, OrderState.REFUSED]
    assert ordered[1].reason == "The quantity of one order would be 21, above your hard limit of 20."


def test_what_waits_already_counts_for_the_day_on_which_it_goes(desk: Deciding) -> None:
    desk.policies(limits={"day_orders": {"soft": "2", "hard": None}})
    for at in (AFTERNOON, AFTERNOON, NOON):
        order = desk.order(SHARE, at=at)
    assert (order.state, "number of orders a day" in order.reason) == (ASK, True)
    assert desk.order(SHARE, at=india("2026-11-26 12:00")).state is GO


def test_a_symbol_on_the_deny_list_is_refused(desk: Deciding) -> None:
    desk.policies(limits={"denied": ["RELIANCE"]})
    assert desk.order(SHARE).state is OrderState.REFUSED
    assert desk.order(SHARE | {"symbol": "TCS"}).state is GO


def test_entries_and_exits_wait_as_long_as_their_own_policy_says(desk: Deciding) -> None:
    desk.policies(entries=1800, exits=None)
    entry, way_out = (desk.order(SHARE | {"transactionType": side}, at=AFTERNOON) for side in "BS")
    assert entry.expires_at == india("2026-11-25 17:30")
    assert way_out.expires_at == india("2026-11-26 08:59")


def test_by_policy_an_unapproved_order_rings_or_expires_when_its_window_opens(desk: Deciding) -> None:
    opens = india("2026-11-25 17:00")
    asked = desk.order(SHARE, at=AFTERNOON)
    assert (asked.remind_at, asked.expires_at) == (opens, india("2026-11-26 08:59"))
    desk.policies(unapproved="expire")
    strict = desk.order(SHARE, at=AFTERNOON)
    assert (strict.remind_at, strict.expires_at, strict.window_ends_at) == (None, opens, india("2026-11-26 08:59"))


def test_the_operator_says_when_an_alert_is_stale(desk: Deciding) -> None:
    desk.policies(stale=30)
    assert desk.order(fired(-60)).state is ASK
    desk.policies(stale=600)
    assert desk.order(fired(-300)).state is GO


def test_an_index_contract_remembers_its_last_day(desk: Deciding) -> None:
    assert desk.order(FUTURE).index_expiry == date(2026, 12, 29)
    assert desk.order(SHARE).index_expiry is None


def test_by_policy_an_order_of_the_weekend_waits_for_the_open(desk: Deciding) -> None:
    desk.policies(release="open")
    order = desk.order(SHARE, at=SATURDAY)
    assert (order.release_at, order.as_amo) == (india("2026-11-30 09:15"), False)


@pytest.mark.parametrize("product", ["I", "C", "M"])
def test_shares_are_always_taken_for_delivery(desk: Deciding, product: str) -> None:
    assert desk.order(SHARE | {"productType": product}).product is Product.DELIVERY


@pytest.mark.parametrize(("product", "meant"), [("I", Product.INTRADAY), ("M", Product.CARRY_FORWARD)])
def test_derivatives_keep_the_product_of_the_alert(desk: Deciding, product: str, meant: Product) -> None:
    assert desk.order(FUTURE | {"productType": product}).product is meant


def test_derivatives_come_in_lots_and_leave_in_units(desk: Deciding) -> None:
    order = desk.order(FUTURE | {"quantity": "2"})
    assert (order.quantity, order.symbol) == (130, "NIFTY-Dec2026-FUT")


def test_units_in_place_of_lots_are_asked_about_under_every_policy(desk: Deciding) -> None:
    alert, placed = desk.decide(FUTURE | {"quantity": "65"})
    assert {order.state for order in placed} == {OrderState.AWAITING_APPROVAL}
    assert placed[0].reason == "Did you mean 1? Quantities of derivatives are lots, not units."
    assert "65 lots × 65 = 4225 units of NIFTY-Dec2026-FUT." in alert.reason


def test_shares_with_and_without_derivatives_close_at_their_own_times(desk: Deciding) -> None:
    late = india("2026-11-25 15:20")
    assert desk.order(SHARE, at=late).mode is Mode.QUEUE
    assert desk.order(SHARE | {"symbol": "IRCON"}, at=late).mode is Mode.IMMEDIATE


def test_a_price_off_its_tick_is_rounded_and_the_card_says_so(desk: Deciding) -> None:
    alert, [order] = desk.decide(LIMIT | {"price": "1412.55"})
    assert order.price == Decimal("1412.5")
    assert "The limit 1412.55 is off the tick of 0.1: 1412.5 is used." in alert.reason


def test_what_no_exchange_would_take_is_refused_with_the_leg(desk: Deciding) -> None:
    alert, placed = desk.decide(SHARE | {"symbol": "IRCON", "orderType": "LMT", "price": "99999"})
    assert (alert.state, placed) == (AlertState.REFUSED, [])
    assert alert.reason.startswith("BUY 10 IRCON: The limit 99999 lies outside the day's range of IRCON")


@pytest.mark.parametrize("at", [EVENING, SATURDAY, india("2026-11-26 07:30")])
def test_a_price_outside_the_range_of_another_day_than_its_own_is_taken_and_remarked_on(
    desk: Deciding, at: datetime
) -> None:
    alert, [order] = desk.decide(SHARE | {"symbol": "IRCON", "orderType": "LMT", "price": "114.00"}, at=at)
    assert (order.price, order.state is OrderState.REFUSED) == (Decimal(114), False)
    assert "The limit 114 lies outside the range that IRCON had on Wed 25 Nov, 75.33 to 112.99" in alert.reason


def test_above_the_freeze_quantity_a_leg_becomes_several_orders(desk: Deciding) -> None:
    alert, placed = desk.decide(FUTURE | {"quantity": "60"}, SHARE | {"sort_order": "2"})
    assert [(order.position, order.quantity) for order in placed] == [(1, 1755), (2, 1755), (3, 390), (4, 10)]
    assert "go as 3 orders" in alert.reason


def test_by_setting_shares_go_as_they_were_sent(desk: Deciding) -> None:
    desk.policies(equity_product="as_sent")
    assert desk.order(SHARE | {"productType": "I"}).product is Product.INTRADAY


def test_a_price_on_its_tick_is_kept_exactly(desk: Deciding) -> None:
    assert desk.order(LIMIT).price == Decimal("1412.50")


def test_an_unknown_symbol_is_refused_with_the_nearest_names(desk: Deciding) -> None:
    alert, placed = desk.decide(SHARE | {"symbol": "RELIANC"})
    assert (alert.state, placed) == (AlertState.REFUSED, [])
    assert "RELIANC is not traded on NSE" in alert.reason
    assert "RELIANCE" in alert.reason


def test_a_single_bad_leg_is_all_that_there_is_to_say(desk: Deciding) -> None:
    assert "Nothing of this alert" not in desk.decide(SHARE | {"symbol": "NOSUCHSHARE"})[0].reason


def test_one_bad_leg_refuses_the_whole_alert(desk: Deciding) -> None:
    alert, placed = desk.decide(SHARE, SHARE | {"sort_order": "2", "symbol": "NOSUCHSHARE"})
    assert (alert.state, placed) == (AlertState.REFUSED, [])
    assert "NOSUCHSHARE" in alert.reason
    assert alert.reason.endswith(" Nothing of this alert was sent.")


def test_legs_become_orders_in_their_sort_order(desk: Deciding) -> None:
    second, first = SHARE | {"sort_order": "7", "symbol": "TCS"}, SHARE | {"sort_order": "3"}
    placed = desk.decide(second, first)[1]
    assert [(order.position, order.symbol) for order in placed] == [(1, "RELIANCE"), (2, "TCS")]


def test_a_stop_without_a_limit_price_gets_a_protecting_one(desk: Deciding) -> None:
    alert, [order] = desk.decide(SHARE | {"orderType": "SL-M", "triggerPrice": "1500.0"})
    assert (order.order_type, order.trigger_price) == (OrderType.STOP_LIMIT, Decimal(1500))
    assert order.price == Decimal("1507.5")
    assert "Sent as a stop with the limit 1507.5" in alert.reason


def fired(seconds: float) -> dict[str, Any]:
    at = (NOON + timedelta(seconds=seconds)).astimezone(UTC)
    return SHARE | {"meta": {"timenow": at.isoformat()}}


def test_a_fresh_alert_goes(desk: Deciding) -> None:
    assert desk.order(fired(-119)).state is OrderState.QUEUED


def test_an_alert_that_is_late_asks_in_the_session(desk: Deciding) -> None:
    order = desk.order(fired(-300))
    assert (order.state, order.reason) == (ASK, "The alert is 5 minutes old: the market may have moved.")


def test_an_alert_from_the_future_asks(desk: Deciding) -> None:
    order = desk.order(fired(300))
    assert order.state is ASK
    assert "lies in the future" in order.reason


def test_an_alert_without_a_time_is_as_old_as_its_receipt(desk: Deciding) -> None:
    desk.receive(SHARE, at=NOON - timedelta(hours=3))
    desk.look()
    [order] = orders.recent(desk.connection, 1)
    assert (order.state, order.reason) == (ASK, "The alert is 3 hours old: the market may have moved.")


def test_an_alert_that_the_web_refused_stays_refused_with_its_reason(desk: Deciding) -> None:
    alert, placed = desk.decide(SHARE, reason="This copy is too old.")
    assert (alert.state, alert.reason, placed) == (AlertState.REFUSED, "This copy is too old.", [])


def test_a_body_that_cannot_be_read_is_refused_and_does_not_stop_the_next(desk: Deciding) -> None:
    bad = an_alert(desk.connection, body="{broken", received_at=NOON)
    good = desk.receive(SHARE)
    assert desk.look() == 2
    states = [alert.state for alert in alerts.some(desk.connection, [bad.id, good.id])]
    assert states == [AlertState.REFUSED, AlertState.DECIDED]


def test_every_decided_alert_has_a_card_to_show(desk: Deciding) -> None:
    accepted, refused = desk.decide(SHARE)[0], desk.decide(SHARE | {"symbol": "NOSUCHSHARE"})[0]
    assert {card.alert_id for card in due_cards(desk.connection, WALL, 9)} == {accepted.id, refused.id}


def test_an_alert_is_decided_once(desk: Deciding) -> None:
    desk.decide(SHARE)
    assert desk.look() == 0
    assert len(orders.recent(desk.connection, 9)) == 1


def test_a_flood_is_decided_in_portions_the_oldest_first(desk: Deciding) -> None:
    stored = [desk.receive(SHARE).id for _ in range(AT_ONCE + 1)]
    assert desk.look() == AT_ONCE
    assert [alert.id for alert in alerts.undecided(desk.connection, 9)] == stored[AT_ONCE:]


def test_a_bug_costs_the_alert_that_brings_it_out_and_no_other(desk: Deciding) -> None:
    def resolve(leg: Leg, today: date) -> Instrument:
        if leg.symbol == "TCS":
            raise ZeroDivisionError
        return desk.decider.resolve(leg, today)

    before, bad, after = (desk.receive(SHARE | {"symbol": name}) for name in ("RELIANCE", "TCS", "RELIANCE"))
    stumbling = replace(desk.decider, resolve=resolve)
    with pytest.raises(ZeroDivisionError), desk.connection.begin_nested():
        stumbling.decide(desk.connection, rules_at(desk.connection))
    assert stumbling.decide_apart(desk.connection, rules_at(desk.connection)) == 3
    seen = alerts.some(desk.connection, [before.id, bad.id, after.id])
    assert [alert.state for alert in seen] == [AlertState.DECIDED, AlertState.REFUSED, AlertState.DECIDED]
    assert seen[1].reason.startswith("The desk made a mistake over this alert and did not execute it")
    assert rings(desk.connection) == [Notice.ALERT_FAILED]
    assert not orders.of_alert(desk.connection, bad.id)


@pytest.mark.sqlite("the driver's own error")
def test_a_full_disk_is_no_fault_of_the_alert(desk: Deciding) -> None:
    def resolve(_leg: Leg, _today: date) -> Instrument:
        raise sqlite_driver().OperationalError("database or disk is full")

    waits = desk.receive(SHARE)
    with pytest.raises(Unavailable), desk.connection.begin_nested():
        replace(desk.decider, resolve=resolve).decide_apart(desk.connection, rules_at(desk.connection))
    assert [alert.id for alert in alerts.undecided(desk.connection, 9)] == [waits.id]


def test_before_the_first_instrument_list_alerts_wait(connection: Connection, tmp_path: Path) -> None:
    none_yet = Decider(resolve=InstrumentList(tmp_path / "none.db").resolve)
    stored = an_alert(connection, body=body(SHARE).decode())
    savepoint = connection.begin_nested()
    with pytest.raises(Unavailable):
        none_yet.decide(connection, rules_at(connection))
    savepoint.rollback()
    assert [alert.id for alert in alerts.undecided(connection, 9)] == [stored.id]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (OrderState.AWAITING_APPROVAL, "No yes came in time, and no answer is never a yes."),
        (OrderState.QUEUED, "Its time window passed before it could go out."),
    ],
)
def test_what_waits_past_its_time_ends_and_rings(connection: Connection, state: OrderState, words: str) -> None:
    order = an_order(connection, state=state, expires_at=NOON)
    early = an_order(connection, state=state, expires_at=NOON + timedelta(seconds=1))
    assert expire_overdue(connection, NOON) == 1
    ended = again(connection, order)
    assert (ended.state, ended.reason) == (OrderState.EXPIRED, words)
    assert again(connection, early).state is state
    assert len(rings(connection)) == 1


@pytest.mark.parametrize("state", [OrderState.SUBMITTING, OrderState.UNKNOWN, OrderState.WORKING])
def test_what_may_be_at_the_broker_never_ends_by_the_clock(connection: Connection, state: OrderState) -> None:
    order = an_order(connection, state=state, expires_at=NOON)
    assert expire_overdue(connection, NOON + timedelta(days=9)) == 0
    assert again(connection, order).state is state
