"""A year ends with every alert finished or asked, and every send inside a window."""

import random

import pytest

from core.db.engine import Database
from core.domain.order import OrderState
from tests.year.judge import faults
from tests.year.year import Year, the_moments

ALERTS = 500


@pytest.mark.fault("CK-04", "SC-01", "SC-05", "SC-07")
def test_a_year_ends_with_every_alert_finished_or_asked_and_every_send_inside_a_window(database: Database) -> None:
    year = Year(database, seed=2026, alerts=the_moments(ALERTS, random.Random(2026)))
    year.run()

    assert faults(year) == []
    states = year.counts()
    assert states[OrderState.FILLED] > ALERTS / 3
    assert min(states[state] for state in (OrderState.EXPIRED, OrderState.DECLINED, OrderState.NEEDS_OPERATOR)) > 3
    year.open.close()
