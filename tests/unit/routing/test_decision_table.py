"""Every row of decisions.txt is what the desk decides."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources

import pytest

from core.domain.instrument import SegmentClass
from core.domain.order import Mode
from core.domain.routing import may_send, route
from core.domain.sessions import Trading
from tests.builders import CALENDAR
from tests.unit.routing.decision_rows import TABLE, Row, in_words, read_rows

ROWS = read_rows()


def name(row: Row) -> str:
    return row.text.replace(" ", "_")


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_the_desk_decides_as_the_table_says(row: Row) -> None:
    decision = route(calendar=CALENDAR, **row.asked)

    assert in_words(decision) == row.expected


@pytest.mark.parametrize("row", [row for row in ROWS if row.expected != "hold"], ids=name)
def test_an_order_goes_at_the_told_moment_and_not_a_moment_before(row: Row) -> None:
    decision = route(calendar=CALENDAR, **row.asked)
    assert decision.release_at is not None

    def refusal(at: datetime) -> str | None:
        return may_send(
            row.asked["traded"],
            order_type=row.asked["order_type"],
            as_amo=decision.as_amo,
            now=at,
            calendar=CALENDAR,
        )

    assert refusal(decision.release_at) is None
    if decision.mode is Mode.QUEUE:
        assert refusal(decision.release_at - timedelta(microseconds=1)) is not None


def test_a_decision_is_the_same_in_every_time_zone() -> None:
    for row in ROWS:
        abroad = dict(row.asked, now=row.when.astimezone(UTC))
        assert route(calendar=CALENDAR, **abroad) == route(calendar=CALENDAR, **row.asked), row.text


def test_the_table_names_the_weekdays_right() -> None:
    dates = re.findall(r"(\w{3}) (\d{4}-\d\d-\d\d)", TABLE.read_text("utf-8"))

    assert len(dates) > 250
    assert [found for found in dates if f"{date.fromisoformat(found[1]):%a}" != found[0]] == []


def test_the_table_asks_nothing_twice() -> None:
    questions = [(row.when, row.segment_class, row.words) for row in ROWS]

    assert len(set(questions)) == len(questions)


ASKED_ON = {(row.segment_class, row.when.date()) for row in ROWS}
ASKED_AT = {(row.segment_class, row.when.date(), row.when.time().replace(second=0)) for row in ROWS}
USUAL = [
    pytest.param(segment_class, since, hours, id=f"{segment_class}-{since}")
    for segment_class, changes in CALENDAR.usual.items()
    for since, hours in changes
    if since <= CALENDAR.covered_until
]


@pytest.mark.parametrize("year", [2024, 2025, 2026])
def test_the_table_asks_about_each_holiday_and_each_special_session(year: int) -> None:
    days = json.loads(resources.files("core.calendar").joinpath(f"{year}.json").read_text("utf-8"))["days"]
    of = {"equity": SegmentClass.CASH, "currency": SegmentClass.CURRENCY, "commodity": SegmentClass.COMMODITY}
    told = {(of[market], date.fromisoformat(row["date"])) for market, table in days.items() for row in table["rows"]}

    assert told - ASKED_ON == set()


@pytest.mark.parametrize(("segment_class", "since", "hours"), USUAL)
def test_the_table_asks_about_both_sides_of_each_boundary_minute(
    segment_class: SegmentClass, since: date, hours: Trading
) -> None:
    changes = [start for start, _ in CALENDAR.usual[segment_class] if start > since]
    until = min(changes, default=date.max)
    asked = {at for which, day, at in ASKED_AT if which is segment_class and since <= day < until}

    assert {minute for edge in boundaries(hours) for minute in (minute_before(edge), edge)} - asked == set()


@pytest.mark.parametrize(("segment_class", "since", "hours"), USUAL)
def test_the_table_asks_about_each_change_of_hours_on_its_day(
    segment_class: SegmentClass, since: date, hours: Trading
) -> None:
    assert since.year < 2026 or (segment_class, since) in ASKED_ON, hours


def boundaries(hours: Trading) -> Iterator[time]:
    spans = list(hours.sessions)
    for auction in filter(None, (hours.pre_open, hours.closing_auction)):
        spans += [auction.span, *auction.entry.values()]
    spans += [hours.post_close] if hours.post_close else []
    yield from (edge for span in spans for edge in (span.opens, span.closes))
    yield hours.amo.morning_closes
    yield from filter(None, (hours.amo.evening_opens, hours.expiring_index_closes))


def minute_before(edge: time) -> time:
    return (datetime.combine(CALENDAR.covered_until, edge) - timedelta(minutes=1)).time()
