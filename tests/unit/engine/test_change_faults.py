"""Every misfortune of a cancellation or a change of terms, to its end: what Dhan's book shows, and still one order."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text

from core.broker.dhan import client
from core.db.tables import changes as change_table
from core.domain.change import ChangeState
from core.domain.notice import Notice
from core.domain.order import Order
from tests.builders import until
from tests.unit.engine.changing import (
    CANCELLED,
    CANCELLING,
    FAR,
    REFUSED,
    WORKING,
    ask_cancel,
    ask_change,
    hurry,
    resting,
    settled,
    states,
    told,
)
from tests.unit.engine.floor import Floor

ERROR = {"errorType": "Order_Error", "errorCode": "DH-908", "errorMessage": "Internal error"}
TOO_MANY = {"errorType": "Rate_Limit", "errorCode": "DH-904", "errorMessage": "Too many requests"}
PAGE = "<html>Bad gateway</html>"
NEARER = Decimal("1010.0")
ANSWERED, DONE, FAILED = ChangeState.ANSWERED, ChangeState.DONE, ChangeState.FAILED

TAKEN: dict[str, dict[str, Any]] = {
    "time-out, taken": {"kind": "hang", "recorded": True},
    "reply lost": {"kind": "drop_after"},
    "half a reply": {"kind": "half_reply"},
    "500 after": {"kind": "status", "status": 500, "body": ERROR, "recorded": True},
    "502 after": {"kind": "status", "status": 502, "body": PAGE, "recorded": True},
    "bad JSON": {"kind": "bad_json"},
    "200 without an id": {"kind": "no_id"},
    "200 with an error body, taken": {"kind": "error_body_200", "recorded": True},
    "the reply drips": {"kind": "drip", "seconds": 2.0},
    "a no that is not true": {"kind": "status", "status": 400, "body": REFUSED, "recorded": True},
}
NOT_TAKEN: dict[str, dict[str, Any]] = {
    "time-out, not taken": {"kind": "hang"},
    "reset, not taken": {"kind": "drop_before"},
    "500 before": {"kind": "status", "status": 500, "body": ERROR},
    "502 before": {"kind": "status", "status": 502, "body": PAGE},
    "200 with an error body, not taken": {"kind": "error_body_200"},
}


async def send_into(floor: Floor, call: str, fault: dict[str, Any], patience: pytest.MonkeyPatch) -> Order:
    """Ask for a cancellation or another price, and let this befall the call."""
    order = await resting(floor)
    floor.dhan.script(call, **fault)
    ask(floor, call, order)
    with patience.context() as short:
        if fault["kind"] in ("hang", "drip"):
            short.setattr(client, "TOTAL_SECONDS", 0.3)
        await floor.send_changes()
    return order


def ask(floor: Floor, call: str, order: Order) -> None:
    if call == "cancel":
        ask_cancel(floor, order)
    else:
        ask_change(floor, order, price=NEARER)


def calls(floor: Floor) -> int:
    with floor.database.snapshot() as connection:
        return connection.execute(select(change_table.c.posts)).scalar_one()


def at_dhan(floor: Floor) -> tuple[str, float]:
    """State and price of the one order that was ever placed."""
    ledger = floor.dhan.ledger()
    [order] = ledger["orders"]
    assert ledger["placements"] == 1
    return order["orderStatus"], order["price"]


@pytest.mark.fault("BR-27", "BR-09")
@pytest.mark.parametrize("name", TAKEN)
async def test_a_cancellation_that_dhan_took_without_a_clear_yes_is_seen_in_its_book_and_not_repeated(
    floor: Floor, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await send_into(floor, "cancel", TAKEN[name], monkeypatch)
    assert (floor.now(order).state, states(floor)) == (CANCELLING, [ANSWERED])
    assert (await settled(floor, order)).state is CANCELLED
    assert (states(floor), calls(floor), told(floor)) == ([DONE], 1, [Notice.CANCELLED])
    assert at_dhan(floor)[0] == "CANCELLED"


@pytest.mark.fault("BR-27")
@pytest.mark.parametrize("name", NOT_TAKEN)
async def test_a_cancellation_that_dhan_never_took_is_asked_for_again_once_the_book_shows_it_open(
    floor: Floor, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await send_into(floor, "cancel", NOT_TAKEN[name], monkeypatch)
    await floor.send_changes()
    assert (floor.now(order).state, states(floor), calls(floor)) == (CANCELLING, [ANSWERED], 1)
    await floor.follow_book()
    assert (await settled(floor, order)).state is CANCELLED
    assert (states(floor), calls(floor), told(floor)) == ([DONE], 2, [Notice.CANCELLED])
    assert at_dhan(floor)[0] == "CANCELLED"


@pytest.mark.fault("BR-09")
@pytest.mark.parametrize("name", TAKEN)
async def test_a_change_that_dhan_took_without_a_clear_yes_is_seen_in_its_book(
    floor: Floor, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await send_into(floor, "modify", TAKEN[name], monkeypatch)
    assert (floor.now(order).price, states(floor)) == (FAR, [ANSWERED])
    after = await settled(floor, order)
    assert (after.state, after.price) == (WORKING, NEARER)
    assert (states(floor), calls(floor), told(floor)) == ([DONE], 1, [Notice.CHANGED])
    assert at_dhan(floor) == ("PENDING", 1010.0)


@pytest.mark.parametrize("name", NOT_TAKEN)
async def test_a_change_that_dhan_never_took_is_told_and_not_repeated(
    floor: Floor, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await send_into(floor, "modify", NOT_TAKEN[name], monkeypatch)
    await settled(floor, order)
    assert states(floor) == [ANSWERED], "the book may be a little behind"
    hurry(floor)
    after = await settled(floor, order)
    assert (after.state, after.price) == (WORKING, FAR)
    assert (states(floor), calls(floor), told(floor)) == ([FAILED], 1, [Notice.NOT_CHANGED])
    assert at_dhan(floor) == ("PENDING", 1000.0)


@pytest.mark.fault("BR-06")
@pytest.mark.parametrize(("call", "ends"), [("cancel", ("CANCELLED", 1000.0)), ("modify", ("PENDING", 1010.0))])
async def test_a_call_that_came_too_fast_is_made_again(
    floor: Floor, call: str, ends: tuple[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    too_fast = {"kind": "status", "status": 429, "body": TOO_MANY}
    order = await send_into(floor, call, too_fast, monkeypatch)
    assert (states(floor), calls(floor)) == ([ChangeState.WANTED], 1)
    hurry(floor)
    floor.limiter.rest(0)
    await settled(floor, order)
    assert (states(floor), calls(floor)) == ([DONE], 2)
    assert at_dhan(floor) == ends


@pytest.mark.fault("BR-09", "BR-27")
@pytest.mark.parametrize("call", ["cancel", "modify"])
async def test_a_book_that_was_asked_for_before_the_answer_came_decides_nothing(floor: Floor, call: str) -> None:
    order = await resting(floor)
    floor.dhan.script(call, "status", status=400, body=REFUSED, recorded=True)
    with floor.dhan.holding_back("GET", "/dhan/v2/orders") as book:
        reading = asyncio.create_task(floor.follow_book())
        await until(book.decided.is_set)
        ask(floor, call, order)
        await floor.send_changes()
    await reading
    assert (states(floor), told(floor)) == ([ANSWERED], [])
    await settled(floor, order)
    assert states(floor) == [DONE]


@pytest.mark.sqlite("the bug is a trigger in its words")
async def test_a_change_that_brings_out_a_bug_when_it_is_settled_costs_no_other(floor: Floor) -> None:
    odd, other = await resting(floor), await resting(floor)
    for order in (odd, other):
        ask_change(floor, order, price=NEARER)
    with floor.database.transaction() as connection:
        connection.execute(
            text(
                f"CREATE TRIGGER a_bug BEFORE UPDATE ON changes WHEN OLD.order_id = {odd.id} AND NEW.state = 'done' "
                "BEGIN SELECT RAISE(ABORT, 'a bug of ours'); END"
            )
        )
    for _ in range(2):
        await settled(floor, odd)
    assert states(floor) == [ANSWERED, DONE]
    assert (floor.now(odd).price, floor.now(other).price) == (FAR, NEARER)
    assert told(floor) == [Notice.NEEDS_OPERATOR, Notice.CHANGED], "it is not kept to the log"
    with floor.database.transaction() as connection:
        connection.execute(text("DROP TRIGGER a_bug"))
    assert (await settled(floor, odd)).price == NEARER
    assert (states(floor), told(floor)[2:]) == ([DONE, DONE], [Notice.CHANGED])
