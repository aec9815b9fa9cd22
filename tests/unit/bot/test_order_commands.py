"""/cancel and /modify as they are typed, and what they show."""

import json
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Connection

from bot import order_views
from bot.handlers.orders import OrderCommands, named_orders, read_terms
from core.db import alerts
from core.domain.alert import AlertState, OrderType, Side
from core.domain.change import Terms
from core.domain.order import OrderState
from core.edits import edit
from core.errors import Refusal
from core.settings import Role
from tests.builders import NOON, FrozenClock, an_alert, an_order, fresh_database
from tests.unit.bot.reports import order
from tests.unit.engine.changing import RELIANCE


@pytest.mark.parametrize(
    ("words", "terms"),
    [
        (["price=1410"], Terms(price=Decimal(1410))),
        (["price=1,410.50"], Terms(price=Decimal("1410.50"))),
        (["QTY=20"], Terms(quantity=20)),
        (
            ["price=1410", "quantity=20", "trigger=1400"],
            Terms(price=Decimal(1410), quantity=20, trigger_price=Decimal(1400)),
        ),
        ([], Terms()),
    ],
)
def test_terms_are_read_as_they_are_typed(words: list[str], terms: Terms) -> None:
    assert read_terms(words, "") == terms


@pytest.mark.parametrize(
    "word",
    ["1410", "price", "price=", "price=abc", "price=NaN", "price=-1", "price=0", "size=3", "qty=1.5", "price=1e12"],
)
def test_what_cannot_be_read_says_how_to_write_it(word: str) -> None:
    with pytest.raises(Refusal):
        read_terms([word], "Like this.")


def test_a_price_named_twice_is_not_guessed_at() -> None:
    with pytest.raises(Refusal):
        read_terms(["price=1410", "price=1420"], "")


def test_a_label_names_one_leg_and_a_number_all_legs(connection: Connection) -> None:
    first = an_order(connection)
    second = an_order(connection, alert_id=first.alert_id)
    assert [o.id for o in named_orders(connection, [str(first.alert_id)], "")] == [first.id, second.id]
    assert [o.id for o in named_orders(connection, [second.label], "")] == [second.id]


@pytest.mark.parametrize("name", ["", "41.", ".1", "x", "41.1.1", "99", "41.9", "٤١", "9" * 40])
def test_a_label_of_nothing_is_refused(connection: Connection, name: str) -> None:
    an_order(connection)
    with pytest.raises(Refusal):
        named_orders(connection, [name] if name else [], "Which one?")


def test_before_and_after_stand_below_each_other() -> None:
    shown = order_views.change(order(OrderState.WORKING), Terms(price=Decimal(1400), quantity=20))
    assert shown.splitlines() == [
        "<b>BUY 10 M&amp;M</b> · 41.1",
        "Now: Limit ₹1,412.50 · delivery · NSE",
        "Then: quantity 20, limit ₹1,400.00",
    ]


def test_what_there_is_to_say_of_a_change_stands_below_it() -> None:
    remark = "The limit 1400 lies outside the day's range of M&M."
    shown = order_views.change(order(OrderState.WORKING), Terms(price=Decimal(1400)), [remark])
    assert shown.endswith("Then: limit ₹1,400.00\nThe limit 1400 lies outside the day&#x27;s range of M&amp;M.")


def test_what_could_be_cancelled_is_listed_with_its_label() -> None:
    assert "41.1" in order_views.choices([order(OrderState.WORKING)], "Which one?")
    assert order_views.choices([], "Which one?") == "Nothing is open."


async def test_cancelling_an_alert_does_not_pass_over_the_leg_that_is_on_its_way(tmp_path: Path) -> None:
    with closing(fresh_database(tmp_path)) as database:
        with database.transaction() as connection:
            first = an_order(connection, state=OrderState.SUBMITTING)
            second = an_order(connection, alert_id=first.alert_id, symbol="TCS")
        said: list[str] = []

        async def reply_html(text: str, **_more: Any) -> None:
            said.append(text)

        message = cast("Any", SimpleNamespace(from_user=SimpleNamespace(id=42), reply_html=reply_html))
        desk = cast("Any", SimpleNamespace(nudge=lambda: None))
        commands = OrderCommands(database=database, desk=desk, clock=FrozenClock(), find=cast("Any", None))
        await commands.cancel(message, [str(first.alert_id)], Role.ADMIN)
    [answer] = said
    assert f"{first.label}\nNobody knows yet whether Dhan has it" in answer
    assert f"{second.label}\nCancelled before it was sent." in answer


