"""What holds at every instant, for every order."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.domain.alert import AmoTime, OrderType
from core.domain.instrument import SegmentClass
from core.domain.order import Mode
from core.domain.routing import ReleasePolicy, may_send, route
from core.domain.sessions import INDIA, Trading
from tests.builders import CALENDAR
from tests.unit.routing.decision_rows import Contract

BOUNDARIES = [
    "00:00",
    "08:45",
    "08:59",
    "09:00",
    "09:15",
    "13:45",
    "14:45",
    "15:15",
    "15:30",
    "15:40",
    "15:45",
    "17:00",
    "17:30",
    "23:30",
    "23:55",
]


def near(day: int, boundary: str, microseconds: int) -> datetime:
    return datetime.fromisoformat(f"2024-01-01 {boundary}+05:30") + timedelta(days=day, microseconds=microseconds)


ANYWHERE = st.datetimes(
    datetime(2023, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    datetime(2028, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, INDIA]),
)
NEAR_A_BOUNDARY = st.builds(
    near,
    st.integers(0, 3 * 366 + 10),
    st.sampled_from(BOUNDARIES),
    st.sampled_from([-2_000_001, -2_000_000, -1_999_999, -1, 0, 1]),
)
INSTANTS = st.one_of(ANYWHERE, NEAR_A_BOUNDARY)
ORDERS = st.fixed_dictionaries(
    {
        "traded": st.builds(Contract, st.sampled_from(SegmentClass)),
        "order_type": st.sampled_from(OrderType),
        "amo_time": st.sampled_from(AmoTime),
        "policy": st.sampled_from(ReleasePolicy),
    }
)


def refusal(order: dict[str, Any], *, as_amo: bool, now: datetime, into_auction: bool = False) -> str | None:
    return may_send(
        order["traded"],
        order_type=order["order_type"],
        as_amo=as_amo,
        now=now,
        calendar=CALENDAR,
        into_auction=into_auction,
    )


@settings(max_examples=500)
@given(order=ORDERS, now=INSTANTS)
def test_a_decision_is_whole_and_keeps_to_its_window(order: dict[str, Any], now: datetime) -> None:
    decision = route(now=now, calendar=CALENDAR, **order)

    assert decision.reason.endswith(".")
    if decision.mode is None:
        assert decision.release_at is decision.window_ends_at is decision.reaches_exchange_at is None
        return
    assert decision.release_at is not None
    assert decision.window_ends_at is not None
    assert decision.reaches_exchange_at is not None
    assert decision.release_at.tzinfo is decision.window_ends_at.tzinfo is decision.reaches_exchange_at.tzinfo is UTC
    assert now <= decision.release_at < decision.window_ends_at
    assert decision.release_at <= decision.reaches_exchange_at
    assert refusal(order, as_amo=decision.as_amo, now=decision.release_at) is None
    last = decision.window_ends_at - timedelta(microseconds=1)
    assert refusal(order, as_amo=decision.as_amo, now=last) is None
    assert refusal(order, as_amo=decision.as_amo, now=decision.window_ends_at) is not None
    assert (decision.release_at == now) == (decision.mode is not Mode.QUEUE)


@settings(max_examples=400)
@given(order=ORDERS, now=INSTANTS)
def test_what_may_go_now_is_not_kept_waiting(order: dict[str, Any], now: datetime) -> None:
    decision = route(now=now, calendar=CALENDAR, **order)

    may_go_now = refusal(order, as_amo=False, now=now) is None
    assert may_go_now == (decision.mode is Mode.IMMEDIATE)
    if decision.mode is Mode.AMO:
        assert refusal(order, as_amo=True, now=now) is None


@settings(max_examples=500)
@given(order=ORDERS, now=INSTANTS)
def test_what_the_card_offers_can_be_done(order: dict[str, Any], now: datetime) -> None:
    decision = route(now=now, calendar=CALENDAR, **order)

    for way in decision.alternatives:
        assert now <= way.release_at < way.window_ends_at
        assert (way.release_at == now) == (way.mode is not Mode.QUEUE)
        assert refusal(order, as_amo=way.as_amo, now=way.release_at, into_auction=way.into_auction) is None
        assert (way.as_amo, way.release_at) != (decision.as_amo, decision.release_at)


@settings(max_examples=500)
@given(order=ORDERS, now=INSTANTS, share=st.floats(0, 1))
def test_a_later_look_at_an_open_window_keeps_the_window(order: dict[str, Any], now: datetime, share: float) -> None:
    first = route(now=now, calendar=CALENDAR, **order)
    if first.window_ends_at is None or first.mode is Mode.QUEUE:
        return
    later = min(now + share * (first.window_ends_at - now), first.window_ends_at - timedelta(microseconds=1))

    second = route(now=later, calendar=CALENDAR, **order)

    assert (second.mode, second.window_ends_at, second.release_at) == (first.mode, first.window_ends_at, later)


@settings(max_examples=500)
@given(order=ORDERS, now=INSTANTS, share=st.floats(0, 1))
def test_a_later_look_while_both_windows_stay_shut_never_sends_earlier(
    order: dict[str, Any], now: datetime, share: float
) -> None:
    first = route(now=now, calendar=CALENDAR, **order)
    if first.release_at is None or first.mode is not Mode.QUEUE:
        return
    later = now + share * (midnight_after(now) - timedelta(microseconds=1) - now)
    if None in (refusal(order, as_amo=False, now=later), refusal(order, as_amo=True, now=later)):
        return

    second = route(now=later, calendar=CALENDAR, **order)

    assert second.release_at is None or second.release_at >= first.release_at


def midnight_after(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(INDIA).date() + timedelta(days=1), time(), INDIA)


@settings(max_examples=400)
@given(order=ORDERS, now=INSTANTS)
@example(
    order={
        "traded": Contract(SegmentClass.CASH),
        "order_type": OrderType.LIMIT,
        "amo_time": AmoTime.OPEN_60,
        "policy": ReleasePolicy.AMO,
    },
    now=datetime(2025, 10, 20, 19, tzinfo=INDIA),
)
def test_an_after_market_order_arrives_on_a_trading_day_inside_its_hours(order: dict[str, Any], now: datetime) -> None:
    decision = route(now=now, calendar=CALENDAR, **order)
    if not decision.as_amo or decision.reaches_exchange_at is None:
        return

    arrives = decision.reaches_exchange_at.astimezone(INDIA)
    hours = CALENDAR.day(order["traded"].segment_class, arrives.date())
    assert isinstance(hours, Trading)
    spans = hours.sessions + ((hours.pre_open.span,) if hours.pre_open else ())
    assert any(span.opens <= arrives.time() < span.closes for span in spans)
