"""/queue and /status tell of the same orders, and of the times that lie ahead of them."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot import desk_views, keyboards
from bot.handlers.queue import Queue
from core import controls
from core.db.engine import Database
from core.domain.order import OrderState
from core.reports import desk_report
from core.settings import Mode, Role
from tests.builders import NOON, FrozenClock, an_order, fresh_database
from tests.unit.bot.reports import ORDER, order

STATES = {
    OrderState.AWAITING_APPROVAL: 1,
    OrderState.QUEUED: 2,
    OrderState.NEEDS_OPERATOR: 1,
    OrderState.UNKNOWN: 3,
    OrderState.FILLED: 1,
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(fresh_database(tmp_path)) as database:
        yield database


def fill(database: Database, states: dict[OrderState, int]) -> None:
    with database.transaction() as connection:
        for state, count in states.items():
            for _ in range(count):
                an_order(connection, state=state)


def status(database: Database) -> list[str]:
    with database.snapshot() as connection:
        return desk_views.status(desk_report(connection, NOON), Mode.PAPER, NOON).splitlines()


async def queue(database: Database, *arguments: str) -> str:
    said: list[str] = []

    async def reply_html(text: str, **_more: Any) -> None:
        said.append(text)

    none = cast("Any", None)
    listed = Queue(database=database, desk=none, clock=FrozenClock(), gate=none, questions=none)
    await listed.queue(cast("Any", SimpleNamespace(reply_html=reply_html)), list(arguments), Role.ADMIN)
    return said[-1]


@pytest.mark.parametrize(
    ("arguments", "line", "count"),
    [(["asked"], "Waiting for your tap: 2", 2), (["queued"], "Queued: 2", 2), ([], "In doubt: 4", 7)],
)
async def test_what_the_status_counts_the_queue_lists(
    database: Database, arguments: list[str], line: str, count: int
) -> None:
    fill(database, STATES)
    assert any(each.startswith(line) for each in status(database))
    assert len(re.findall(r"<b>BUY", await queue(database, *arguments))) == count


@pytest.mark.parametrize(
    ("state", "words"),
    [(OrderState.UNKNOWN, "In doubt: looking it up at Dhan"), (OrderState.NEEDS_OPERATOR, "Needs you")],
)
async def test_an_order_in_doubt_is_never_answered_with_nothing_waits(
    database: Database, state: OrderState, words: str
) -> None:
    fill(database, {state: 1})
    for arguments in ([], ["RELIANCE"]):
        assert words in await queue(database, *arguments)


def test_what_is_in_doubt_and_needs_a_tap_is_counted_as_both_and_said_so(database: Database) -> None:
    fill(database, STATES)
    assert "In doubt: 4, of which 1 waits for your tap" in status(database)


async def test_the_queue_says_why_nothing_goes_out(database: Database) -> None:
    fill(database, {OrderState.QUEUED: 1})
    assert "🟠" not in await queue(database)
    with database.transaction() as connection:
        controls.kill(connection, at=NOON, actor="operator 42")
    assert "🟠 Stopped by operator 42 with /kill." in await queue(database)


def test_the_queue_shows_the_way_of_each_order() -> None:
    assert "🔵 Queued · goes Wed 25 Nov 17:00 → exchange Thu 26 Nov 09:45" in desk_views.queue([ORDER], NOON)


@pytest.mark.parametrize(
    ("state", "later", "way"),
    [
        (OrderState.AWAITING_APPROVAL, NOON, "🟡 Waiting for your tap · after your tap"),
        (
            OrderState.AWAITING_APPROVAL,
            NOON + timedelta(hours=21, minutes=45),
            "🟡 Waiting for your tap · after your tap → exchange Thu 26 Nov 09:45",
        ),
        (OrderState.QUEUED, NOON, "🔵 Queued · due since Wed 25 Nov 12:00"),
        (OrderState.UNKNOWN, NOON, "🟠 In doubt: looking it up at Dhan"),
        (OrderState.NEEDS_OPERATOR, NOON, "🟠 Needs you"),
    ],
)
def test_the_queue_promises_no_time_that_has_passed(state: OrderState, later: datetime, way: str) -> None:
    due = order(state, release_at=NOON, reaches_exchange_at=later)
    assert desk_views.queue([due], NOON + timedelta(minutes=2)).splitlines()[-1] == way


@pytest.mark.parametrize(
    ("which", "is_empty", "buttons"),
    [
        ("all", True, []),
        ("asked", True, [["All"]]),
        ("all", False, [["Refresh"], ["Asked", "Queued"]]),
    ],
)
def test_an_empty_queue_offers_nothing_but_the_way_back_to_all(
    which: str, is_empty: bool, buttons: list[list[str]]
) -> None:
    shown = keyboards.queue_buttons(which, 0, 0, set(), is_empty=is_empty)
    rows = shown.inline_keyboard if shown else ()
    assert [[button.text for button in row] for row in rows] == buttons


def test_the_list_of_orders_names_the_day_where_it_is_not_today_and_never_breaks_a_date() -> None:
    filled = order(OrderState.FILLED, filled_quantity=10, average_price=Decimal("1412.50"))
    earlier = replace(filled, updated_at=NOON - timedelta(days=1))
    lines = desk_views.order_list([filled, earlier], NOON).splitlines()
    assert lines[3] == "🟢 Filled 10 at ₹1,412.50 · 12:00"
    assert lines[5] == "🟢 Filled 10 at ₹1,412.50 · Tue\N{NO-BREAK SPACE}24\N{NO-BREAK SPACE}Nov\N{NO-BREAK SPACE}12:00"


@pytest.mark.parametrize(
    ("prices", "worth"),
    [
        ((None, None), "Worth: not known before the fill"),
        ((Decimal(1400), None), "Worth ₹14,000.00 and more, of unknown value"),
        ((Decimal(1400), Decimal(100)), "Worth ₹15,000.00"),
    ],
)
def test_a_question_about_all_names_no_worth_that_nobody_knows(prices: tuple[Decimal | None, ...], worth: str) -> None:
    asked = desk_views.all_of("cancel", [order(price=price, quantity=10) for price in prices])
    assert asked.splitlines()[-1] == worth


def test_the_queue_says_that_nothing_waits() -> None:
    assert desk_views.queue([], NOON).startswith("Nothing waits.")
    assert desk_views.order_list([], NOON) == "No orders yet."