@pytest.mark.parametrize(("quantity", "is_too_much"), [(9, False), (10, False), (11, True)])
async def test_an_edit_of_an_exit_to_more_than_its_position_says_that_the_rest_is_not_sent(
    tmp_path: Path, quantity: int, is_too_much: bool
) -> None:
    with closing(fresh_database(tmp_path)) as database:
        with database.transaction() as connection:
            asked = an_alert(connection, state=AlertState.DECIDED, body=json.dumps({"exit": {"net": 10}}))
            exit_ = {"side": Side.SELL, "closes": True, "quantity": 8, "state": OrderState.AWAITING_APPROVAL}
            an_order(connection, alert_id=asked.id, **exit_)
            alert = alerts.get(connection, asked.id)
            assert alert
        desk = cast("Any", SimpleNamespace(nudge=lambda: None))
        commands = OrderCommands(database=database, desk=desk, clock=FrozenClock(), find=lambda *_: RELIANCE)
        payload = {"alert_id": alert.id, "version": alert.card_version, "reply": f"quantity={quantity}"}
        answer = await commands.edit(payload, 42)
        more = ". An exit closes at most what is left of its position, 10 when you asked: the rest is not sent."
        named = f"{alert.id}.1 is now SELL {quantity} RELIANCE; its card asks for your tap"
        assert answer == named + more * is_too_much


@pytest.mark.parametrize(
    ("state", "filled", "is_too_much"),
    [
        (OrderState.QUEUED, 0, True),
        (OrderState.DECLINED, 0, False),
        (OrderState.CANCELLED, 5, False),
        (OrderState.CANCELLED, 6, True),
    ],
)
async def test_of_an_exit_in_slices_those_that_ended_count_by_what_they_filled(
    tmp_path: Path, state: OrderState, filled: int, *, is_too_much: bool
) -> None:
    with closing(fresh_database(tmp_path)) as database, database.transaction() as connection:
        asked = an_alert(connection, state=AlertState.DECIDED, body=json.dumps({"exit": {"net": 15}}))
        exit_ = {"alert_id": asked.id, "side": Side.SELL, "closes": True, "quantity": 8}
        an_order(connection, **exit_, state=state, filled_quantity=filled)
        waits = an_order(connection, **exit_, position=2, state=OrderState.AWAITING_APPROVAL)
        _, remarks = edit(connection, waits, Terms(quantity=10), RELIANCE, actor="operator 42", at=NOON)
        assert bool(remarks) == is_too_much


async def test_the_answer_to_an_edit_says_one_thing_after_the_other(tmp_path: Path) -> None:
    banded = replace(RELIANCE, has_derivatives=True, band=(Decimal(1200), Decimal(1500)), listed_on=NOON.date())
    with closing(fresh_database(tmp_path)) as database:
        with database.transaction() as connection:
            waits = {"order_type": OrderType.STOP_LIMIT, "price": Decimal(1410), "trigger_price": Decimal(1400)}
            order = an_order(connection, **waits, state=OrderState.AWAITING_APPROVAL)
            alert = alerts.get(connection, order.alert_id)
            assert alert
        desk = cast("Any", SimpleNamespace(nudge=lambda: None))
        commands = OrderCommands(database=database, desk=desk, clock=FrozenClock(), find=lambda *_: banded)
        payload = {"alert_id": alert.id, "version": alert.card_version, "reply": "price=1600 trigger=1590"}
        answer = await commands.edit(payload, 42)
        assert answer.count("may refuse it.") == 2
        assert ".." not in answer


@pytest.mark.parametrize(
    ("legs", "reply", "words"),
    [
        (1, "5", "Write quantity=5 (or price=…)."),
        (1, "1", "Write quantity=1 (or price=…)."),
        (2, "2", "Say what of leg 2, like 2 quantity=5."),
        (2, "5", "There is no leg 5. Say which leg, like 2 quantity=5."),
        (1, "5 quantity=7", "There is no leg 5. Leave the number out: quantity=5."),
        (2, "quantity=7", "Say which leg, like 2 quantity=5."),
    ],
)
async def test_an_edit_that_names_only_half_of_it_says_what_is_missing(
    tmp_path: Path, legs: int, reply: str, words: str
) -> None:
    with closing(fresh_database(tmp_path)) as database:
        with database.transaction() as connection:
            first = an_order(connection, state=OrderState.AWAITING_APPROVAL)
            for _ in range(legs - 1):
                an_order(connection, alert_id=first.alert_id, state=OrderState.AWAITING_APPROVAL)
            alert = alerts.get(connection, first.alert_id)
            assert alert
        none = cast("Any", None)
        commands = OrderCommands(database=database, desk=none, clock=FrozenClock(), find=none)
        payload = {"alert_id": alert.id, "version": alert.card_version, "reply": reply}
        with pytest.raises(Refusal) as refused:
            await commands.edit(payload, 42)
    assert str(refused.value) == words
