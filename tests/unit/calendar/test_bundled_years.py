"""What the bundled calendar knows, and what it admits not to know."""

from datetime import date, time, timedelta

import pytest

from core.domain.alert import OrderType
from core.domain.instrument import Segment, SegmentClass, segment_class
from core.domain.sessions import Calendar, Closed, Span, Trading, Unknown
from tests.builders import CALENDAR

CASH = SegmentClass.CASH
WITH_DERIVATIVES = SegmentClass.CASH_WITH_DERIVATIVES
DERIVATIVES = SegmentClass.EQUITY_DERIVATIVES
CURRENCY = SegmentClass.CURRENCY
COMMODITY = SegmentClass.COMMODITY
AGRICULTURAL = SegmentClass.AGRICULTURAL

HOLIDAYS_2025 = [
    "02-26",
    "03-14",
    "03-31",
    "04-10",
    "04-14",
    "04-18",
    "05-01",
    "08-15",
    "08-27",
    "10-02",
    "10-22",
    "11-05",
    "12-25",
]
HOLIDAYS_2026 = [
    "01-15",
    "01-26",
    "03-03",
    "03-26",
    "03-31",
    "04-03",
    "04-14",
    "05-01",
    "05-28",
    "06-26",
    "09-14",
    "10-02",
    "10-20",
    "11-10",
    "11-24",
    "12-25",
]


def hours(segment_class: SegmentClass, on: str, calendar: Calendar = CALENDAR) -> Trading:
    day = calendar.day(segment_class, date.fromisoformat(on))
    assert isinstance(day, Trading), day
    return day


def span(opens: str, closes: str) -> Span:
    return Span(time.fromisoformat(opens), time.fromisoformat(closes))


def closed_weekdays(segment_class: SegmentClass, year: int) -> list[str]:
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(365)]
    return [f"{on:%m-%d}" for on in days if on.weekday() < 5 and isinstance(CALENDAR.day(segment_class, on), Closed)]


@pytest.mark.parametrize("segment_class", [CASH, WITH_DERIVATIVES, DERIVATIVES])
def test_shares_and_their_derivatives_rest_on_the_listed_weekdays_alone(segment_class: SegmentClass) -> None:
    assert closed_weekdays(segment_class, 2025) == HOLIDAYS_2025
    assert closed_weekdays(segment_class, 2026) == HOLIDAYS_2026


def test_currency_rests_on_four_days_more() -> None:
    assert closed_weekdays(CURRENCY, 2026) == sorted([*HOLIDAYS_2026, "02-19", "03-19", "04-01", "08-26"])


def test_commodity_rests_all_day_on_four_weekdays() -> None:
    assert closed_weekdays(COMMODITY, 2026) == ["01-26", "04-03", "10-02", "12-25"]


def test_commodity_trades_in_the_evening_of_the_other_holidays_of_shares() -> None:
    evening = time(17)
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    found = {on: CALENDAR.day(COMMODITY, on) for on in days}
    evenings = [
        f"{on:%m-%d}" for on, day in found.items() if isinstance(day, Trading) and day.sessions[0].opens == evening
    ]

    assert evenings == [on for on in HOLIDAYS_2026 if on not in ("01-15", "01-26", "04-03", "10-02", "12-25")]
    assert hours(COMMODITY, "2026-10-20").sessions == (span("17:00", "23:30"),)
    assert hours(COMMODITY, "2026-11-24").sessions == (span("17:00", "23:55"),)
    assert hours(COMMODITY, "2026-01-01").sessions == (span("09:00", "17:00"),)


