"""What the card says and offers beside the decision."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from core.domain.alert import AmoTime, OrderType, Validity
from core.domain.approval import ApprovalPolicy, why_ask
from core.domain.instrument import SegmentClass
from core.domain.order import Mode
from core.domain.routing import IOC_NEEDS_A_SESSION, Decision, ReleasePolicy, may_send, route
from core.domain.sessions import INDIA, Calendar, Closed, Day, Span, Trading
from tests.builders import CALENDAR
from tests.unit.routing.decision_rows import Contract

CASH = SegmentClass.CASH
WITH_DERIVATIVES = SegmentClass.CASH_WITH_DERIVATIVES


def india(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


def with_day(on: date, day: Day) -> Calendar:
    """The calendar with one day of the cash market told otherwise."""
    return replace(CALENDAR, days={**CALENDAR.days, (CASH, on): day})


def decide(
    when: str,
    segment_class: SegmentClass = CASH,
    order_type: OrderType = OrderType.LIMIT,
    *,
    amo_time: AmoTime = AmoTime.OPEN_30,
    policy: ReleasePolicy = ReleasePolicy.AMO,
    calendar: Calendar = CALENDAR,
    expiry: date | None = None,
    index_expiry: date | None = None,
    validity: Validity = Validity.DAY,
) -> Decision:
    return route(
        Contract(segment_class, expiry=expiry, index_expiry=index_expiry),
        order_type=order_type,
        amo_time=amo_time,
        now=india(when),
        calendar=calendar,
        policy=policy,
        validity=validity,
    )


def refusal(
    when: str,
    segment_class: SegmentClass = CASH,
    order_type: OrderType = OrderType.LIMIT,
    *,
    as_amo: bool = False,
    into_auction: bool = False,
    expiry: date | None = None,
    index_expiry: date | None = None,
    calendar: Calendar = CALENDAR,
    validity: Validity = Validity.DAY,
) -> str | None:
    return may_send(
        Contract(segment_class, expiry=expiry, index_expiry=index_expiry),
        order_type=order_type,
        as_amo=as_amo,
        now=india(when),
        calendar=calendar,
        into_auction=into_auction,
        validity=validity,
    )


@pytest.mark.parametrize(
    ("when", "segment_class", "reason"),
    [
        ("2026-12-01 10:30", CASH, "The market is open until 15:30."),
        ("2026-12-01 10:30", WITH_DERIVATIVES, "The market is open until 15:15."),
        ("2026-12-01 19:00", CASH, "After hours: the after-market order reaches the exchange Wed 2 Dec 09:45."),
        ("2026-12-01 16:00", CASH, "The session is over: the next after-market window opens Tue 1 Dec 17:00."),
        ("2026-11-28 14:00", CASH, "Saturday: the next after-market window opens Mon 30 Nov 17:00."),
        (
            "2026-11-24 11:00",
            CASH,
            "Holiday (Guru Nanak Jayanti): the next after-market window opens Wed 25 Nov 17:00.",
        ),
        (
            "2026-12-01 15:20",
            WITH_DERIVATIVES,
            "Closing auction until 15:35: the next after-market window opens Tue 1 Dec 17:00.",
        ),
        ("2026-12-01 09:00", CASH, "Before the open: it waits for the open, Tue 1 Dec 09:15."),
        ("2027-01-01 10:30", CASH, "The calendar has no list that covers Fri 1 Jan 2027."),
        (
            "2026-01-15 11:00",
            SegmentClass.COMMODITY,
            "The hours of Thu 15 Jan 2026 are not known: a holiday for shares, not confirmed for commodities.",
        ),
    ],
)
def test_the_reason_is_a_sentence_for_a_trader(when: str, segment_class: SegmentClass, reason: str) -> None:
    assert decide(when, segment_class).reason == reason


def test_a_stop_order_for_the_pre_open_is_told_why_it_waits() -> None:
    decision = decide("2026-12-01 19:00", order_type=OrderType.STOP_LIMIT, amo_time=AmoTime.PRE_OPEN)

    assert decision.reason == "The pre-open takes no stop orders: it waits for the open, Wed 2 Dec 09:15."
    assert decision.alternatives == ()


@pytest.mark.parametrize("policy", ReleasePolicy)
@pytest.mark.parametrize(
    ("when", "now"),
    [
        ("2026-11-28 14:00", "Saturday: it waits for the open, Mon 30 Nov 09:15."),
        ("2026-12-01 08:00", "Before the open: it waits for the open, Tue 1 Dec 09:15."),
        ("2026-12-01 15:22", "Closing auction until 15:35: it waits for the open, Wed 2 Dec 09:15."),
        ("2026-12-01 19:00", "The session is over: it waits for the open, Wed 2 Dec 09:15."),
    ],
)
def test_an_ioc_order_can_only_wait_for_a_session(when: str, now: str, policy: ReleasePolicy) -> None:
    decision = decide(when, WITH_DERIVATIVES, validity=Validity.IOC, policy=policy)

    assert (decision.mode, decision.as_amo, decision.alternatives) == (Mode.QUEUE, False, ())
    assert decision.reason == f"{IOC_NEEDS_A_SESSION} {now}"
    assert decide(when, WITH_DERIVATIVES, policy=policy).reason != decision.reason


def test_an_ioc_order_goes_at_once_while_the_market_is_open() -> None:
    assert decide("2026-12-01 10:30", validity=Validity.IOC) == decide("2026-12-01 10:30")


@pytest.mark.parametrize("way", ["as_amo", "into_auction"])
@pytest.mark.parametrize("policy", ApprovalPolicy)
def test_an_ioc_order_is_never_sent_where_it_would_have_to_wait(way: str, policy: ApprovalPolicy) -> None:
    as_amo = way == "as_amo"
    sent = refusal("2026-12-01 15:22", WITH_DERIVATIVES, as_amo=as_amo, into_auction=not as_amo, validity=Validity.IOC)
    assert sent == IOC_NEEDS_A_SESSION
    waits = decide("2026-12-01 19:00", validity=Validity.IOC)
    assert why_ask(policy, waits, late="", validity=Validity.IOC), "it never waits without a tap"


def test_an_order_that_would_come_after_a_short_session_is_held_with_the_open_on_offer() -> None:
    decision = decide("2025-10-20 19:00", amo_time=AmoTime.OPEN_60)

    assert decision.mode is None
    assert decision.reason == "The session of Tue 21 Oct is over before OPEN_60 comes."
    assert [way.label for way in decision.alternatives] == ["At the open, Tue 21 Oct 13:45"]


def test_an_order_that_waits_for_the_after_market_may_wait_for_the_open_instead() -> None:
    decision = decide("2026-11-28 14:00")

    (way,) = decision.alternatives
    assert (way.mode, way.as_amo, way.label) == (Mode.QUEUE, False, "At the open, Mon 30 Nov 09:15")
    assert way.release_at == way.reaches_exchange_at == india("2026-11-30 09:15")
    assert way.window_ends_at == india("2026-11-30 15:29:58")


def test_an_order_that_waits_for_the_open_may_go_after_market_instead() -> None:
    decision = decide("2026-11-28 14:00", policy=ReleasePolicy.OPEN)

    (way,) = decision.alternatives
    assert (way.mode, way.as_amo) == (Mode.QUEUE, True)
    assert way.label == "After-market, Mon 30 Nov 17:00, to reach the exchange Tue 1 Dec 09:45"
    assert way.release_at == india("2026-11-30 17:00")
    assert way.reaches_exchange_at == india("2026-12-01 09:45")


def test_an_order_held_because_tomorrow_is_unknown_may_still_meet_a_known_open() -> None:
    thursday_off = with_day(date(2026, 11, 5), Closed("Holiday"))

    decision = decide("2026-11-05 12:00", calendar=thursday_off)

    assert decision.mode is None
    assert decision.reason.startswith("The hours of Sun 8 Nov 2026 are not known")
    assert [way.label for way in decision.alternatives] == ["At the open, Fri 6 Nov 09:15"]


def test_an_order_with_no_known_way_is_held_with_nothing_on_offer() -> None:
    decision = decide("2026-11-07 14:00")

    assert decision.mode is None
    assert decision.alternatives == ()


@pytest.mark.parametrize(
    ("when", "segment_class", "ends"),
    [
        ("2026-12-01 10:30", CASH, "2026-12-01 15:29:58"),
        ("2026-12-01 10:30", WITH_DERIVATIVES, "2026-12-01 15:14:58"),
        ("2026-12-01 08:00", CASH, "2026-12-01 08:59"),
        ("2026-12-01 09:00", CASH, "2026-12-01 15:29:58"),
        ("2026-12-01 16:00", CASH, "2026-12-02 08:59"),
        ("2026-12-01 19:00", CASH, "2026-12-02 08:59"),
        ("2026-11-27 19:00", CASH, "2026-11-28 00:00"),
        ("2026-11-23 19:00", CASH, "2026-11-24 00:00"),
        ("2026-11-28 14:00", CASH, "2026-12-01 08:59"),
        ("2026-12-01 18:00", SegmentClass.CURRENCY, "2026-12-02 08:45"),
        ("2026-12-01 23:55", SegmentClass.COMMODITY, "2026-12-02 08:45"),
        ("2025-10-21 10:00", CASH, "2025-10-21 14:44:58"),
        ("2026-11-24 11:00", SegmentClass.COMMODITY, "2026-11-24 23:54:58"),
    ],
)
def test_a_window_ends_when_its_broker_or_its_session_does(when: str, segment_class: SegmentClass, ends: str) -> None:
    assert decide(when, segment_class).window_ends_at == india(ends)


@pytest.mark.parametrize(
    ("when", "order_type", "release", "ends"),
    [
        ("2026-12-01 15:14:58", OrderType.LIMIT, None, None),
        ("2026-12-01 15:15", OrderType.LIMIT, "2026-12-01 15:20", "2026-12-01 15:27:58"),
        ("2026-12-01 15:22", OrderType.LIMIT, "2026-12-01 15:22", "2026-12-01 15:27:58"),
        ("2026-12-01 15:22", OrderType.MARKET, "2026-12-01 15:22", "2026-12-01 15:24:58"),
        ("2026-12-01 15:25", OrderType.LIMIT, "2026-12-01 15:25", "2026-12-01 15:27:58"),
        ("2026-12-01 15:25", OrderType.MARKET, None, None),
        ("2026-12-01 15:28", OrderType.LIMIT, None, None),
        ("2026-12-01 15:22", OrderType.STOP_LIMIT, None, None),
        ("2026-12-01 15:22", OrderType.STOP_MARKET, None, None),
        ("2026-12-07 15:30", OrderType.LIMIT, "2026-12-07 15:31", "2026-12-07 15:37:58"),
        ("2026-12-07 15:35", OrderType.MARKET, "2026-12-07 15:35", "2026-12-07 15:35:58"),
        ("2026-12-07 15:36", OrderType.MARKET, None, None),
        ("2026-07-31 15:31", OrderType.LIMIT, None, None),
    ],
)
def test_the_card_offers_what_the_closing_auction_still_takes(
    when: str, order_type: OrderType, release: str | None, ends: str | None
) -> None:
    offers = [way for way in decide(when, WITH_DERIVATIVES, order_type).alternatives if way.into_auction]

    expected = [(india(release), india(ends))] if release and ends else []
    assert [(way.release_at, way.window_ends_at) for way in offers] == expected


def test_only_the_operators_word_sends_an_order_into_the_auction() -> None:
    assert refusal("2026-12-01 15:22", WITH_DERIVATIVES) == "The market is closed until Wed 2 Dec 09:15."
    assert refusal("2026-12-01 15:22", WITH_DERIVATIVES, into_auction=True) is None
    assert (
        refusal("2026-12-01 15:16", WITH_DERIVATIVES, into_auction=True)
        == "The closing auction is closed until Tue 1 Dec 15:20."
    )
    assert (
        refusal("2026-12-01 15:22", WITH_DERIVATIVES, OrderType.STOP_LIMIT, into_auction=True)
        == "The closing auction does not take this order now."
    )
    assert refusal("2026-12-01 15:27:58", WITH_DERIVATIVES, into_auction=True) is not None
    assert refusal("2026-12-01 14:00", WITH_DERIVATIVES, into_auction=True) is not None


@pytest.mark.parametrize(
    ("when", "as_amo", "reason"),
    [
        ("2026-12-01 15:29:57.999999", False, None),
        ("2026-12-01 15:29:58", False, "The market is closed until Wed 2 Dec 09:15."),
        ("2026-12-01 09:14:59.999999", False, "The market is closed until Tue 1 Dec 09:15."),
        ("2026-12-01 09:15", False, None),
        ("2026-12-01 08:58:59.999999", True, None),
        ("2026-12-01 08:59", True, "The after-market window is closed until Tue 1 Dec 17:00."),
        ("2026-12-01 16:59:59.999999", True, "The after-market window is closed until Tue 1 Dec 17:00."),
        ("2026-12-01 17:00", True, None),
        ("2026-12-31 17:00", True, "The calendar has no list that covers Fri 1 Jan 2027."),
        ("2027-01-01 10:30", False, "The calendar has no list that covers Fri 1 Jan 2027."),
    ],
)
def test_the_claim_is_stopped_outside_the_window(when: str, as_amo: bool, reason: str | None) -> None:
    assert refusal(when, as_amo=as_amo) == reason


def test_a_contract_that_has_had_its_last_session_goes_nowhere() -> None:
    expired = "The contract's last session was on Tue 8 Dec."

    assert refusal("2026-12-08 15:35", SegmentClass.EQUITY_DERIVATIVES) is None
    assert refusal("2026-12-08 15:35", SegmentClass.EQUITY_DERIVATIVES, index_expiry=date(2026, 12, 8)) == expired
    assert refusal("2026-12-08 19:00", SegmentClass.EQUITY_DERIVATIVES, index_expiry=date(2026, 12, 8)) == expired


@pytest.mark.parametrize(
    ("when", "as_amo", "goes"),
    [
        ("2026-12-29 08:30", True, True),
        ("2026-12-29 15:40", False, True),
        ("2026-12-29 15:46", False, False),
        ("2026-12-29 19:00", True, False),
        ("2026-12-30 08:30", True, False),
        ("2026-12-30 12:00", False, False),
    ],
)
def test_a_contract_of_a_share_is_over_after_its_last_session_too(when: str, as_amo: bool, goes: bool) -> None:
    words = refusal(when, SegmentClass.EQUITY_DERIVATIVES, as_amo=as_amo, expiry=date(2026, 12, 29))
    assert words == (None if goes else "The contract's last session was on Tue 29 Dec.")


def test_the_last_session_is_reached_from_the_weekend_before_although_no_after_market_window_is() -> None:
    decision = decide("2026-11-28 14:00", SegmentClass.EQUITY_DERIVATIVES, expiry=date(2026, 11, 30))
    assert (decision.mode, decision.as_amo) == (Mode.QUEUE, False)
    assert decision.release_at == india("2026-11-30 09:15")


def test_a_contract_that_is_over_is_not_said_to_wait_for_the_next_calendar() -> None:
    words = decide("2026-12-31 19:00", SegmentClass.EQUITY_DERIVATIVES, expiry=date(2026, 12, 31)).reason
    assert words == "The contract's last session was on Thu 31 Dec."


def test_the_last_session_of_a_contract_is_known_the_day_before() -> None:
    decision = decide(
        "2026-12-07 16:00",
        SegmentClass.EQUITY_DERIVATIVES,
        policy=ReleasePolicy.OPEN,
        index_expiry=date(2026, 12, 8),
    )

    assert decision.window_ends_at == india("2026-12-08 15:29:58")


def with_session(opens: str, closes: str) -> Calendar:
    """The calendar with one session of its own on Tue 1 Dec 2026."""
    usual = CALENDAR.day(CASH, date(2026, 12, 1))
    assert isinstance(usual, Trading)
    session = Span(time.fromisoformat(opens), time.fromisoformat(closes))
    return with_day(date(2026, 12, 1), usual.at_special_hours((session,)))


def test_the_after_market_window_waits_for_an_evening_session_to_end() -> None:
    evening = with_session("18:00", "19:00")

    assert (
        refusal("2026-12-01 18:30", as_amo=True, calendar=evening)
        == "The after-market window is closed until Tue 1 Dec 19:00."
    )
    assert decide("2026-12-01 18:30", calendar=evening).mode is Mode.IMMEDIATE
    assert decide("2026-12-01 18:59:58", calendar=evening).release_at == india("2026-12-01 19:00")


def test_the_after_market_window_ends_when_an_early_session_opens() -> None:
    early = with_session("08:30", "15:30")

    assert refusal("2026-12-01 08:29", as_amo=True, calendar=early) is None
    assert refusal("2026-12-01 08:30", as_amo=True, calendar=early) is not None
    assert decide("2026-12-01 08:30", calendar=early).mode is Mode.IMMEDIATE


def test_a_gap_between_two_sessions_is_waited_out() -> None:
    usual = CALENDAR.day(CASH, date(2026, 12, 1))
    assert isinstance(usual, Trading)
    sessions = (Span(time(9, 15), time(10)), Span(time(11, 30), time(12, 30)))
    drill = with_day(date(2026, 12, 1), usual.at_special_hours(sessions))

    decision = decide("2026-12-01 10:30", calendar=drill)

    assert (decision.mode, decision.as_amo) == (Mode.QUEUE, False)
    assert decision.release_at == india("2026-12-01 11:30")
    assert decision.reason == "Between two sessions: it waits for the open, Tue 1 Dec 11:30."


def test_instants_at_the_ends_of_time_are_held_not_raised() -> None:
    for now in (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=INDIA) + timedelta(hours=1)):
        decision = route(
            Contract(CASH),
            order_type=OrderType.LIMIT,
            amo_time=AmoTime.OPEN,
            now=now,
            calendar=CALENDAR,
            policy=ReleasePolicy.AMO,
        )
        assert decision.mode is None
