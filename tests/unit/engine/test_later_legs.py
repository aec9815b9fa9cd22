"""Legs that wait for the one before them: what is said of them, and when they ask."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from core import approvals, controls
from core.broker.dhan.instruments import InstrumentList
from core.broker.port import BrokerState
from core.db import orders
from core.domain.order import OrderState
from core.engine.adopt import follow
from core.engine.decide import Decider
from tests.builders import NOON, an_alert, an_order
from tests.unit.alerts.alert_samples import SHARE, body
from tests.unit.engine.rows import MOMENT, again, at_broker, report, rules_at, tap_on, try_claim

OPEN = "The market is open until 15:15."


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("never", [OPEN, f"It goes once leg 1 is at Dhan. {OPEN}", f"It goes once leg 2 is at Dhan. {OPEN}"]),
        ("always", [f"You approve every order. {OPEN}"] * 3),
    ],
    ids=["it names that leg", "unless it asks"],
)
def test_a_later_leg_waits_for_the_one_before_it(
    connection: Connection, listed: InstrumentList, policy: str, said: list[str]
) -> None:
    controls.put(connection, "policies", {"approval": policy}, at=NOON, actor="operator 42")
    stored = an_alert(connection, body=body(*(SHARE | {"sort_order": place} for place in "123")).decode())
    Decider(resolve=listed.resolve).decide(connection, rules_at(connection))
    assert [order.reason for order in orders.of_alert(connection, stored.id)] == said


def test_a_yes_from_before_a_failure_was_known_is_none_to_it(connection: Connection) -> None:
    """A book is asked for at one moment, and followed a while later."""
    first = at_broker(connection)
    leg = an_order(connection, alert_id=first.alert_id, state=OrderState.AWAITING_APPROVAL)
    approvals.approve(connection, tap_on(connection, leg, NOON + timedelta(seconds=1)))
    follow(connection, first, report(first, BrokerState.REJECTED), MOMENT)
    assert try_claim(connection, again(connection, leg), NOON + timedelta(seconds=2)) is None
    assert again(connection, leg).reason == "Leg 1 ended rejected: this leg goes only if you approve it again."
    approvals.approve(connection, tap_on(connection, leg, NOON + timedelta(seconds=3)))
    assert try_claim(connection, again(connection, leg), NOON + timedelta(seconds=4)) is not None