def test_agricultural_contracts_have_no_evening_and_rest_where_only_the_evening_trades() -> None:
    assert hours(AGRICULTURAL, "2026-12-01").sessions == (span("09:00", "17:00"),)
    assert hours(AGRICULTURAL, "2026-01-01").sessions == (span("09:00", "17:00"),)
    assert closed_weekdays(AGRICULTURAL, 2026) == [on for on in HOLIDAYS_2026 if on != "01-15"]
    assert CALENDAR.day(AGRICULTURAL, date(2026, 11, 24)) == Closed(
        "Only an evening session, in which these contracts do not trade"
    )
    assert isinstance(CALENDAR.day(AGRICULTURAL, date(2026, 1, 15)), Unknown)


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("COTTONCNDY-30Jan2026-FUT", AGRICULTURAL),
        ("MENTHAOIL-30Dec2026-FUT", AGRICULTURAL),
        ("CPO1!", AGRICULTURAL),
        ("CRUDEOIL-18Dec2026-FUT", COMMODITY),
        ("CRUDEOIL-16Dec2026-5400-CE", COMMODITY),
        ("GOLDM-05Jan2027-FUT", COMMODITY),
        ("COPPER-31Dec2026-FUT", COMMODITY),
    ],
)
def test_what_grows_is_told_from_metals_and_energy_by_its_symbol(symbol: str, expected: SegmentClass) -> None:
    assert segment_class(Segment.MCX_COMM, symbol, has_derivatives=False) is expected
    assert segment_class(Segment.NSE_EQ, symbol, has_derivatives=False) is CASH


@pytest.mark.parametrize(
    ("segment_class", "on"),
    [
        (CASH, "2023-12-29"),
        (CASH, "2024-01-10"),
        (CASH, "2024-01-21"),
        (CASH, "2024-03-02"),
        (CASH, "2024-05-18"),
        (CURRENCY, "2024-01-20"),
        (CURRENCY, "2025-06-02"),
        (COMMODITY, "2025-06-02"),
        (COMMODITY, "2026-01-15"),
        (CURRENCY, "2026-02-01"),
        (COMMODITY, "2026-02-01"),
        (CASH, "2026-11-08"),
        (DERIVATIVES, "2026-11-08"),
        (CURRENCY, "2026-11-08"),
        (COMMODITY, "2026-11-08"),
        (CASH, "2027-01-01"),
        (CASH, "2027-01-02"),
        (COMMODITY, "2027-03-12"),
    ],
)
def test_what_nobody_confirmed_is_unknown(segment_class: SegmentClass, on: str) -> None:
    day = CALENDAR.day(segment_class, date.fromisoformat(on))

    assert isinstance(day, Unknown)
    assert day.reason.endswith(".")
    assert CALENDAR.is_trading_day(segment_class, date.fromisoformat(on)) is None


@pytest.mark.parametrize(
    ("on", "opens", "closes"),
    [
        ("2024-01-20", "09:15", "15:30"),
        ("2024-11-01", "18:00", "19:00"),
        ("2025-02-01", "09:15", "15:30"),
        ("2025-10-21", "13:45", "14:45"),
        ("2026-02-01", "09:15", "15:30"),
    ],
)
@pytest.mark.parametrize("segment_class", [CASH, WITH_DERIVATIVES, DERIVATIVES])
def test_special_sessions_have_their_own_hours(segment_class: SegmentClass, on: str, opens: str, closes: str) -> None:
    assert hours(segment_class, on).sessions == (span(opens, closes),)


def test_a_moved_session_leaves_the_pre_open_and_the_square_off_unknown() -> None:
    muhurat, budget = hours(CASH, "2025-10-21"), hours(CASH, "2025-02-01")

    assert (muhurat.pre_open, muhurat.square_off) == (None, None)
    assert budget == hours(CASH, "2025-02-03")


def test_2024_knows_its_listed_days_alone() -> None:
    known = [on for segment_class, on in CALENDAR.days if segment_class is CASH and on.year == 2024]

    assert [f"{on:%m-%d}" for on in known] == ["01-20", "01-22", "03-02", "05-18", "05-20", "11-01", "11-20"]


