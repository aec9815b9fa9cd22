"""Every row of decisions.txt is what the desk decides."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from decision_rows import TABLE, Row, in_words, read_rows

from core.calendar import load_calendar
from core.domain.order import Mode
from core.domain.routing import may_send, route

CALENDAR = load_calendar()
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
            segment_class=row.segment_class,
            order_type=row.asked["order_type"],
            as_amo=decision.as_amo,
            now=at,
            calendar=CALENDAR,
            index_expiry=row.expiry,
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
