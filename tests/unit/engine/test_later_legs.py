"""What is said of legs that wait for the one before them."""

import pytest
from sqlalchemy import Connection

from core import controls
from core.broker.dhan.instruments import InstrumentList
from core.db import orders
from core.engine.decide import Decider
from tests.builders import NOON, an_alert
from tests.unit.alerts.alert_samples import SHARE, body
from tests.unit.engine.rows import rules_at

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
