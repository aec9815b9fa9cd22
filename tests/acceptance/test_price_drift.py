"""The price moves while an approved order waits: the operator is asked again before anything is sent."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from core.sandbox.dhan.instruments import listed_on
from tests.integration.paper_dhan import india
from tests.world import World

SATURDAY, MONDAY = india("2026-11-28 14:00"), india("2026-11-30 17:00:01")
RELIANCE = ("NSE_EQ", "2885")


def price_at(instant: datetime) -> Decimal:
    """At the stand-in, without one of the calls that the desk needs: they are a second apart."""
    return listed_on(instant.date())[RELIANCE].price_at(instant)


def test_an_approved_order_whose_price_moved_before_its_release_is_asked_about_and_not_sent(tmp_path: Path) -> None:
    with World.opened(tmp_path) as world:
        world.sells_prices()
        world.phone.ask("/policy drift 0.2%", "Set")
        world.jump("2026-11-28T14:00")
        approved_at = price_at(SATURDAY)
        alert = world.fire(world.leg(price=str(approved_at)))["alert_id"]
        world.phone.tap(alert, "Approve")
        world.phone.card_shows(alert, "Queued")

        world.jump("2026-11-30T17:00:01")
        moved = abs(price_at(MONDAY) - approved_at) / approved_at * 100
        assert moved > Decimal("0.3"), "the stand-in's price has to move for this test"
        card = world.phone.card_shows(alert, "Waiting for your tap", "The price moved", "since the alert")
        assert "Approve" in card.buttons
        world.until(lambda: any("The price moved" in told for told in world.phone.rings(alert)), "it rings")
        assert world.placements() == 0

        world.phone.tap(alert, "Approve")
        world.phone.card_shows(alert, "Placed at Dhan")
        assert (len(world.ledger()), world.placements()) == (1, 1)
