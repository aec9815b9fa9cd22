"""Orders in doubt: looked up until they are found, or until their absence is proven and a person is asked."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from string import ascii_uppercase

import pytest
from sqlalchemy import text, update

from core import approvals, controls
from core.approvals import Tap
from core.broker.port import BrokerOrder
from core.clock import Moment, SystemClock, monotonic
from core.db import attempts as attempt_store
from core.db.attempts import Attempt
from core.db.tables import attempts
from core.domain.attempt import AttemptState, is_like_ours
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine.resolve import LOOK_UPS, SETTLES_AFTER, doubt_unfinished
from core.errors import Refusal, SignInNeeded
from tests.builders import an_order
from tests.patience import PATIENCE
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import an_attempt, rings


async def doubtful(floor: Floor, fault: str = "drop_before") -> Order:
    """An order whose POST got no answer."""
    floor.dhan.script("place", fault)
    order = await floor.sent()
    assert order.state is OrderState.UNKNOWN
    return order


async def look_up(floor: Floor, order: Order, *, times: int = 1, age: float = 2) -> Attempt:
    """Look up now, as many times as told, with the POST `age` seconds of machine time ago."""
    for _ in range(times):
        now = SystemClock().now()
        with floor.database.transaction() as connection:
            connection.execute(
                update(attempts)
                .where(attempts.c.order_id == order.id)
                .values(claimed_at=now - timedelta(seconds=age), next_lookup_at=now)
            )
        await floor.look_up()
    return floor.attempts(order)[-1]


def looks_up(floor: Floor, order: Order) -> bool:
    """Whether the order is due for a look-up, however late it is."""
    with floor.database.snapshot() as connection:
        later = SystemClock().now() + timedelta(minutes=5)
        return order.id in {attempt.order_id for attempt in attempt_store.due_for_lookup(connection, later)}


def told(floor: Floor) -> list[Notice]:
    with floor.database.snapshot() as connection:
        return rings(connection)


async def test_an_order_that_dhan_has_is_found_and_not_sent_again(floor: Floor) -> None:
    order = await doubtful(floor, "drop_after")
    await look_up(floor, order)
    found = floor.now(order)
    assert found.state is OrderState.WORKING
    assert found.broker_order_id == floor.dhan.book()[0]["orderId"]
    assert floor.dhan.ledger()["placements"] == 1
    assert told(floor) == [Notice.UNKNOWN, Notice.FOUND]


@pytest.mark.sqlite("the bug is a trigger in its words")
async def test_an_order_that_is_found_and_cannot_be_written_down_costs_no_other_and_asks(floor: Floor) -> None:
    odd, other = await doubtful(floor, "drop_after"), await doubtful(floor, "drop_after")
    with floor.database.transaction() as connection:
        connection.execute(
            text(
                f"CREATE TRIGGER a_bug BEFORE UPDATE ON orders WHEN OLD.id = {odd.id} AND NEW.state = 'working' "
                "BEGIN SELECT RAISE(ABORT, 'a bug of ours'); END"
            )
        )
        connection.execute(update(attempts).values(next_lookup_at=SystemClock().now()))
    await floor.look_up()
    assert floor.now(other).state is OrderState.WORKING
    assert floor.now(odd).state is OrderState.NEEDS_OPERATOR
    assert "look for it in Dhan's app" in floor.now(odd).reason
    assert told(floor).count(Notice.NEEDS_OPERATOR) == 1
    assert not looks_up(floor, odd)


async def test_an_order_that_only_the_day_book_shows_is_found(floor: Floor) -> None:
    order = await doubtful(floor, "drop_after")
    floor.dhan.script("lookup", "index_lag")
    await look_up(floor, order)
    assert floor.now(order).state is OrderState.WORKING


async def test_three_good_absences_over_a_minute_prove_it_and_a_person_is_asked(floor: Floor) -> None:
    order = await doubtful(floor)
    attempt = await look_up(floor, order, times=3, age=61)
    assert (attempt.state, attempt.absences) == (AttemptState.ABSENT, 3)
    assert floor.now(order).state is OrderState.NEEDS_OPERATOR
    assert told(floor) == [Notice.UNKNOWN, Notice.NEEDS_OPERATOR]
    assert floor.dhan.ledger()["placements"] == 1


async def test_two_absences_prove_nothing(floor: Floor) -> None:
    order = await doubtful(floor)
    attempt = await look_up(floor, order, times=2, age=600)
    assert (attempt.state, attempt.absences) == (AttemptState.UNKNOWN, 2)
    assert floor.now(order).state is OrderState.UNKNOWN


async def test_absences_within_the_first_minute_prove_nothing(floor: Floor) -> None:
    order = await doubtful(floor)
    attempt = await look_up(floor, order, times=5, age=50)
    assert (attempt.state, attempt.absences) == (AttemptState.UNKNOWN, 5)


async def test_a_jump_of_the_paper_clock_proves_nothing(floor: Floor) -> None:
    order = await doubtful(floor)
    floor.clock.pass_time(hours=2)
    await look_up(floor, order, times=3, age=3)
    assert floor.now(order).state is OrderState.UNKNOWN


@pytest.mark.parametrize("call", ["lookup", "book"])
async def test_a_look_up_that_fails_on_either_source_proves_nothing(floor: Floor, call: str) -> None:
    order = await doubtful(floor)
    floor.dhan.script(call, "status", status=503, times=9)
    attempt = await look_up(floor, order, times=4, age=600)
    assert (attempt.lookups, attempt.absences) == (4, 0)
    assert floor.now(order).state is OrderState.UNKNOWN


async def test_a_failed_look_up_does_not_undo_the_good_ones(floor: Floor) -> None:
    order = await doubtful(floor)
    await look_up(floor, order, times=2, age=600)
    floor.dhan.script("lookup", "drop_before")
    await look_up(floor, order, age=600)
    await look_up(floor, order, age=600)
    assert floor.now(order).state is OrderState.NEEDS_OPERATOR


async def test_a_dead_sign_in_proves_nothing(floor: Floor) -> None:
    order = await doubtful(floor)
    await floor.session.die("Invalid Token", floor.session.serial)
    attempt = await look_up(floor, order, times=3, age=600)
    assert attempt.absences == 0


async def test_look_ups_come_at_one_three_eight_twenty_forty_five_and_seventy_five_seconds(floor: Floor) -> None:
    order = await doubtful(floor)
    for age, expected in {0.5: 1, 2: 3, 5: 8, 10: 20, 30: 45, 50: 75}.items():
        attempt = await look_up(floor, order, age=age)
        assert attempt.next_lookup_at is not None
        assert (attempt.next_lookup_at - attempt.claimed_at).total_seconds() == pytest.approx(expected, abs=0.01)


async def test_what_dhans_book_of_another_day_lacks_is_not_called_absent(floor: Floor) -> None:
    order = await doubtful(floor, "drop_after")
    floor.clock.pass_time(hours=20)
    await floor.sign_in()
    attempt = await look_up(floor, order, times=3, age=72_000)
    asked = floor.now(order)
    assert (asked.state, attempt.state) == (OrderState.NEEDS_OPERATOR, AttemptState.UNKNOWN)
    assert "trades and holdings" in asked.reason
    assert told(floor) == [Notice.UNKNOWN, Notice.NEEDS_OPERATOR]
    with floor.database.transaction() as connection, pytest.raises(Refusal, match="look in Dhan's app first"):
        approvals.send_again(connection, Tap(alert_id=order.alert_id, version=1, user_id=42, at=floor.clock.now()))


async def test_a_look_up_waits_for_its_time(floor: Floor) -> None:
    order = await doubtful(floor)
    await floor.look_up()
    assert floor.attempts(order)[0].lookups == 0


async def test_another_order_under_our_name_is_not_taken_for_ours(floor: Floor) -> None:
    order = await doubtful(floor)
    floor.dhan.placed(correlationId=floor.attempts(order)[0].correlation_id, quantity=20)
    await look_up(floor, order)
    assert floor.now(order).state is OrderState.NEEDS_OPERATOR
    assert told(floor) == [Notice.UNKNOWN, Notice.CONFLICT]


@pytest.mark.parametrize("answer", ["another name", "unreadable"])
async def test_the_book_tells_when_the_look_up_cannot(floor: Floor, answer: str) -> None:
    order = await doubtful(floor, "drop_after")
    floor.dhan.placed(correlationId="by-hand")
    by_hand = next(row for row in floor.dhan.book() if row["correlationId"] == "by-hand")
    floor.dhan.script("lookup", "status", status=200, body=by_hand if answer == "another name" else [None])
    await look_up(floor, order)
    [attempt] = floor.attempts(order)
    assert (floor.now(order).state, attempt.state) == (OrderState.WORKING, AttemptState.ACCEPTED)
    mine = next(row for row in floor.dhan.book() if row["orderId"] == floor.now(order).broker_order_id)
    assert mine["correlationId"] == attempt.correlation_id


async def test_an_order_placed_by_hand_is_never_taken_for_ours(floor: Floor) -> None:
    order = await doubtful(floor)
    floor.dhan.placed(correlationId="by-hand")
    floor.dhan.script("lookup", "status", status=200, body=floor.dhan.book()[0], times=9)
    attempt = await look_up(floor, order, times=4, age=600)
    assert (floor.now(order).state, floor.now(order).broker_order_id) == (OrderState.UNKNOWN, None)
    assert (attempt.state, attempt.absences) == (AttemptState.UNKNOWN, 0)


@pytest.mark.parametrize("seen_by", ["look-up", "book"])
async def test_a_request_in_doubt_that_became_two_orders_is_found_and_told(floor: Floor, seen_by: str) -> None:
    order = await doubtful(floor, "drop_after")
    name = floor.attempts(order)[0].correlation_id
    second = floor.dhan.placed(correlationId=name)
    rejected = floor.dhan.book()[0] | {"orderId": "1", "orderStatus": "REJECTED"}
    if seen_by == "look-up":
        floor.dhan.script("lookup", "status", status=200, body=[rejected, *floor.dhan.book()])
    else:
        floor.dhan.script("lookup", "index_lag")
        floor.dhan.script("book", "status", status=200, body=[rejected, *floor.dhan.book()])
    await look_up(floor, order)
    assert floor.now(order).state is OrderState.WORKING
    await floor.follow_book()
    with floor.database.snapshot() as connection:
        held = controls.holds(connection)[controls.Hold.PAUSED]
    assert "2 orders for this one" in held
    assert second in held


@dataclass
class Slow:
    """A broker that answers no look-up before `together` of them are under way, and knows of no order."""

    together: int
    asked: list[float] = field(default_factory=list[float])
    books: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def find(self, correlation_id: str) -> BrokerOrder | None:
        assert is_like_ours(correlation_id)
        self.asked.append(monotonic())
        if len(self.asked) == self.together:
            self.enough.set()
        await self.enough.wait()
        return None

    async def book(self) -> list[BrokerOrder]:
        self.books += 1
        return []


async def test_many_doubts_are_looked_up_together_within_dhans_pace_and_read_the_book_once(floor: Floor) -> None:
    broker, now = Slow(together=LOOK_UPS.calls), SystemClock().now()
    with floor.database.transaction() as connection:
        orders = [an_order(connection, state=OrderState.UNKNOWN) for _ in range(LOOK_UPS.calls + 2)]
        for order, letter in zip(orders, ascii_uppercase, strict=False):
            an_attempt(connection, order, AttemptState.UNKNOWN, name=f"MU{letter * 18}", at=now)
    async with asyncio.timeout(PATIENCE):
        await floor.resolver(broker=broker).look_up_due()
    assert [attempt.absences for order in orders for attempt in floor.attempts(order)] == [1] * len(orders)
    assert broker.books == 1
    assert broker.asked[LOOK_UPS.calls] - broker.asked[0] >= LOOK_UPS.seconds


async def test_absence_counts_from_when_dhan_was_asked_and_not_from_its_late_answer(floor: Floor) -> None:
    order = await doubtful(floor)
    await look_up(floor, order, times=2, age=59.6)
    floor.dhan.script("lookup", "delay", seconds=0.6)
    attempt = await look_up(floor, order, age=59.6)
    assert SystemClock().now() - attempt.claimed_at > SETTLES_AFTER
    assert (attempt.state, attempt.absences) == (AttemptState.UNKNOWN, 3)


async def test_a_token_that_dhan_refuses_for_a_look_up_is_used_no_more(floor: Floor) -> None:
    order = await doubtful(floor)
    floor.dhan.end_token()
    attempt = await look_up(floor, order)
    with floor.database.snapshot() as connection:
        assert controls.Hold.SIGNED_OUT in controls.holds(connection)
    assert (floor.session.is_signed_in, attempt.absences) == (False, 0)


async def test_a_late_refusal_of_the_token_before_does_not_end_the_new_sign_in(floor: Floor) -> None:
    order = await doubtful(floor)

    class RefusesTheOldToken(Slow):
        async def find(self, correlation_id: str) -> BrokerOrder | None:
            await floor.session.die("Invalid Token", floor.session.serial)
            floor.clock.pass_time(minutes=3)
            assert await floor.sign_in()
            raise SignInNeeded(f"of the old token, asked about {correlation_id}")

    with floor.database.transaction() as connection:
        connection.execute(update(attempts).values(next_lookup_at=SystemClock().now()))
    await floor.resolver(broker=RefusesTheOldToken(together=1)).look_up_due()
    assert floor.session.is_signed_in
    assert floor.now(order).state is OrderState.UNKNOWN


async def test_at_start_whatever_was_being_sent_is_in_doubt_and_looked_up_at_once(floor: Floor) -> None:
    at = SystemClock().now()
    with floor.database.transaction() as connection:
        order = an_order(connection, state=OrderState.SUBMITTING)
        an_attempt(connection, order, AttemptState.OPEN, at=at)
        moment = Moment(now=floor.clock.now(), wall=at)
        assert doubt_unfinished(connection, moment) == 1
        assert doubt_unfinished(connection, moment) == 0
        assert [a.order_id for a in attempt_store.due_for_lookup(connection, at)] == [order.id]
    assert floor.now(order).state is OrderState.UNKNOWN


async def test_a_clock_that_was_set_back_puts_no_look_up_off(floor: Floor) -> None:
    order = await doubtful(floor)
    ahead = SystemClock().now() + timedelta(hours=1)
    with floor.database.transaction() as connection:
        connection.execute(update(attempts).values(claimed_at=ahead, next_lookup_at=ahead + timedelta(seconds=3)))
    await floor.look_up()
    [attempt] = floor.attempts(order)
    wall = SystemClock().now()
    assert (attempt.lookups, attempt.claimed_at <= wall) == (1, True)
    assert attempt.next_lookup_at is not None
    assert attempt.next_lookup_at - wall <= attempt_store.LONGEST_WAIT