@pytest.mark.parametrize(
    ("segment_class", "on", "closes"),
    [
        (WITH_DERIVATIVES, "2026-07-31", "15:30"),
        (WITH_DERIVATIVES, "2026-08-03", "15:15"),
        (WITH_DERIVATIVES, "2026-12-04", "15:15"),
        (WITH_DERIVATIVES, "2026-12-07", "15:30"),
        (CASH, "2026-07-31", "15:30"),
        (CASH, "2026-08-03", "15:30"),
        (CASH, "2026-12-07", "15:30"),
        (DERIVATIVES, "2026-07-31", "15:30"),
        (DERIVATIVES, "2026-08-03", "15:40"),
        (DERIVATIVES, "2026-12-04", "15:40"),
        (DERIVATIVES, "2026-12-07", "15:45"),
        (CURRENCY, "2026-12-07", "17:00"),
        (COMMODITY, "2026-10-30", "23:30"),
        (COMMODITY, "2026-11-02", "23:55"),
    ],
)
def test_the_hours_change_on_their_day(segment_class: SegmentClass, on: str, closes: str) -> None:
    assert hours(segment_class, on).sessions[-1].closes == time.fromisoformat(closes)


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("2026-07-31", None),
        ("2026-08-03", (span("15:15", "15:35"), span("15:20", "15:28"), span("15:20", "15:25"))),
        ("2026-12-04", (span("15:15", "15:35"), span("15:20", "15:28"), span("15:20", "15:25"))),
        ("2026-12-07", (span("15:30", "15:40"), span("15:31", "15:38"), span("15:31", "15:36"))),
    ],
)
def test_shares_with_derivatives_have_a_closing_auction(on: str, expected: tuple[Span, Span, Span] | None) -> None:
    auction = hours(WITH_DERIVATIVES, on).closing_auction

    found = auction and (auction.span, auction.entry[OrderType.LIMIT], auction.entry[OrderType.MARKET])
    assert found == expected
    assert hours(CASH, on).closing_auction is None


@pytest.mark.parametrize(
    ("on", "limit", "market"),
    [
        ("2026-09-04", span("09:00", "09:07"), span("09:00", "09:07")),
        ("2026-09-07", span("09:00", "09:08"), span("09:00", "09:05")),
    ],
)
@pytest.mark.parametrize("segment_class", [CASH, WITH_DERIVATIVES])
def test_the_pre_open_got_phases(segment_class: SegmentClass, on: str, limit: Span, market: Span) -> None:
    pre_open = hours(segment_class, on).pre_open

    assert pre_open is not None
    assert dict(pre_open.entry) == {OrderType.LIMIT: limit, OrderType.MARKET: market}


def test_no_auction_ever_takes_a_stop_order() -> None:
    days = [day for day in CALENDAR.days.values() if isinstance(day, Trading)]
    auctions = [auction for day in days for auction in (day.pre_open, day.closing_auction) if auction]

    assert auctions
    assert all(set(auction.entry) <= {OrderType.LIMIT, OrderType.MARKET} for auction in auctions)


@pytest.mark.parametrize(
    ("segment_class", "on", "at"),
    [
        (CASH, "2026-12-01", "15:20"),
        (DERIVATIVES, "2026-12-01", "15:20"),
        (CURRENCY, "2026-12-01", "16:45"),
        (COMMODITY, "2026-10-30", "23:15"),
        (COMMODITY, "2026-11-02", "23:45"),
        (COMMODITY, "2026-11-24", "23:45"),
        (WITH_DERIVATIVES, "2026-07-31", "15:20"),
        (WITH_DERIVATIVES, "2026-08-03", None),
        (WITH_DERIVATIVES, "2026-12-07", None),
    ],
)
def test_intraday_positions_are_squared_off_where_the_broker_said_when(
    segment_class: SegmentClass, on: str, at: str | None
) -> None:
    assert hours(segment_class, on).square_off == (time.fromisoformat(at) if at else None)


def test_closed_days_say_why() -> None:
    assert CALENDAR.day(CASH, date(2026, 11, 28)) == Closed("Saturday")
    assert CALENDAR.day(CASH, date(2026, 11, 24)) == Closed("Holiday (Guru Nanak Jayanti)")
    assert CALENDAR.is_trading_day(COMMODITY, date(2026, 11, 24)) is True
    assert CALENDAR.is_trading_day(CASH, date(2026, 12, 1)) is True
    assert CALENDAR.is_trading_day(CASH, date(2026, 11, 24)) is False


def test_the_list_ends_with_2026() -> None:
    assert CALENDAR.covered_until == date(2026, 12, 31)
