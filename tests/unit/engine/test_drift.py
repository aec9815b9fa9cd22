"""At release: has the price moved while the order waited? What nobody knows holds nothing up."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import journal
from core.broker.quotes import Name
from core.db import orders
from core.domain.alert import OrderType, Product, Side
from core.domain.drift import Reference, moved_too_far, reference
from core.domain.notice import Notice
from core.domain.order import Mode, Order, OrderState
from core.engine import soundness
from core.policies import Policies, save
from tests.builders import NOON, until
from tests.unit.engine.floor import Floor
from tests.unit.engine.rows import rings

ASKED, SENT = OrderState.AWAITING_APPROVAL, OrderState.WORKING
WAITED: dict[str, Any] = {"mode": Mode.QUEUE, "alert_price": Decimal(1000)}
PRICES = st.decimals(min_value="0.05", max_value=100_000, places=2)


@dataclass
class Board:
    """Prices as an exchange shows them, by security; `is_stuck`: not before `answers`."""

    shown: dict[str, Decimal | None] = field(default_factory=dict[str, Decimal | None])
    is_stuck: bool = False
    looks: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def may_tell(self) -> bool:
        return True

    async def last_price(self, instruments: Iterable[Name]) -> Mapping[Name, Decimal]:
        wanted = list(instruments)
        self.looks += bool(wanted)
        if wanted and self.is_stuck:
            await self.answers.wait()
        known = {name: self.shown.get(name[1]) for name in wanted}
        return {name: price for name, price in known.items() if price is not None}


async def released(floor: Floor, last: str | None, *, board: Board | None = None, **values: Any) -> Order:
    """What became of an order whose time came at that price."""
    board = board or Board({"2885": None if last is None else Decimal(last)})
    floor.dispatcher = floor.another_dispatcher(quotes=board)
    order = floor.order(**values)
    await floor.send()
    return floor.now(order)


def set_drift(floor: Floor, most: Decimal | None) -> None:
    with floor.database.transaction() as connection:
        save(connection, Policies(drift=most), at=NOON, actor=journal.operator(42), words="Drift.")


@pytest.mark.fault("SC-08")
@pytest.mark.parametrize("price", ["1042", "958"])
async def test_a_price_that_moved_holds_the_order_and_the_card_says_by_how_much(floor: Floor, price: str) -> None:
    order = await released(floor, price, **WAITED)
    assert order.state is ASKED
    assert (
        order.reason
        == f"The price moved 4.2 % since the alert, from ₹1,000.00 to ₹{price.replace('1042', '1,042')}.00."
    )
    assert floor.attempts(order) == []
    with floor.database.snapshot() as connection:
        assert rings(connection) == [Notice.NEEDS_OPERATOR]


@pytest.mark.parametrize("price", ["1030", "970", "1000", None])
async def test_a_small_move_or_an_unknown_price_holds_nothing_up(floor: Floor, price: str | None) -> None:
    assert (await released(floor, price, **WAITED)).state is SENT


async def test_a_tap_is_given_to_the_price_that_was_asked_about(floor: Floor) -> None:
    asked = await released(floor, "1042", **WAITED)
    approve(floor, asked)
    assert floor.now(asked).asked_at_price == Decimal(1042)
    floor.dispatcher = floor.another_dispatcher(quotes=Board({"2885": Decimal(1050)}))
    await floor.send()
    assert floor.now(asked).state is SENT


async def test_a_price_that_moves_on_after_the_tap_is_asked_about_again(floor: Floor) -> None:
    asked = await released(floor, "1042", **WAITED)
    approve(floor, asked)
    floor.dispatcher = floor.another_dispatcher(quotes=Board({"2885": Decimal(1100)}))
    await floor.send()
    assert floor.now(asked).reason.startswith("The price moved 5.6 % since you were asked, from ₹1,042.00")


async def test_a_limit_is_what_is_measured_from_when_the_alert_names_no_price(floor: Floor) -> None:
    limit = {"mode": Mode.QUEUE, "order_type": OrderType.LIMIT, "price": Decimal(1000)}
    order = await released(floor, "1050", **limit)
    assert (order.state, order.reason) == (
        ASKED,
        "The price is ₹1,050.00, 5.0 % away from the limit of ₹1,000.00.",
    )


@pytest.mark.parametrize(
    "values",
    [
        {"alert_price": Decimal(1000)},
        {"mode": Mode.QUEUE},
        {**WAITED, "closes": True},
    ],
    ids=["goes at once", "names no price", "is an exit of the operator's"],
)
async def test_where_there_is_nothing_to_compare_nobody_looks(floor: Floor, values: dict[str, Any]) -> None:
    board = Board({"2885": Decimal(2000)})
    assert (await released(floor, None, board=board, **values)).state is SENT
    assert board.looks == 0


async def test_a_stop_is_not_measured_from_its_own_prices(floor: Floor) -> None:
    stop = floor.order(
        mode=Mode.QUEUE, order_type=OrderType.STOP_LIMIT, price=Decimal(1010), trigger_price=Decimal(1005)
    )
    assert reference(stop) is None


async def test_an_operator_who_turned_it_off_is_not_asked(floor: Floor) -> None:
    set_drift(floor, None)
    assert (await released(floor, "2000", **WAITED)).state is SENT


async def test_an_operator_who_is_careful_is_asked_sooner(floor: Floor) -> None:
    set_drift(floor, Decimal("0.5"))
    assert (await released(floor, "1006", **WAITED)).state is ASKED


async def test_a_price_that_does_not_come_does_not_cost_the_window(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundness, "PATIENCE", 0.1)
    assert (await released(floor, None, board=Board(is_stuck=True), **WAITED)).state is SENT


async def test_a_sale_that_goes_at_once_waits_for_no_price_and_is_judged_by_none(floor: Floor) -> None:
    """Its cover is asked about, together with an order of the same share whose price is."""
    floor.dhan.placed(productType="CNC")
    floor.clock.pass_time(seconds=1)
    floor.dhan.book()
    board = Board({"2885": Decimal(2000)}, is_stuck=True)
    floor.dispatcher = floor.another_dispatcher(quotes=board)
    waited = floor.order(**WAITED)
    sale = floor.order(side=Side.SELL, product=Product.DELIVERY, alert_price=Decimal(1000))
    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        await floor.dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)
        await until(lambda: floor.now(sale).state is SENT)
        assert floor.now(waited).state is OrderState.QUEUED
        board.answers.set()
    assert floor.now(waited).state is ASKED


async def test_a_desk_that_ends_while_it_looks_at_the_price_claims_nothing_more(floor: Floor) -> None:
    board = Board({"2885": Decimal(1000)}, is_stuck=True)
    floor.dispatcher = floor.another_dispatcher(quotes=board)
    order = floor.order(**WAITED)
    floor.keep_lease()
    async with asyncio.TaskGroup() as tasks:
        await floor.dispatcher.send_due(tasks, asyncio.Event(), floor.epoch)
        finishing = asyncio.create_task(floor.dispatcher.finish(within=5))
        await asyncio.sleep(0)
        board.answers.set()
        await finishing
    assert (floor.now(order).state, floor.attempts(order)) == (OrderState.QUEUED, [])


@given(price=PRICES, last=PRICES, most=st.decimals(min_value="0.1", max_value=50, places=1))
def test_a_move_is_asked_about_exactly_when_it_is_larger_than_allowed(
    price: Decimal, last: Decimal, most: Decimal
) -> None:
    words = moved_too_far(Reference(price=price, since="since the alert"), last, most)
    assert (words is not None) == (abs(last - price) * 100 > most * price)


def approve(floor: Floor, order: Order) -> None:
    with floor.database.transaction() as connection:
        now = floor.clock.now()
        orders.move(connection, order, OrderState.QUEUED, at=now, actor="operator 42", reason="", approved_at=now)
