"""The operator changes the calendar: confirmed by a tap, in force for its time, and the queue follows."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, select

from core import journal, market_days
from core.clock import INDIA
from core.db import overrides
from core.db.overrides import Change
from core.db.tables import events
from core.domain.alert import OrderType
from core.domain.instrument import Market, SegmentClass
from core.domain.notice import Notice
from core.domain.order import Mode, Order, OrderState
from core.domain.sessions import Closed, Span, Trading
from core.engine.timers import anything_is_due, run_due
from core.errors import Refusal
from tests.builders import CALENDAR, NOON, an_alert, an_order
from tests.integration.paper_dhan import india
from tests.unit.engine.rows import OPERATOR, again, last_words, rings, try_claim

ME = journal.operator(OPERATOR)
THURSDAY = date(2026, 11, 26)
MUHURAT = date(2026, 11, 8)
EVENING = india("2026-11-25 17:00")


def a_change(day: date = THURSDAY, *, is_open: bool = False, **values: Any) -> Change:
    ends = datetime.combine(day + timedelta(days=1), time(), INDIA)
    facts = {"market": Market.EQUITY, "reason": "election", "expires_at": ends}
    return Change(day=day, is_open=is_open, **facts | values)


def asked(connection: Connection, *changes: Change, at: datetime = NOON) -> str:
    return market_days.ask(connection, changes or (a_change(),), by=ME, at=at)


def confirmed(connection: Connection, *changes: Change, at: datetime = NOON) -> list[str]:
    return market_days.confirm(connection, asked(connection, *changes, at=at), CALENDAR, by=ME, at=at)


def day(connection: Connection, on: date = THURSDAY, of: SegmentClass = SegmentClass.CASH) -> object:
    return market_days.in_force(connection, CALENDAR).day(of, on)


def queued(connection: Connection, **values: Any) -> Order:
    """Planned on Wednesday to go at 17:00, for the exchange on Thursday."""
    facts = {
        "at": NOON,
        "mode": Mode.QUEUE,
        "as_amo": True,
        "release_at": EVENING,
        "reaches_exchange_at": india("2026-11-26 09:45"),
        "expires_at": india("2026-11-26 08:59"),
        "window_ends_at": india("2026-11-26 08:59"),
    }
    return an_order(connection, **facts | values)


def first_days_of_2027() -> list[Change]:
    """Beyond the calendar: a Sunday, and two days on which the market is open."""
    return [a_change(date(2027, 1, on), is_open=on > 3) for on in (3, 4, 5)]


def test_a_change_that_nobody_confirmed_changes_nothing(connection: Connection) -> None:
    asked(connection)
    assert isinstance(day(connection), Trading)


def test_a_confirmed_change_counts_for_its_market_alone_and_names_its_reason(connection: Connection) -> None:
    assert confirmed(connection) == ["Thu 26 Nov 2026, equity: closed (election)."]
    for of in Market.EQUITY.classes:
        assert day(connection, of=of) == Closed("Closed by the operator (election)")
    assert isinstance(day(connection, of=SegmentClass.COMMODITY), Trading)


def test_an_unknown_day_can_be_opened_at_hours_of_its_own(connection: Connection) -> None:
    at = india("2026-11-06 12:00")
    confirmed(connection, a_change(MUHURAT, is_open=True, sessions=(Span(time(18, 15), time(19, 15)),)), at=at)
    hours = day(connection, MUHURAT)
    assert isinstance(hours, Trading)
    assert (hours.sessions, hours.pre_open) == ((Span(time(18, 15), time(19, 15)),), None)


def test_a_day_beyond_the_calendar_can_be_opened_at_its_usual_hours(connection: Connection) -> None:
    on = date(2027, 1, 4)
    confirmed(connection, a_change(on, is_open=True), at=india("2027-01-03 12:00"))
    assert day(connection, on) == CALENDAR.day(SegmentClass.CASH, date(2026, 12, 31))


def test_a_tap_counts_once_and_not_for_ever(connection: Connection) -> None:
    batch = asked(connection)
    market_days.confirm(connection, batch, CALENDAR, by=ME, at=NOON)
    late = asked(connection)
    for name, at in ((batch, NOON), (late, NOON + overrides.ASKED_FOR), ("nothing", NOON)):
        with pytest.raises(Refusal, match="Nothing of this waits"):
            market_days.confirm(connection, name, CALENDAR, by=ME, at=at)


def test_the_newest_word_on_a_day_replaces_the_one_before(connection: Connection) -> None:
    confirmed(connection)
    confirmed(connection, a_change(is_open=True, sessions=(Span(time(10), time(11)),)))
    [override] = overrides.in_force(connection)
    assert override.change.is_open


def test_who_changed_what_and_why_is_in_the_journal(connection: Connection) -> None:
    confirmed(connection)
    event = connection.execute(select(events).where(events.c.kind == "calendar changed")).mappings().one()
    assert (event["actor"], event["reason"]) == (ME, "Thu 26 Nov 2026, equity: closed (election).")


@pytest.mark.parametrize("state", [OrderState.QUEUED, OrderState.AWAITING_APPROVAL])
def test_a_closed_day_moves_what_was_to_trade_on_it_and_says_so(connection: Connection, state: OrderState) -> None:
    order = queued(connection, state=state)
    told = confirmed(connection)
    moved = again(connection, order)
    assert moved.state is state
    assert (moved.release_at, moved.reaches_exchange_at) == (EVENING, india("2026-11-27 09:45"))
    assert moved.window_ends_at == india("2026-11-26 00:00")  # the night before a closed day ends at midnight
    words = "The calendar changed: it goes Wed 25 Nov 17:00 and reaches the exchange Fri 27 Nov 09:45."
    assert told[1:] == [f"{order.label} BUY 10 RELIANCE: {words}"]


def test_an_order_sent_to_the_open_keeps_that_way(connection: Connection) -> None:
    opens = india("2026-11-26 09:15")
    order = queued(connection, as_amo=False, release_at=opens, reaches_exchange_at=opens)
    confirmed(connection)
    moved = again(connection, order)
    assert (moved.as_amo, moved.release_at) == (False, india("2026-11-27 09:15"))


def test_what_the_change_does_not_touch_stays_as_it_is(connection: Connection) -> None:
    order = queued(connection)
    assert confirmed(connection, a_change(date(2026, 12, 3)))[1:] == []
    assert again(connection, order) == order


def test_an_order_of_an_unknown_day_gets_its_times_and_still_asks(connection: Connection) -> None:
    at = india("2027-01-03 12:00")
    nowhere = {"mode": None, "release_at": None, "reaches_exchange_at": None, "expires_at": at + timedelta(days=1)}
    order = an_order(connection, at=at, state=OrderState.AWAITING_APPROVAL, **nowhere)
    confirmed(connection, *first_days_of_2027(), at=at)
    planned = again(connection, order)
    assert (planned.state, planned.release_at) == (OrderState.AWAITING_APPROVAL, india("2027-01-04 17:00"))


def test_a_change_at_noon_lets_nothing_go_sooner_than_it_was_to_go(connection: Connection) -> None:
    """What waits for the evening stays there, though the market is open now."""
    order = queued(connection)
    confirmed(connection, a_change(date(2026, 12, 3)))
    assert again(connection, order).release_at == EVENING


def test_when_the_next_day_becomes_unknown_an_order_holds_and_asks(connection: Connection) -> None:
    at = india("2027-01-03 12:00")
    confirmed(connection, *first_days_of_2027(), at=at)
    monday = india("2027-01-04 17:00")
    order = queued(connection, at=at, release_at=monday, reaches_exchange_at=india("2027-01-05 09:45"))
    tuesday = next(each for each in overrides.in_force(connection) if each.change.day == date(2027, 1, 5))
    market_days.withdraw(connection, tuesday.id, CALENDAR, by=ME, at=at)
    held = again(connection, order)
    assert (held.state, held.release_at, held.mode) == (OrderState.AWAITING_APPROVAL, None, None)
    assert "no list that covers Tue 5 Jan 2027" in held.reason


def test_a_halt_today_takes_back_what_was_to_go_now_and_asks(connection: Connection) -> None:
    order = an_order(connection)
    confirmed(connection, a_change(NOON.date(), reason="halt"))
    held = again(connection, order)
    assert (held.state, held.release_at) == (OrderState.AWAITING_APPROVAL, india("2026-11-26 09:15"))


def test_an_order_whose_window_is_open_still_misses_the_day_that_was_closed(connection: Connection) -> None:
    at = india("2026-11-25 19:00")
    order = queued(connection, at=at, state=OrderState.AWAITING_APPROVAL, mode=Mode.AMO, release_at=at)
    told = confirmed(connection, at=at + timedelta(minutes=1))
    moved = again(connection, order)
    assert (moved.as_amo, moved.reaches_exchange_at) == (True, india("2026-11-27 09:45"))
    assert "reaches the exchange Fri 27 Nov 09:45" in told[1]


def test_an_after_market_order_at_dhan_is_said_to_come_when_its_session_comes(connection: Connection) -> None:
    at = india("2026-11-25 19:00")
    sent = queued(connection, at=at, state=OrderState.WORKING, mode=Mode.AMO, release_at=at, broker_order_id="1")
    assert confirmed(connection, a_change(date(2026, 12, 3)), at=at)[1:] == []
    told = confirmed(connection, at=at + timedelta(minutes=1))
    moved = again(connection, sent)
    assert (moved.state, moved.reaches_exchange_at) == (OrderState.WORKING, india("2026-11-27 09:45"))
    assert "Dhan has it, and it reaches the exchange Fri 27 Nov 09:45" in told[1]


def test_a_session_that_is_cut_short_ends_an_orders_window_sooner(connection: Connection) -> None:
    ends = india("2026-11-25 15:14:58")
    order = an_order(connection, window_ends_at=ends, expires_at=ends)
    shorter = a_change(NOON.date(), is_open=True, sessions=(Span(time(9, 15), time(13)),))
    told = confirmed(connection, shorter)
    cut = again(connection, order)
    sooner = india("2026-11-25 12:59:58")
    assert (cut.state, cut.window_ends_at, cut.expires_at) == (OrderState.QUEUED, sooner, sooner)
    assert "it can go until Wed 25 Nov 12:59" in told[1]

    longer = a_change(NOON.date(), is_open=True, sessions=(Span(time(9, 15), time(14)),))
    assert confirmed(connection, longer)[1:] == []
    assert again(connection, order).window_ends_at == sooner


@pytest.mark.parametrize(
    ("changed_at", "state"),
    [("2026-11-25 15:20", OrderState.QUEUED), ("2026-11-25 15:45", OrderState.AWAITING_APPROVAL)],
)
def test_an_order_for_the_closing_auction_goes_there_or_asks(
    connection: Connection, changed_at: str, state: OrderState
) -> None:
    at, ends = india("2026-11-25 15:16"), india("2026-11-25 15:29:58")
    limit = {"order_type": OrderType.LIMIT, "price": Decimal(100), "as_amo": False, "into_auction": True}
    times = {"release_at": at, "reaches_exchange_at": at, "window_ends_at": ends, "expires_at": ends}
    order = queued(connection, at=at, mode=Mode.IMMEDIATE, approved_at=at, **limit, **times)
    confirmed(connection, a_change(date(2026, 12, 20), market=Market.COMMODITY), at=india(changed_at))
    left = again(connection, order)
    assert (left.state, left.into_auction) == (state, True)
    assert try_claim(connection, left, india("2026-11-26 09:15")) is None


@pytest.mark.fault("CK-11")
def test_a_change_counts_inside_the_claim(connection: Connection) -> None:
    batch = asked(connection, a_change(NOON.date(), reason="halt"))
    market_days.confirm(connection, batch, CALENDAR, by=ME, at=NOON)
    order = an_order(connection)
    assert try_claim(connection, order) is None
    assert again(connection, order).state is OrderState.QUEUED


def test_a_change_ends_by_itself_and_tells_what_moved(connection: Connection) -> None:
    """A halt until two o'clock."""
    until = india("2026-11-25 14:00")
    confirmed(connection, a_change(NOON.date(), reason="halt", expires_at=until))
    order = queued(connection, state=OrderState.AWAITING_APPROVAL, release_at=india("2026-11-26 17:00"))
    assert isinstance(day(connection, NOON.date()), Closed)
    run_due(connection, CALENDAR, until)
    assert isinstance(day(connection, NOON.date()), Trading)
    assert rings(connection)[-1:] == [Notice.CALENDAR]
    assert "No longer in force: Wed 25 Nov 2026, equity: closed (halt)." in last_words(connection)
    assert order.label in last_words(connection)


