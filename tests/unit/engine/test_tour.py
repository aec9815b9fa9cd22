"""The tour's alert: it asks under every policy, and says so truly."""

import pytest
from sqlalchemy import Connection

from bot import desk_views
from core import controls, tour
from core.broker.dhan.instruments import InstrumentList
from core.db import orders
from core.domain.instrument import Instrument
from core.domain.order import OrderState
from core.errors import Refusal
from core.settings import Mode, Role
from tests.builders import CALENDAR, NOON
from tests.integration.paper_dhan import india
from tests.unit.engine.rows import OPERATOR


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("queued", "The tour asks under every policy."),
        ("never", "The tour asks under every policy."),
        ("always", "You approve every order."),
    ],
)
def test_it_asks_and_says_that_you_approve_every_order_only_where_you_do(
    connection: Connection, listed: InstrumentList, policy: str, why: str
) -> None:
    controls.put(connection, "policies", {"approval": policy}, at=NOON, actor="operator 42")
    alert, outlook = tour.fire(connection, user_id=OPERATOR, resolve=listed.resolve, calendar=CALENDAR, now=NOON)
    [order] = orders.of_alert(connection, alert)
    assert (order.state, outlook.is_open) == (OrderState.AWAITING_APPROVAL, True)
    assert order.reason == f"{why} The market is open until 15:15."


@pytest.mark.parametrize(
    ("at", "way"),
    [
        ("2026-12-01 20:00", "goes to Dhan at once as an after-market order and reaches the exchange Wed 2 Dec 09:45"),
        ("2026-12-01 10:30", "goes to Dhan at once and reaches the exchange Tue 1 Dec 10:30"),
    ],
)
def test_it_foresees_the_way_that_routing_takes(
    connection: Connection, listed: InstrumentList, at: str, way: str
) -> None:
    outlook = tour.foresee(connection, resolve=listed.resolve, calendar=CALENDAR, now=india(at))
    assert (outlook.way, outlook.is_open, outlook.holds) == (way, at.endswith("10:30"), ())


def test_it_names_what_holds_orders_and_promises_no_fill(connection: Connection, listed: InstrumentList) -> None:
    controls.pause(connection, at=NOON, actor="operator 42")
    outlook = tour.foresee(connection, resolve=listed.resolve, calendar=CALENDAR, now=NOON)
    shown = desk_views.welcome(Mode.PAPER, Role.ADMIN, outlook=outlook)
    assert "Watch the card turn to Filled, once nothing holds it.\n\n🟠 Nothing goes out now:\n🟠 Paused by" in shown
    assert "within seconds once nothing holds it" in desk_views.second_step(41, outlook)


def test_an_alert_that_would_be_refused_is_told_so_and_nothing_of_the_market(connection: Connection) -> None:
    def nothing_listed(*_: object) -> Instrument:
        raise Refusal("RELIANCE is on no list.")

    outlook = tour.foresee(connection, resolve=nothing_listed, calendar=CALENDAR, now=NOON)
    assert (outlook.refused, outlook.waits) == ("BUY 1 RELIANCE: RELIANCE is on no list.", False)
    for shown in (
        desk_views.welcome(Mode.PAPER, Role.ADMIN, outlook=outlook),
        desk_views.second_step(41, outlook),
    ):
        assert "refused: BUY 1 RELIANCE: RELIANCE is on no list." in shown
        assert not any(words in shown for words in ("market is closed", "Approve", "fills"))
