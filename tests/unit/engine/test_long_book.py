"""A book of thousands: followed in parts, and not read anew where it has nothing more to say."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import pytest
from sqlalchemy import select, text, update
from structlog.testing import capture_logs

from core import failpoints
from core.broker.port import Broker, BrokerOrder, BrokerState, IncompleteBook, Said
from core.clock import SystemClock
from core.db import changes, orders
from core.db.engine import Database
from core.db.tables import changes as change_table
from core.domain.attempt import AttemptState
from core.domain.change import ChangeKind, ChangeState, Terms, Verdict
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine import reconcile
from core.engine.reconcile import Reconciler
from core.failpoints import Point
from tests.builders import NOON, an_order
from tests.integration.paper_dhan import HandClock, india
from tests.unit.engine.rows import an_attempt, report, rings

LONG = 3 * reconcile.AT_A_TIME + 1


class PulledPlug(Exception):
    """The process ends here."""


class Book:
    """A broker that has a book and nothing else. `known` is what it was asked to leave out, reading by reading."""

    def __init__(self) -> None:
        self.rows: list[BrokerOrder] = []
        self.known: list[dict[str, Said]] = []
        self.while_reading: Callable[[], None] = lambda: None

    async def book(self, known: Mapping[str, Said]) -> list[BrokerOrder]:
        self.known.append(dict(known))
        self.while_reading()
        return [row for row in self.rows if known.get(row.order_id) != row.said]


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def clock() -> HandClock:
    return HandClock(NOON)


@pytest.fixture
def reconciler(database: Database, book: Book, clock: HandClock) -> Reconciler:
    return Reconciler(database=database, broker=cast("Broker", book), clock=clock)


def at_dhan(database: Database, count: int) -> list[Order]:
    with database.transaction() as connection:
        placed = [
            an_order(connection, state=OrderState.WORKING, broker_order_id=f"5226112500{number:03}")
            for number in range(count)
        ]
        for order in placed:
            an_attempt(connection, order, AttemptState.ACCEPTED, name=name(order))
    return placed


def name(order: Order) -> str:
    return f"MU{order.id:018}"


def row(order: Order, state: BrokerState = BrokerState.FILLED, **values: Any) -> BrokerOrder:
    return report(order, state, **{"correlation_id": name(order), **values})


def states(database: Database, placed: list[Order]) -> list[OrderState]:
    with database.snapshot() as connection:
        return [order.state for order in orders.some(connection, [order.id for order in placed])]


def told(database: Database) -> list[Notice]:
    with database.snapshot() as connection:
        return rings(connection)


async def test_every_order_of_a_long_book_is_followed(database: Database, book: Book, reconciler: Reconciler) -> None:
    placed = at_dhan(database, LONG)
    book.rows = [row(order) for order in placed]
    await reconciler.follow_book()
    assert states(database, placed) == [OrderState.FILLED] * LONG
    assert told(database) == [Notice.FILLED] * LONG


@pytest.mark.sqlite("the bug is a trigger in its words")
async def test_an_order_that_cannot_be_written_down_keeps_no_other_from_being_followed(
    database: Database, book: Book, reconciler: Reconciler
) -> None:
    placed = at_dhan(database, LONG)
    book.rows = [row(order) for order in placed]
    odd = placed[3]
    with database.transaction() as connection:
        connection.execute(
            text(
                f"CREATE TRIGGER a_bug BEFORE UPDATE ON orders WHEN OLD.id = {odd.id} "
                "BEGIN SELECT RAISE(ABORT, 'a bug of ours'); END"
            )
        )
    with pytest.raises(IncompleteBook) as incomplete:
        await reconciler.follow_book()
    assert incomplete.value.unread == [name(odd)]
    assert states(database, placed).count(OrderState.FILLED) == LONG - 1
    assert told(database) == [Notice.FILLED] * (LONG - 1)
    with database.transaction() as connection:
        connection.execute(text("DROP TRIGGER a_bug"))
    await reconciler.follow_book()
    assert states(database, placed) == [OrderState.FILLED] * LONG
    assert told(database) == [Notice.FILLED] * LONG


@pytest.mark.sqlite("the bug is a trigger in its words")
@pytest.mark.parametrize(
    ("told_in", "event", "missed"),
    [
        ("strangers", "strangers_not_told", Notice.CONFLICT),
        ("morning_report", "morning_not_reported", Notice.MORNING),
    ],
)
async def test_a_bug_over_what_is_told_beside_the_orders_costs_that_alone_and_is_met_seldom(
    database: Database, clock: HandClock, told_in: str, event: str, missed: Notice
) -> None:
    book = Book()
    [mine] = at_dhan(database, 1)
    with database.transaction() as connection:
        an_order(connection, state=OrderState.REJECTED, as_amo=True, reaches_exchange_at=india("2026-11-25 09:15"))
        connection.execute(
            text(
                f"CREATE TRIGGER a_bug BEFORE INSERT ON settings WHEN NEW.key = '{told_in}' "
                "BEGIN SELECT RAISE(ABORT, 'a bug of ours'); END"
            )
        )
    book.rows = [row(mine), row(mine, order_id="9", correlation_id="MU" + "7" * 18)]
    started = Reconciler(database=database, broker=cast("Broker", book), clock=clock)
    with capture_logs() as lines:
        await started.follow_book()
        await started.follow_book()
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [event]
    assert states(database, [mine]) == [OrderState.FILLED]
    everything = {Notice.FILLED, Notice.CONFLICT, Notice.MORNING}
    assert set(told(database)) == everything - {missed}
    with database.transaction() as connection:
        connection.execute(text("DROP TRIGGER a_bug"))
    started_anew = Reconciler(database=database, broker=cast("Broker", book), clock=clock)
    await started_anew.follow_book()
    assert set(told(database)) == everything


async def test_others_write_while_a_long_book_is_followed(
    database: Database, book: Book, reconciler: Reconciler
) -> None:
    placed = at_dhan(database, LONG)
    book.rows = [row(order) for order in placed]
    following = asyncio.create_task(reconciler.follow_book())
    seen: set[int] = set()
    while not following.done():
        await database.write(lambda _connection: None)
        seen.add(states(database, placed).count(OrderState.FILLED))
    await following
    assert len(seen - {0, LONG}) >= 2, "between the parts"


async def test_what_was_followed_before_the_desk_died_is_not_told_again(
    database: Database, book: Book, reconciler: Reconciler, clock: HandClock
) -> None:
    placed = at_dhan(database, LONG)
    book.rows = [row(order) for order in placed]
    parts = iter([None, PulledPlug()])

    def pull_the_plug(point: Point) -> None:
        if point is Point.PART_FOLLOWED and (fate := next(parts)):
            raise fate

    failpoints.install(pull_the_plug)
    with pytest.raises(PulledPlug):
        await reconciler.follow_book()
    failpoints.install(lambda _point: None)
    followed = 2 * reconcile.AT_A_TIME
    assert states(database, placed).count(OrderState.FILLED) == len(told(database)) == followed

    await Reconciler(database=database, broker=cast("Broker", book), clock=clock).follow_book()
    assert states(database, placed) == [OrderState.FILLED] * LONG
    assert told(database) == [Notice.FILLED] * LONG


async def test_two_orders_of_one_name_far_apart_in_the_book_are_an_alarm(
    database: Database, book: Book, reconciler: Reconciler
) -> None:
    placed = at_dhan(database, LONG)
    twin = row(placed[0], BrokerState.WORKING, order_id="99")
    book.rows = [*(row(order) for order in placed), twin]
    await reconciler.follow_book()
    assert told(database).count(Notice.CONFLICT) == 1


async def test_one_id_under_two_names_of_ours_is_an_alarm(
    database: Database, book: Book, reconciler: Reconciler
) -> None:
    one, other = at_dhan(database, 2)
    book.rows = [row(one), row(other, order_id=one.broker_order_id)]
    await reconciler.follow_book()
    assert told(database).count(Notice.CONFLICT) == 1


async def test_an_order_in_doubt_with_two_rows_far_apart_is_the_one_that_stands(
    database: Database, book: Book, reconciler: Reconciler
) -> None:
    """Each part alone would take the first it sees for the order."""
    placed = at_dhan(database, LONG)
    with database.transaction() as connection:
        doubted = an_order(connection, state=OrderState.NEEDS_OPERATOR)
        an_attempt(connection, doubted, AttemptState.ABSENT, name="MUAGAIN")
    gone = row(doubted, BrokerState.REJECTED, order_id="98", correlation_id="MUAGAIN")
    stands = row(doubted, BrokerState.WORKING, order_id="99", correlation_id="MUAGAIN")
    book.rows = [gone, *(row(order) for order in placed), stands]
    await reconciler.follow_book()
    with database.snapshot() as connection:
        found = orders.get(connection, doubted.id)
    assert (found.state, found.broker_order_id) == (OrderState.WORKING, "99")


async def test_strangers_all_over_a_long_book_ring_once(database: Database, book: Book, reconciler: Reconciler) -> None:
    placed = at_dhan(database, LONG)
    strange = [row(placed[0], order_id=f"9{number}", correlation_id=f"MU{'A' * 17}{number}") for number in "23"]
    book.rows = [strange[0], *(row(order) for order in placed), strange[1]]
    for _ in range(2):
        await reconciler.follow_book()
    assert told(database).count(Notice.CONFLICT) == 1


async def test_what_has_ended_there_and_here_is_left_out_of_the_next_reading(
    database: Database, book: Book, reconciler: Reconciler
) -> None:
    filled, working, rejected = at_dhan(database, 3)
    book.rows = [row(filled), row(working, BrokerState.WORKING), row(rejected, BrokerState.REJECTED)]
    for _ in range(2):
        await reconciler.follow_book()
    assert book.known[0] == {}
    assert book.known[1].keys() == {filled.broker_order_id, rejected.broker_order_id}


async def test_more_that_was_filled_after_the_end_is_an_alarm(
    database: Database, book: Book, reconciler: Reconciler
) -> None:
    (order,) = at_dhan(database, 1)
    ended = row(order, BrokerState.CANCELLED)
    book.rows = [ended]
    await reconciler.follow_book()
    book.rows = [replace(ended, filled_quantity=order.quantity)]
    await reconciler.follow_book()
    assert Notice.CONFLICT in told(database)


async def test_a_row_that_says_more_than_was_taken_over_is_read_again(
    database: Database, book: Book, reconciler: Reconciler
) -> None:
    """Filled here already, by less than the row says: it has not been settled yet."""
    (order,) = at_dhan(database, 1)
    with database.transaction() as connection:
        orders.move(
            connection, order, OrderState.CANCELLED, at=NOON, actor="dhan", reason="Cancelled.", filled_quantity=0
        )
    book.rows = [row(order)]
    for _ in range(2):
        await reconciler.follow_book()
    assert book.known[1] == {}


async def test_while_a_change_of_it_is_open_an_order_is_read_again(
    database: Database, book: Book, reconciler: Reconciler
) -> None:
    filled, changing = at_dhan(database, 2)
    book.rows = [row(filled), row(changing)]
    await reconciler.follow_book()
    with database.transaction() as connection:
        changes.add(connection, changing.id, ChangeKind.MODIFY, Terms(quantity=5), wanted_by="operator 42")
    await reconciler.follow_book()
    assert book.known[1].keys() == {filled.broker_order_id}


async def test_a_change_that_was_answered_while_the_book_was_read_is_not_decided_by_it(
    database: Database, book: Book, reconciler: Reconciler
) -> None:
    (order,) = at_dhan(database, 1)
    with database.transaction() as connection:
        changes.add(connection, order.id, ChangeKind.CANCEL, Terms(), wanted_by="operator 42")
    book.rows = [row(order, BrokerState.CANCELLED)]
    book.while_reading = lambda: answer_changes(database, SystemClock().now())
    await reconciler.follow_book()
    assert change_states(database) == [ChangeState.ANSWERED]
    book.while_reading = lambda: None
    await reconciler.follow_book()
    assert change_states(database) == [ChangeState.DONE]


def answer_changes(database: Database, at: datetime) -> None:
    with database.transaction() as connection:
        values = {"state": ChangeState.ANSWERED, "verdict": Verdict.TAKEN, "answered_at": at, "words": "Taken."}
        connection.execute(update(change_table).values(values))


def change_states(database: Database) -> list[ChangeState]:
    with database.snapshot() as connection:
        return list(connection.execute(select(change_table.c.state)).scalars())


async def test_the_morning_is_reported_with_the_book_just_read(
    database: Database, book: Book, reconciler: Reconciler, clock: HandClock
) -> None:
    clock.instant = india("2026-11-26 09:21")
    with database.transaction() as connection:
        values = {"as_amo": True, "reaches_exchange_at": india("2026-11-26 09:15"), "broker_order_id": "52"}
        order = an_order(connection, state=OrderState.WORKING, **values)
        an_attempt(connection, order, AttemptState.ACCEPTED, name=name(order))
    book.rows = [row(order)]
    await reconciler.follow_book()
    assert told(database) == [Notice.FILLED, Notice.MORNING]


async def test_a_new_day_begins_with_the_whole_book(
    database: Database, book: Book, reconciler: Reconciler, clock: HandClock
) -> None:
    (order,) = at_dhan(database, 1)
    book.rows = [row(order)]
    await reconciler.follow_book()
    clock.pass_time(hours=24)
    await reconciler.follow_book()
    assert book.known[1] == {}