def test_only_what_is_in_force_can_be_withdrawn(connection: Connection) -> None:
    with pytest.raises(Refusal, match="no change 7 in force"):
        market_days.withdraw(connection, 7, CALENDAR, by=ME, at=NOON)


@pytest.mark.fault("CK-05")
def test_45_15_and_5_days_before_the_calendar_ends_the_operator_is_warned_once_each(connection: Connection) -> None:
    rung: list[date] = []
    an_alert(connection)
    at = india("2026-11-01 09:00")
    while at < india("2027-01-05 09:00"):
        if anything_is_due(connection, CALENDAR, at):
            run_due(connection, CALENDAR, at)
            rung.append(at.date())
        at += timedelta(hours=6)
    assert rung == [date(2026, 11, 16), date(2026, 12, 16), date(2026, 12, 26)]
    assert rings(connection) == [Notice.CALENDAR] * 3
    assert "The calendar ends on Thu 31 Dec 2026." in last_words(connection)


@pytest.mark.parametrize(
    ("at", "is_due"),
    [
        ("2026-11-28 08:29", False),
        ("2026-11-28 08:30", True),
        ("2026-11-28 09:14", True),
        ("2026-11-28 09:15", False),
        ("2026-12-18 14:00", False),
        ("2026-12-27 08:29", False),
        ("2026-12-27 14:00", True),
    ],
)
def test_the_end_is_told_in_the_morning_and_in_the_last_days_later_too(
    connection: Connection, at: str, *, is_due: bool
) -> None:
    an_alert(connection)
    assert anything_is_due(connection, CALENDAR, india(at)) is is_due


def test_a_desk_without_an_alert_yet_is_not_greeted_with_a_warning(connection: Connection) -> None:
    assert not anything_is_due(connection, CALENDAR, india("2026-12-30 09:00"))
