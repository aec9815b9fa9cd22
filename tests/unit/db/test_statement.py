"""A statement that runs past the toolkit says the same as one that does not."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import Connection, bindparam, insert, select, update

from core.db.engine import Database
from core.db.statement import LONGEST_LIST, Statement
from core.db.tables import events, orders
from core.domain.order import OrderState
from tests.builders import NOON, an_order

T = TypeVar("T")
WAITING = [OrderState.QUEUED, OrderState.AWAITING_APPROVAL]
FOUND = (orders.c.id, orders.c.state, orders.c.price, orders.c.release_at, orders.c.closes)
AMONG = (
    select(*FOUND)
    .where(orders.c.state.in_(WAITING), orders.c.id.in_(bindparam("ids", expanding=True)))
    .where(orders.c.release_at <= bindparam("now", type_=orders.c.release_at.type))
    .order_by(orders.c.id)
)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, LONGEST_LIST - 1, LONGEST_LIST, LONGEST_LIST + 1])
def test_a_query_with_a_list_finds_what_the_toolkit_finds(connection: Connection, length: int) -> None:
    made = [an_order(connection, release_at=NOON + timedelta(minutes=number % 2)).id for number in range(length + 2)]
    an_order(connection, state=OrderState.FILLED)
    wanted = {"ids": made[:length], "now": NOON}

    found = Statement(AMONG).rows(connection, wanted)

    assert found == [tuple(row) for row in connection.execute(AMONG, wanted)]
    assert len(found) == (length + 1) // 2


def test_lists_of_different_lengths_are_not_mixed_up(connection: Connection) -> None:
    made = [an_order(connection).id for _ in range(3)]
    among = Statement(AMONG)
    for some in (made[:2], made, made[2:], made[:2]):
        assert [row[0] for row in among.rows(connection, {"ids": some, "now": NOON})] == some


def test_a_list_that_leaves_out_leaves_out_no_more_than_it_names(connection: Connection) -> None:
    made = [an_order(connection).id for _ in range(7)]
    others = Statement(select(orders.c.id).where(orders.c.id.not_in(bindparam("ids", expanding=True))))
    for count in range(7):
        assert [row[0] for row in others.rows(connection, {"ids": made[:count]})] == made[count:]


def test_values_come_back_as_our_own_types_by_their_names(connection: Connection) -> None:
    order = an_order(connection, price=None, release_at=NOON)
    [row] = Statement(AMONG).mappings(connection, {"ids": [order.id], "now": NOON})
    assert row == {
        "id": order.id,
        "state": OrderState.QUEUED,
        "price": None,
        "release_at": NOON,
        "closes": order.closes,
    }
    assert isinstance(row["state"], OrderState)


def test_a_change_says_how_many_rows_it_met_whatever_columns_it_sets(connection: Connection) -> None:
    made = [an_order(connection).id for _ in range(3)]
    as_seen = Statement(update(orders).where(orders.c.id == bindparam("order_id"), orders.c.version == 1))

    assert as_seen.run(connection, {"order_id": made[0], "reason": "one"}) == 1
    assert as_seen.run_each(connection, [{"order_id": each, "version": 2, "reason": "all"} for each in made]) == 3
    assert as_seen.run(connection, {"order_id": made[0], "reason": "too late"}) == 0
    assert as_seen.run_each(connection, []) == 0
    assert set(connection.execute(select(orders.c.version, orders.c.reason))) == {(2, "all")}


def test_what_is_undone_is_undone_with_it(database: Database) -> None:
    add = Statement(insert(events))
    row = {"at": NOON, "actor": "desk", "kind": "noted", "reason": "", "data": {"a": 1}, "alert_id": None}
    with database.transaction() as connection:
        add.run(connection, row | {"order_id": None})
        savepoint = connection.begin_nested()
        add.run(connection, row | {"reason": "in vain", "order_id": None})
        savepoint.rollback()
    with pytest.raises(Exception, match=r"(?i)foreign key"), database.transaction() as connection:
        add.run_each(connection, [row | {"order_id": None}, row | {"order_id": 999}])
    with database.snapshot() as connection:
        assert list(connection.execute(select(events.c.reason, events.c.data))) == [("", {"a": 1})]


@pytest.mark.parametrize("other", [{"version": 3, "reason": "more"}, {}])
def test_rows_of_one_change_that_name_different_values_are_a_mistake(
    connection: Connection, other: dict[str, int | str]
) -> None:
    made = [an_order(connection).id for _ in range(2)]
    anew = Statement(update(orders).where(orders.c.id == bindparam("order_id")))
    with pytest.raises(ValueError, match="the same names"):
        anew.run_each(connection, [{"order_id": made[0], "version": 2}, {"order_id": made[1], **other}])
    assert set(connection.execute(select(orders.c.version)).scalars()) == {1}


def test_the_order_of_the_names_is_free(connection: Connection) -> None:
    made = [an_order(connection).id for _ in range(2)]
    anew = Statement(update(orders).where(orders.c.id == bindparam("order_id")))
    anew.run_each(connection, [{"order_id": made[0], "version": 2}, {"version": 2, "order_id": made[1]}])
    assert set(connection.execute(select(orders.c.version)).scalars()) == {2}


def test_all_queries_of_a_reader_see_one_moment(database: Database) -> None:
    ids = Statement(select(orders.c.id))
    with database.snapshot() as reader:
        assert ids.rows(reader) == []
        with database.transaction() as writer:
            an_order(writer)
        assert ids.rows(reader) == []
    with database.snapshot() as reader:
        assert len(ids.rows(reader)) == 1


@pytest.mark.parametrize("is_kept", [True, False], ids=["a connection that is kept", "one for once"])
async def test_a_reader_that_fails_leaves_no_old_moment_to_the_next(database: Database, is_kept: bool) -> None:
    ids = Statement(select(orders.c.id))

    def fail(connection: Connection) -> None:
        ids.rows(connection)
        raise LookupError("a bug of the reader")

    async def read(work: Callable[[Connection], T]) -> T:
        if is_kept:
            return await database.read(work)
        with database.snapshot() as connection:
            return work(connection)

    for known in range(3):
        assert len(await read(ids.rows)) == known
        with pytest.raises(LookupError):
            await read(fail)
        with database.transaction() as connection:
            an_order(connection)


def test_a_value_that_is_missing_is_a_mistake(connection: Connection) -> None:
    with pytest.raises(Exception, match="now"):
        Statement(AMONG).rows(connection, {"ids": [1]})
