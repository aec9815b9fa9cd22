"""What is changed in Dhan's app: our row follows what an order can be, and no other number."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from core.broker.port import BrokerState
from core.db import changes
from core.domain.alert import OrderType
from core.domain.change import ChangeKind, ChangeState, Terms
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.engine.settle import adopt_terms, give_back
from tests.unit.engine.rows import MOMENT, at_broker, report, rings

LIMIT: dict[str, Any] = {"order_type": OrderType.STOP_LIMIT, "price": Decimal(1000), "trigger_price": Decimal(990)}


def test_other_terms_of_the_book_are_taken_over(connection: Connection) -> None:
    order = at_broker(connection, **LIMIT)
    seen = report(order, BrokerState.WORKING, quantity=15, price=Decimal(1010), trigger_price=Decimal(995))
    changed = adopt_terms(connection, order, seen, MOMENT)
    assert (changed.quantity, changed.price, changed.trigger_price) == (15, Decimal(1010), Decimal(995))


@pytest.mark.parametrize(
    ("posts", "words", "told"),
    [
        (1, "Changed at Dhan: limit ₹1,010.00.", [Notice.CHANGED]),
        (0, "Changed outside this desk: limit ₹1,010.00.", []),
    ],
    ids=["sent", "never sent"],
)
def test_terms_that_dhan_was_asked_for_and_that_show_late_were_not_changed_outside(
    connection: Connection, posts: int, words: str, told: list[Notice]
) -> None:
    order = at_broker(connection, **LIMIT)
    ask(connection, order, Terms(price=Decimal(1010)), ChangeState.FAILED, posts=posts)
    seen = report(order, BrokerState.WORKING, price=Decimal(1010), trigger_price=order.trigger_price)
    changed = adopt_terms(connection, order, seen, MOMENT)
    assert (changed.price, changed.reason) == (Decimal(1010), words)
    assert rings(connection) == told


def test_a_market_order_that_rests_as_a_limit_was_changed_after_all_where_the_book_shows_the_price_late(
    connection: Connection,
) -> None:
    order = at_broker(connection)
    ask(connection, order, Terms(price=Decimal(1010)), ChangeState.FAILED)
    order = give_back(connection, order, "Dhan still shows the old terms.", MOMENT) or order
    protected, late = (report(order, BrokerState.WORKING, price=Decimal(price)) for price in (1020, 1010))
    assert adopt_terms(connection, order, protected, MOMENT) == order
    changed = adopt_terms(connection, order, late, MOMENT)
    assert (changed.order_type, changed.price) == (OrderType.LIMIT, Decimal(1010))
    assert (changed.reason, rings(connection)) == ("Changed at Dhan: limit ₹1,010.00.", [Notice.CHANGED])
    assert adopt_terms(connection, changed, late, MOMENT) == changed


def test_late_terms_are_those_that_were_asked_for_also_where_they_named_what_it_was_before(
    connection: Connection,
) -> None:
    order = at_broker(connection, **LIMIT)
    ask(connection, order, Terms(quantity=order.quantity, price=Decimal(1010)), ChangeState.FAILED)
    seen = report(order, BrokerState.WORKING, price=Decimal(1010), trigger_price=order.trigger_price)
    changed = adopt_terms(connection, order, seen, MOMENT)
    assert (changed.price, rings(connection)) == (Decimal(1010), [Notice.CHANGED])


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (Terms(price=Decimal(1010)), {"price": Decimal(1010), "quantity": 15}),
        (Terms(price=Decimal(1010), quantity=15), {"price": Decimal(1010)}),
    ],
    ids=["more", "less"],
)
def test_terms_that_are_more_or_less_than_was_asked_for_here_were_changed_outside(
    connection: Connection, asked: Terms, shown: dict[str, Any]
) -> None:
    order = at_broker(connection, **LIMIT)
    ask(connection, order, asked, ChangeState.FAILED)
    seen = report(order, BrokerState.WORKING, **{"trigger_price": order.trigger_price} | shown)
    assert adopt_terms(connection, order, seen, MOMENT).reason.startswith("Changed outside this desk: ")


@pytest.mark.parametrize("state", [ChangeState.FAILED, ChangeState.DONE], ids=["late", "at once"])
def test_who_goes_back_in_dhans_app_to_terms_that_were_asked_for_here_has_changed_it_outside(
    connection: Connection, state: ChangeState
) -> None:
    order = at_broker(connection, **LIMIT)
    ask(connection, order, Terms(price=Decimal(1010)), state)
    for price in (1010, 1020, 1010):
        seen = report(order, BrokerState.WORKING, price=Decimal(price), trigger_price=order.trigger_price)
        order = adopt_terms(connection, order, seen, MOMENT)
    assert order.reason == "Changed outside this desk: limit ₹1,010.00."


def ask(connection: Connection, order: Order, terms: Terms, state: ChangeState, *, posts: int = 1) -> None:
    """A change of its terms that stands so, after so many calls."""
    changes.add(connection, order.id, ChangeKind.MODIFY, terms, wanted_by="operator 42")
    [change] = changes.in_states(connection, [ChangeState.WANTED])
    changes.update_from(connection, change, state=state, posts=posts)


@pytest.mark.fault("BR-30")
@pytest.mark.parametrize(
    "broken",
    [
        {"quantity": 0},
        {"quantity": -5},
        {"price": Decimal(0)},
        {"price": Decimal(-1)},
        {"price": None},
        {"trigger_price": Decimal(0)},
        {"trigger_price": Decimal(-1)},
        {"trigger_price": None},
    ],
    ids=str,
)
def test_a_number_that_no_order_can_have_is_no_evidence(connection: Connection, broken: dict[str, Any]) -> None:
    order = at_broker(connection, **LIMIT)
    whole = {"price": order.price, "trigger_price": order.trigger_price}
    assert adopt_terms(connection, order, report(order, BrokerState.WORKING, **whole | broken), MOMENT) == order


def test_a_broken_number_hides_no_change_beside_it(connection: Connection) -> None:
    order = at_broker(connection, **LIMIT)
    seen = report(order, BrokerState.WORKING, quantity=0, price=Decimal(1010), trigger_price=order.trigger_price)
    changed = adopt_terms(connection, order, seen, MOMENT)
    assert (changed.quantity, changed.price) == (10, Decimal(1010))


def test_a_quantity_below_what_is_known_to_be_filled_is_an_older_row(connection: Connection) -> None:
    order = at_broker(connection, **LIMIT, state=OrderState.PART_FILLED, filled_quantity=7)
    older = report(order, BrokerState.PART_FILLED, quantity=5, filled_quantity=4, price=order.price)
    assert adopt_terms(connection, order, older, MOMENT) == order
