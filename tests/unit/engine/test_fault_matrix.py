"""Every misfortune of a POST, to its end: the right state, one request sent, and never two orders in Dhan's ledger."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core import controls
from core.broker.dhan import client
from core.clock import SystemClock
from core.db.tables import attempts
from core.domain.attempt import AttemptState
from core.domain.order import Order, OrderState
from tests.builders import until
from tests.unit.engine.floor import Floor

REFUSED = {"errorType": "Input_Exception", "errorCode": "DH-905", "errorMessage": "Bad values"}
ERROR = {"errorType": "Order_Error", "errorCode": "DH-908", "errorMessage": "Internal error"}
DIED, LIVES = 0, 1
ASKED, FOUND = OrderState.NEEDS_OPERATOR, OrderState.WORKING


@dataclass(frozen=True)
class Misfortune:
    """What happens to the POST, how many orders Dhan has of it, and where ours ends."""

    fault: dict[str, Any]
    at_dhan: int
    ends: OrderState


MATRIX = {
    "time-out, not taken": Misfortune({"kind": "hang"}, DIED, ASKED),
    "time-out, taken": Misfortune({"kind": "hang", "recorded": True}, LIVES, FOUND),
    "reset, not taken": Misfortune({"kind": "drop_before"}, DIED, ASKED),
    "reply lost": Misfortune({"kind": "drop_after"}, LIVES, FOUND),
    "half a reply": Misfortune({"kind": "half_reply"}, LIVES, FOUND),
    "502 before": Misfortune({"kind": "status", "status": 502, "body": "<html>Bad gateway</html>"}, DIED, ASKED),
    "500 after": Misfortune({"kind": "status", "status": 500, "body": ERROR, "recorded": True}, LIVES, FOUND),
    "bad JSON": Misfortune({"kind": "bad_json"}, LIVES, FOUND),
    "200 without an id": Misfortune({"kind": "no_id"}, LIVES, FOUND),
    "200 with a status that nobody knows": Misfortune(
        {"kind": "status", "status": 200, "body": {"orderId": "1", "orderStatus": "BANANA"}, "recorded": True},
        LIVES,
        FOUND,
    ),
    "200 with an id and an error": Misfortune(
        {"kind": "status", "status": 200, "body": {"orderId": "1", "status": "failed"} | ERROR}, DIED, ASKED
    ),
    "200 with an error body, taken": Misfortune({"kind": "error_body_200", "recorded": True}, LIVES, FOUND),
    "200 with an error body, not taken": Misfortune({"kind": "error_body_200"}, DIED, ASKED),
    "the reply drips": Misfortune({"kind": "drip", "seconds": 5.0}, LIVES, FOUND),
}


async def look_up_until_proven(floor: Floor, order: Order) -> None:
    """Three look-ups, the last a minute and more after the POST."""
    for _ in range(3):
        now = SystemClock().now()
        with floor.database.transaction() as connection:
            past = {"claimed_at": now - timedelta(seconds=61), "next_lookup_at": now}
            connection.execute(update(attempts).where(attempts.c.order_id == order.id).values(past))
        await floor.look_up()


@pytest.mark.fault("BR-02", "BR-03", "BR-04", "BR-05", "BR-11", "BR-12", "BR-14")
@pytest.mark.parametrize("name", MATRIX)
async def test_a_broken_answer_ends_in_the_truth_and_makes_no_second_order(
    floor: Floor, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    misfortune = MATRIX[name]
    floor.dhan.script("place", **misfortune.fault)
    with monkeypatch.context() as patience:
        if misfortune.fault["kind"] in ("hang", "drip"):
            patience.setattr(client, "TOTAL_SECONDS", 0.3)
        order = await floor.sent()
    assert order.state is OrderState.UNKNOWN
    await floor.send()
    await look_up_until_proven(floor, order)
    assert floor.now(order).state is misfortune.ends
    ledger = floor.dhan.ledger()
    assert (ledger["placements"], len(ledger["orders"])) == (1, misfortune.at_dhan)


@pytest.mark.fault("BR-19")
@pytest.mark.parametrize("refused", [True, False])
async def test_whether_dhan_takes_a_name_twice_or_not_there_is_one_order(floor: Floor, refused: bool) -> None:
    floor.dhan.http.post("/dhan/sandbox/duplicates", json={"refuse": refused})
    floor.dhan.script("place", "drop_after")
    order = await floor.sent()
    await floor.send()
    await look_up_until_proven(floor, order)
    await floor.send()
    assert floor.now(order).state is FOUND
    assert len(floor.dhan.ledger()["orders"]) == 1


@pytest.mark.fault("BR-18")
async def test_a_request_that_became_two_orders_is_found_out(floor: Floor) -> None:
    floor.dhan.script("place", "twice")
    order = await floor.sent()
    await floor.follow_book()
    with floor.database.snapshot() as connection:
        assert "2 orders for this one" in controls.holds(connection)[controls.Hold.PAUSED]
    assert floor.now(order).state in (OrderState.WORKING, OrderState.FILLED)
    assert floor.dhan.ledger()["placements"] == 1


async def filled(floor: Floor) -> None:
    """What is at the exchange fills, and the book is read."""
    floor.clock.pass_time(seconds=1)
    await floor.follow_book()


def at_dhan(floor: Floor, order: Order) -> int:
    """How many orders Dhan has under the names that this one was sent by."""
    names = [attempt.correlation_id for attempt in floor.attempts(order)]
    return sum(row["correlationId"] in names for row in floor.dhan.ledger()["orders"])


@pytest.mark.fault("BR-02", "BR-08")
async def test_of_three_slices_one_taken_one_without_a_reply_and_one_refused_each_ends_in_the_truth(
    floor: Floor,
) -> None:
    first = floor.order(quantity=6)
    second, third = (floor.order(alert_id=first.alert_id, quantity=quantity) for quantity in (6, 3))
    await floor.send()
    await filled(floor)
    floor.dhan.script("place", "drop_after")
    await floor.send()
    await floor.send()
    slices = first, second, third
    states = [floor.now(order).state for order in slices]
    assert states == [OrderState.FILLED, OrderState.UNKNOWN, OrderState.QUEUED], "the third waits for the doubt's end"
    await look_up_until_proven(floor, second)
    await filled(floor)
    floor.dhan.script("place", "status", status=400, body=REFUSED)
    for _ in range(2):
        await floor.send()
        await filled(floor)
    states = [floor.now(order).state for order in slices]
    assert states == [OrderState.FILLED, OrderState.FILLED, OrderState.REJECTED]
    assert [at_dhan(floor, order) for order in slices] == [1, 1, 0]
    assert floor.dhan.ledger()["placements"] == 3


@pytest.mark.fault("BR-02", "BR-08")
async def test_answers_that_come_at_once_end_each_order_in_its_own_truth(floor: Floor) -> None:
    floor.dhan.script("place", "drop_after")
    floor.dhan.script("place", "status", status=400, body=REFUSED)
    orders = [floor.order() for _ in range(3)]
    await floor.send()
    assert sorted(floor.now(order).state for order in orders) == [OrderState.REJECTED, OrderState.UNKNOWN, FOUND]
    for order in orders:
        await look_up_until_proven(floor, order)
    await filled(floor)
    ends = [(floor.now(order).state, at_dhan(floor, order)) for order in orders]
    assert sorted(ends) == [(OrderState.FILLED, 1), (OrderState.FILLED, 1), (OrderState.REJECTED, 0)]
    assert floor.dhan.ledger()["placements"] == 3


@pytest.mark.fault("BR-05")
async def test_an_order_that_the_book_shows_before_its_answer_comes_is_one_order(floor: Floor) -> None:
    floor.dhan.script("place", "delay", seconds=1.0, recorded=True)
    order = floor.order()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(floor.send())
        await until(lambda: floor.dhan.ledger()["orders"])
        await filled(floor)
    await filled(floor)
    assert (floor.now(order).state, at_dhan(floor, order)) == (OrderState.FILLED, 1)
    assert [attempt.state for attempt in floor.attempts(order)] == [AttemptState.ACCEPTED]
    with floor.database.snapshot() as connection:
        assert not controls.holds(connection)
